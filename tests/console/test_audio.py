"""The recording of a call, as a page gets it: hidden until it is revealed, whole or in ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone.recorder.reading import PIECE
from llcphone.recorder.wav import About, head_of
from llcphone.sim.model import Say
from tests.console.browser import READ_KEY, console_of

if TYPE_CHECKING:
    from pathlib import Path

CALL = "ab" * 8


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    """A recording of 20 s that lies in the folder."""
    samples = bytes(range(256)) * 1_250
    whole = head_of(About(CALL, after_birth_ms=900), 160_000) + samples
    (tmp_path / f"{CALL}.wav").write_bytes(whole)
    return whole


async def test_ranges_of_a_recording(tmp_path: Path, wav: bytes, autojump_clock, no_threads) -> None:
    rehearse = {"records": {"audio_dir": str(tmp_path)}}
    async with console_of(rehearse=rehearse, audio="show") as (console, browser, _):
        await browser.enter(console, READ_KEY)  # to listen is no act
        path = f"/api/calls/{CALL}/audio"
        whole = await browser.get(path)
        assert (whole.status, whole.body) == (200, wav)
        assert whole.headers["content-type"] == "audio/wav"
        assert whole.headers["content-length"] == str(len(wav)) == str(4 * PIECE + len(wav) % PIECE)
        assert (whole.headers["accept-ranges"], whole.headers["cache-control"]) == ("bytes", "no-store")
        part = await browser.get(path, Range="bytes=100-70099")
        assert (part.status, part.body) == (206, wav[100:70_100])
        assert part.headers["content-range"] == f"bytes 100-70099/{len(wav)}"
        etag = whole.headers["etag"]
        last = await browser.get(path, Range="bytes=-10", If_Range=etag)
        assert (last.status, last.body) == (206, wav[-10:])
        changed = await browser.get(path, Range="bytes=-10", If_Range='"another"')
        assert (changed.status, changed.body) == (200, wav)
        beyond = await browser.get(path, Range=f"bytes={len(wav)}-")
        assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(wav)}")


async def test_nothing_but_a_recording_of_a_call_can_be_reached(
    tmp_path: Path, wav: bytes, autojump_clock, no_threads
) -> None:
    (tmp_path / "secret.wav").write_bytes(wav)
    (tmp_path / f"{'cd' * 8}.wav").symlink_to(tmp_path / "secret.wav")
    rehearse = {"records": {"audio_dir": str(tmp_path / "audio")}}
    async with console_of(rehearse=rehearse, audio="show") as (console, browser, _):
        paths = [
            "secret",
            "../secret",
            "..%2fsecret",
            f"..%2f{CALL}",
            f"%2e%2e/{CALL}",
            f"../{CALL}",
            "cd" * 8,
        ]
        assert (await browser.get(f"/api/calls/{CALL}/audio")).status == 401  # without a token
        await browser.enter(console)
        for path in (CALL, *paths, "x" * 1_000, "%00"):
            answer = await browser.get(f"/api/calls/{path}/audio")
            assert answer.status in (400, 404), path
            assert b"RIFF" not in answer.body


async def test_a_recording_is_hidden_until_it_is_revealed(tmp_path: Path, autojump_clock, no_threads) -> None:
    rehearse = {"records": {"audio_dir": str(tmp_path)}, "script": [Say("Hello.", 4_000)]}
    async with console_of(rehearse=rehearse) as (console, browser, stage):
        await browser.enter(console)
        call = await stage.ring()
        await call.hears(2.0)
        live = (await browser.get(f"/api/calls/{stage.phone.calls()[0].call_id}")).json
        assert 1.0 <= live["audio"]["duration_s"] <= 3.0
        await call.hears(1.0)
        call.hang_up()
        record = await stage.record()
        path = f"/api/calls/{record.call_id}"
        assert (await browser.get(f"{path}/audio")).json["code"] == "hidden"
        await browser.ask("POST", f"{path}/reveal", {"what": "audio"})
        assert (await browser.get(f"{path}/audio")).body[:4] == b"RIFF"
        page = (await browser.get(path)).json
        assert page["shown"]["audio"] is True
        assert page["audio"]["after_birth_ms"] == pytest.approx(record.started_after_ms, abs=50)
        (tmp_path / f"{record.call_id}.wav").unlink()
        gone = await browser.get(f"{path}/audio")
        assert (gone.status, gone.json["code"]) == (404, "no_recording")
        assert (await browser.get(path)).json["audio"] is None


async def test_without_recordings_there_are_none(autojump_clock) -> None:
    async with console_of(audio="show") as (console, browser, _):
        await browser.enter(console)
        assert (await browser.get(f"/api/calls/{CALL}/audio")).json["code"] == "no_recording"
    async with console_of(audio="never") as (console, browser, _):
        await browser.enter(console)
        assert (await browser.get(f"/api/calls/{CALL}/audio")).status == 403
