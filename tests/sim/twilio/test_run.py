"""The command-line caller, and recordings of calls."""

from __future__ import annotations

import wave

import pytest
import trio

from llcphone.sim.twilio import EndedBy
from llcphone.sim.twilio.run import run_phone
from tests.sim.twilio.server import TOKEN, open_server, served

SECOND = b"\x20" * 8000


async def test_a_caller_lets_the_agent_finish_says_its_recordings_and_hangs_up(autojump_clock, tmp_path):
    async def talk(stream):
        await stream.say(SECOND)  # a greeting
        for _ in range(2):
            spoken = len(stream.audio.rstrip(b"\xff"))
            await stream.until(lambda s, spoken=spoken: len(s.audio.rstrip(b"\xff")) > spoken)
            await stream.until(lambda s: not s.audio[-1600:].strip(b"\xff"))
            await stream.say(SECOND * 2)

    (tmp_path / "mine.ulaw").write_bytes(b"\x30" * 4000)
    lines = []
    async with open_server() as server:
        server.on_stream = talk
        summary = await run_phone(
            f"{server.url}/twiml",
            TOKEN,
            ["yes_please", tmp_path / "mine.ulaw"],
            printer=lines.append,
            wav=tmp_path / "call.wav",
        )
    assert summary.ok
    assert summary.said == 2
    assert summary.agent_ms == 5000
    assert len(summary.answer_gaps_ms) == 2
    assert all(180 <= gap <= 210 for gap in summary.answer_gaps_ms)  # the agent waits for ten quiet frames
    assert summary.record.ended_by is EndedBy.CALLER
    assert any("stream started" in line for line in lines)
    assert not any("+1555" in line or "token" in line for line in lines)
    assert summary.lines()[0].startswith("call: ")
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getnframes() == summary.record.duration_ms * 8


async def test_an_agent_that_says_nothing_is_not_waited_for_without_end(autojump_clock):
    async with open_server() as server:
        summary = await run_phone(
            f"{server.url}/twiml", TOKEN, ["yes_please"], printer=lambda line: None, patience_s=5
        )
    assert not summary.ok
    assert summary.answer_gaps_ms == []
    assert summary.record.duration_ms < 13_000


async def test_a_call_that_cannot_be_made_is_summed_up_too(autojump_clock):
    async with open_server() as server:
        server.answers["/twiml"] = "nonsense"
        summary = await run_phone(f"{server.url}/twiml", TOKEN, printer=lambda line: None)
    assert not summary.ok
    assert any("12100" in line for line in summary.lines())


async def test_a_voice_that_is_not_there_is_named_before_anybody_rings():
    with pytest.raises(FileNotFoundError):
        await run_phone("http://127.0.0.1:1/", TOKEN, ["nobody"], printer=lambda line: None)


async def test_a_recorded_call_is_in_true_time(autojump_clock, tmp_path):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        stream = await server.stream()
        await trio.sleep(1)
        call.speak_nowait(SECOND)
        await trio.sleep(1.5)
        await stream.say(SECOND * 3)
        await call.hears(1)
        await stream.clear()
        await trio.sleep(1)
        call.hang_up()
        await call.ended()
        call.write_wav(tmp_path / "call.wav")
        with wave.open(str(tmp_path / "call.wav")) as file:
            frames = memoryview(file.readframes(1_000_000)).cast("h").tolist()
        left = [at for at, sample in enumerate(frames[0::2]) if sample]
        right = [at for at, sample in enumerate(frames[1::2]) if sample]
        assert len(left) == len(right) == 8000  # the cleared two seconds were never heard
        assert abs(right[0] - left[0] - 12_000) <= 160
