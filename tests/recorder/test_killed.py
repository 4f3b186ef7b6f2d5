"""The server is killed while it records, and the next one goes on: real processes in real time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.recorder.folder import head_at
from llcphone.sim.wav import read_speech
from llcphone.testing import ACCOUNT_SID, open_stage
from tests.calls.test_kill_nine import hangs_up, heard_ms, served, speak, talk, talks_again
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.recorder.wav import Head


def heads_in(folder: Path) -> list[Head]:
    """The recordings in it, the first run of the call first."""
    heads = [head for path in folder.iterdir() if (head := head_at(path)) is not None]
    return sorted(heads, key=lambda head: head.about.run_number)


@pytest.mark.slow
async def test_what_was_heard_until_the_kill_can_be_played_and_the_next_run_says_what_it_follows(
    tmp_path: Path,
) -> None:
    async with open_stage(speak) as stage:
        sections: dict[str, dict[str, Any]] = {
            "realtime": {"dialect": "ga"},
            "twilio": {"account_sid": ACCOUNT_SID},
            "records": {"audio_dir": "audio"},
        }
        stage.write_settings(tmp_path, sections)
        audio = tmp_path / "audio"
        with trio.fail_after(HANG_S):
            async with served(tmp_path) as process:
                call = stage.twilio.ring_nowait()
                await talk(call)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            (killed,) = heads_in(audio)
            before_ms = heard_ms(call)
            async with served(tmp_path) as process:
                await talks_again(call)
                await hangs_up(call)
                process.send_signal(signal.SIGTERM)
                await process.wait()
    first, second = heads_in(audio)
    assert first == killed, "nobody has touched it since"
    began, ended = call.record.streams[0].started_at_ms, call.record.streams[0].ended_at_ms
    assert began is not None
    assert ended is not None
    lost_ms = ended - began - killed.duration_s * 1000
    assert before_ms > 2_000
    assert lost_ms < 5_000, "half a second, and what a busy machine has not written yet"
    path = audio / f"{killed.about.call}.wav"
    assert path.read_bytes()[: len(killed.text)] == killed.text, "players of others read it, too"
    assert len(read_speech(path)) == killed.samples
    assert (second.about.resumed_from, second.about.run_number) == (killed.about.call, 1)
    assert second.about.call_sid == killed.about.call_sid == call.sid
    assert second.samples > 8_000
