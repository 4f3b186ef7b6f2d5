"""The input audio is the clock: chunks, words and acknowledgements come when audio has been appended."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim import ulaw
from llcphone.sim.live import Assumptions, LiveScript, Pace, Say, babble, open_live
from llcphone.sim.live.clock import Clock
from llcphone.sim.live.formats import Format
from tests.sim.live.client import silence, talk


def test_the_clock_does_what_is_due_in_order():
    clock, done = Clock(), []
    clock.at(30, lambda: done.append((clock.now_ms, "b")))
    clock.at(10, lambda: clock.after(5, lambda: done.append((clock.now_ms, "a"))))
    clock.at(30, lambda: done.append((clock.now_ms, "c")))
    clock.at(20, lambda: done.append("never")).cancel()
    clock.advance(29)
    assert done == [(15, "a")]
    clock.advance(1)
    assert done == [(15, "a"), (30, "b"), (30, "c")]
    clock.at(7, lambda: done.append(clock.now_ms))
    clock.advance(20)
    assert done[-1] == 30
    assert clock.now_ms == 50


async def test_silence_comes_as_long_as_audio_is_fed(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.feed(990)
        await client.quiet_for(5)
        assert client.chunks == [silence(100)] * 9
        await client.feed(20)
        await client.quiet_for(5)
        assert client.chunks == [silence(100)] * 10
        assert live.sessions[0].appended_ms == 1010
        assert live.sessions[0].loud_out == []


async def test_audio_deltas_have_neither_id_nor_times(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.feed(100)
        assert (await client.until("session.output_audio.delta")).keys() == {"type", "delta"}


async def test_without_audio_nothing_is_said_or_taken(autojump_clock):
    async with open_live(["Hello there."]) as live, talk(live) as client:
        await client.comment("Greet the caller.", event_id="greet-1")
        assert await client.quiet_for(14) == []
        await client.feed(380)
        await client.quiet_for(1)
        assert "session.commentary.appended" not in client.kinds()
        await client.feed(20)
        taken = await client.until("session.commentary.appended")
        assert (taken["client_event_id"], taken["start_ms"], taken["end_ms"]) == ("greet-1", 0, 400)
        assert client.loud() == []


async def test_a_commentary_is_spoken_600_ms_later(autojump_clock):
    sound = babble(1000)
    async with open_live([Say("Hello there, caller.", sound)]) as live, talk(live) as client:
        await client.comment("Greet the caller.")
        await client.feed(2000)
        await client.quiet_for(1)
        # The chunk that comes at 600 ms is the sixth.
        assert client.loud() == list(range(5, 15))
        assert client.audio[4000:12000] == sound
        assert live.sessions[0].loud_out == list(range(600, 1600, 100))
        assert client.words() == "Hello there, caller."
        assert live.sessions[0].said == ["Hello there, caller."]


async def test_words_have_the_times_of_their_sound_and_come_a_little_earlier(autojump_clock):
    async with open_live([Say("One two three four.", 2000)]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(4000)
        await client.quiet_for(1)
        words = client.of("session.output_transcript.delta")
        assert [each["delta"] for each in words] == ["One", " two", " three", " four."]
        assert [each["start_ms"] for each in words] == [500, 815, 1236, 1868]
        assert words[-1]["end_ms"] == 2500
        sent = [each for each in live.sessions[0].sent if each.event in words]
        for each in sent:
            audio_sent_ms = each.event["start_ms"] // 100 * 100 + 100
            assert audio_sent_ms - 300 <= each.clock_ms <= audio_sent_ms


async def test_a_caller_is_answered_700_ms_after_the_end(autojump_clock):
    async with open_live(["We open at nine."]) as live, talk(live) as client:
        await client.feed(500)
        await client.says(1000, then=3000)
        await client.quiet_for(1)
        assert live.sessions[0].loud_out[0] == 500 + 1000 + 700
        assert client.words() == "We open at nine."


async def test_the_callers_words_lag_behind_their_sound(autojump_clock):
    script = LiveScript([], hears=["What are your hours on sunday please"])
    async with open_live(script) as live, talk(live) as client:
        await client.feed(500)
        await client.says(2000, then=3000)
        await client.quiet_for(1)
        assert client.words("input") == "What are your hours on sunday please"
        heard = [each for each in live.sessions[0].sent if "input_transcript" in each.event["type"]]
        assert heard[0].event["start_ms"] == 500
        assert heard[-1].event["end_ms"] == 2500
        for each in heard:
            assert 1200 <= each.clock_ms - each.event["end_ms"] <= 1220


@pytest.mark.parametrize(
    ("quiet", "bytes_"),
    [("positive", b"\xff"), ("negative", b"\x7f"), ("noise", b"\x7d\x7e\x7f\xfd\xfe\xff")],
)
async def test_silence_is_one_of_three(quiet, bytes_, autojump_clock):
    async with open_live(assumes=Assumptions(quiet=quiet)) as live, talk(live) as client:
        await client.feed(1000)
        await client.quiet_for(1)
        assert set(client.audio) == set(bytes_)
        assert live.sessions[0].loud_out == []


async def test_a_burst_runs_the_clock_as_fed_or_in_real_time(autojump_clock):
    async with open_live() as live, talk(live) as client:
        began = trio.current_time()
        await client.append(silence(2000))
        for _ in range(20):
            await client.until("session.output_audio.delta")
        assert trio.current_time() - began < 0.1
    async with open_live(assumes=Assumptions(burst="real time")) as live, talk(live) as client:
        began = trio.current_time()
        await client.append(silence(2000))
        for _ in range(20):
            await client.until("session.output_audio.delta")
        assert trio.current_time() - began == pytest.approx(2, abs=0.1)
        assert live.sessions[0].appended_ms == 2000


async def test_muted_the_model_hears_silence_and_the_clock_goes_on(autojump_clock):
    async with open_live(["Hello."]) as live, talk(live) as client:
        await client.send("session.input_audio.mute", event_id="m")
        assert (await client.until("session.input_audio.muted"))["client_event_id"] == "m"
        assert await client.quiet_for(5) == []
        await client.says()
        await client.quiet_for(1)
        assert len(client.chunks) == 30
        assert live.sessions[0].loud_out == []
        await client.send("session.input_audio.unmute")
        await client.until("session.input_audio.unmuted")
        await client.says()
        await client.quiet_for(1)
        assert client.words() == "Hello."


@pytest.mark.parametrize(
    ("form", "rate", "width"), [("audio/pcm", 24000, 2), ("audio/pcm", 16000, 2), ("audio/pcma", 8000, 1)]
)
async def test_every_format_carries_a_call(form, rate, width, autojump_clock):
    heard = Format(form, rate)
    audio = {"format": {"type": form, "rate": rate}}
    async with open_live([Say("Hello.", 500)]) as live, talk(live, audio=audio) as client:
        await client.append(heard.from_ulaw(babble(1000) + silence(2000)))
        await client.quiet_for(1)
        assert live.sessions[0].appended_ms == 3000
        assert live.sessions[0].loud_out == list(range(1700, 2200, 100))
        assert {len(chunk) for chunk in client.chunks} == {rate // 10 * width}
        # A-law and µ-law have other steps, so what went through both is alike and not the same.
        spoken, said = ulaw.decode(heard.to_ulaw(client.audio)[12800:16800]), ulaw.decode(babble(500))
        assert max(abs(a - b) for a, b in zip(spoken, said, strict=True)) <= max(said) // 30


async def test_pcm_has_whole_samples(autojump_clock):
    audio = {"format": {"type": "audio/pcm", "rate": 24000}}
    async with open_live() as live, talk(live, audio=audio) as client:
        await client.append(b"\0\0\0")
        error = await client.error()
        assert error["code"] == "invalid_audio"
        assert error["message"] == "PCM16 audio must contain an even number of bytes"
        assert live.sessions[0].appended_ms == 0


async def test_chunks_can_be_longer(autojump_clock):
    async with open_live(pace=Pace(chunk_ms=200)) as live, talk(live) as client:
        await client.feed(1000)
        await client.quiet_for(1)
        assert client.chunks == [silence(200)] * 5
