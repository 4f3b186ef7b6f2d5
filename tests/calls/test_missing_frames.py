"""Telephones that send no frames for a while: on hold, muted, lossy, or without packets of silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import EndReason
from llcphone.sim.model import Faults, Say
from llcphone.sim.twilio import CallFaults
from tests.calls.stage import JUST_END, QUESTION, TRANSPORTS, nothing_left, rehearsal

if TYPE_CHECKING:
    from trio.testing import MockClock

GREETING = Say("Hello.", 1_000)
ANSWER = Say("We are open from nine to five.", 2_000)
STORY = Say("It was a dark and stormy night.", 30_000)

both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)

QUESTION_S = len(QUESTION) / 8_000


@both
@pytest.mark.parametrize("gap_s", [8.0, 60.0])
async def test_a_gap_behind_the_callers_last_word_delays_no_answer(
    gap_s: float, transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    lossy = CallFaults(gap_after_s=5.0 + QUESTION_S + 0.02, gap_s=gap_s)
    async with nothing_left(), rehearsal(script=[GREETING, ANSWER], transports=transports) as stage:
        sim = await stage.ring(faults=lossy)
        await sim.stream_started()
        await trio.sleep(5)
        await sim.speak(QUESTION)
        said = trio.current_time()
        await sim.hears(1.0)
        assert trio.current_time() - said < 4 + 1
        assert stage.noted("frames missing")
        await trio.sleep(gap_s)
        sim.hang_up()
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.frames == sim.record.streams[0].frames_sent
        assert [line["speaker"] for line in record.transcript] == ["agent", "agent"]


async def test_a_caller_whose_network_sends_no_silence_holds_a_conversation(
    autojump_clock: MockClock,
) -> None:
    async with rehearsal(script=[GREETING, ANSWER, ANSWER]) as stage:
        sim = await stage.ring(faults=CallFaults(silence_suppressed=True))
        await sim.hears_out(0.5, 6_000)
        for _ in range(2):
            await sim.speak(QUESTION)
            said = trio.current_time()
            await sim.hears(0.5)
            assert trio.current_time() - said < 4
            await sim.silence_for(15_000)
        assert not sim.over
        assert len(stage.model.sessions) == 1


@both
async def test_a_caller_on_hold_is_still_there_after_half_a_minute(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    held = CallFaults(gap_after_s=5.0, gap_s=25.0)
    async with rehearsal(script=[GREETING, ANSWER], transports=transports) as stage:
        sim = await stage.ring(faults=held)
        await sim.stream_started()
        await trio.sleep(12)
        sim.press("5")
        await trio.sleep(19)
        await sim.speak(QUESTION)
        await sim.hears(1.0)
        assert not sim.record.errors


async def test_a_muted_caller_hears_a_long_story_to_its_end(autojump_clock: MockClock) -> None:
    async with rehearsal(script=[GREETING, STORY]) as stage:
        sim = await stage.ring(faults=CallFaults(gap_after_s=4.0 + QUESTION_S + 1.0, gap_s=120.0))
        await sim.stream_started()
        await trio.sleep(4)
        await sim.speak(QUESTION)
        await sim.hears(29.9)
        sim.hang_up()
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP


async def test_no_model_is_blamed_for_a_minute_without_frames(autojump_clock: MockClock) -> None:
    gap = CallFaults(gap_after_s=5.0 + QUESTION_S / 2, gap_s=60.0)
    async with rehearsal(script=[GREETING, ANSWER], call={"media_timeout_s": 120.0}) as stage:
        sim = await stage.ring(faults=gap)
        await sim.stream_started()
        await trio.sleep(5)
        sim.speak_nowait(QUESTION)
        await trio.sleep(70)
        assert len(stage.model.sessions) == 1
        assert not sim.over


@both
async def test_a_phone_that_reads_but_says_nothing_is_freed_within_ten_seconds(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports) as stage:
        sim = await stage.ring()
        await sim.hears(0.5)
        sim.stop_sending()
        begin = trio.current_time()
        assert (await stage.record()).reason is EndReason.STREAM_DEAD
        assert trio.current_time() - begin <= 10.1


@both
async def test_a_model_that_talks_but_answers_no_ping_lives(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    talks = Faults(ignore_pings=True)
    script = [GREETING, *[Say("A chapter.", 6_000)] * 8]
    async with rehearsal(recovery=JUST_END, transports=transports, faults=talks, script=script) as stage:
        sim = await stage.ring()
        await sim.hears(0.5)
        for _ in range(8):
            await sim.silence_for(200)
            await sim.speak(QUESTION)
            await sim.hears(6.0)
        assert trio.current_time() > 80  # forty seconds twice
        assert len(stage.model.sessions) == 1
        assert not sim.over
