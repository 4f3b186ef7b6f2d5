"""The server is killed while it records: a real process, in real time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.recorder.folder import head_at
from llcphone.sim.wav import read_speech
from llcphone.testing import open_stage
from tests.calls.test_kill_nine import served, speak, talk
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.slow
async def test_what_was_written_until_the_kill_can_be_played(tmp_path: Path) -> None:
    async with open_stage(speak) as stage:
        sections: dict[str, dict[str, Any]] = {
            "realtime": {"dialect": "ga"},
            "records": {"audio_dir": "audio"},
        }
        stage.write_settings(tmp_path, sections)
        with trio.fail_after(HANG_S):
            async with served(tmp_path) as process:
                call = stage.twilio.ring_nowait()
                await talk(call)
                process.send_signal(signal.SIGKILL)
                await process.wait()
    path = only(tmp_path / "audio")
    head = head_at(path)
    assert head is not None
    assert head.about.call_sid == call.sid
    whole = path.read_bytes()
    assert whole[: len(head.text)] == head.text, "its sizes are right: players of others read it, too"
    assert len(read_speech(path)) == head.samples
    began, ended = call.record.streams[0].started_at_ms, call.record.streams[0].ended_at_ms
    assert began is not None
    assert ended is not None
    assert head.duration_s > 1.5, "the greeting at least, however busy the disk was"
    assert head.duration_s * 1000 <= ended - began + 20, "nothing that nobody has heard"
    agent = whole[len(head.text) + 1 :: 2]
    heard = call.heard_ulaw()[began * 8 :]
    ours, theirs = (line.lstrip(b"\xff\x7f")[:8_000] for line in (agent, heard))
    assert ours == theirs, "the first second of the greeting"
