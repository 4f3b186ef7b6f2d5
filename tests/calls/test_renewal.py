"""Whole calls whose session ends in the middle of them, as every session does: nobody hears it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.call import setup_limits
from llcphone.sim.model import CallTool, Faults, ModelScript, Pace, Say
from tests.calls.stage import INTERRUPTION, QUESTION, TRANSPORTS, nothing_left, rehearsal, task_names
from tests.calls.test_a_lost_model import HOURS, ONE_MOMENT, agent_words, heard, receptionist, text_of, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from llcphone.sim.model import ModelSession
    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

Transports = tuple[str, str]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)

LIFE_S = 40.0
DUE_S = 30.0
"""A quarter of so short a life is margin."""
SHORT = [Faults(), Faults(expire_after_s=LIFE_S)]
"""The call's first session ends early (the one before it asked for the dialect); the next live an hour."""
WRITTEN = {"transcription_model": "gpt-4o-transcribe"}


def words(*hears: str) -> ModelScript:
    return ModelScript(receptionist, hears=hears)


async def legs_over_time(stage: Rehearsal, seen: dict[float, int]) -> None:
    """Look at the live sessions every 10 ms."""
    while True:
        seen[trio.current_time()] = stage.model.live_sessions
        await trio.sleep(0.01)


def kinds(session: ModelSession) -> set[str]:
    return {each.event["type"] for each in session.received}


LEAD_IN = 8 * 1_500
"""The last moments of the caller, told to both sessions."""


@asynccontextmanager
async def short_life(*hears: str, **how: Any) -> AsyncIterator[tuple[Rehearsal, SimCall, ModelSession]]:
    """A call that was greeted, on a session that ends after ``LIFE_S``; nothing may outlive it, or hang."""
    with trio.fail_after(200):
        settings: dict[str, Any] = {"script": words(*hears), "faults": SHORT} | how
        async with nothing_left(), rehearsal(**settings) as stage:
            call = await stage.ring()
            session = await stage.session()
            await call.hears_out(0.3, 300)
            yield stage, call, session


async def told_of_the_past(session: ModelSession) -> None:
    """The successor is the present session: it hears the caller."""
    await session.until(lambda: session.received_audio)


@both
async def test_a_call_outlives_its_session_and_nothing_is_lost_or_said_twice(
    transports: Transports, autojump_clock: MockClock
) -> None:
    turns = ("When are you open?", "Yes please.")
    async with short_life(*turns, transports=transports, realtime=WRITTEN) as (stage, call, first):
        await call.speak(QUESTION)
        await call.hears_out(0.5, 1_000)
        second = await stage.session(2)
        await told_of_the_past(second)
        await trio.sleep(LIFE_S - DUE_S + 5)  # the first would have ended by now
        assert stage.model.live_sessions == 1
        await call.speak(INTERRUPTION)
        await call.hears_out(0.3, 500)
        call.hang_up()
        record = await stage.record()
    # The model's side: what was heard was told, and nothing was asked for.
    past = ["assistant: Good morning!", "user: When are you open?", f"assistant: {HOURS}"]
    assert told(second) == past
    assert second.events("response.create") == []
    # The caller's side: each frame reached one of them, in order.
    before, after = first.received_audio, second.received_audio
    assert before[-LEAD_IN:] == after[:LEAD_IN]
    assert QUESTION in before
    assert INTERRUPTION in after
    sent = 160 * (record.frames - record.frames_held_back)
    assert len(before) + len(after) - LEAD_IN == sent
    # The ear: every word once, in order, and no other sound.
    assert agent_words(record) == f"Good morning! {HOURS} Anything else?"
    assert [turn["asked"] for turn in record.turns] == ["greeting", "caller", "caller"]
    assert not heard(call, ONE_MOMENT)
    assert record.reason is EndReason.CALLER_HUNG_UP
    (gap,) = record.gaps
    assert (gap["kind"], gap["cause"], gap["outcome"]) == ("planned", "limit", "switched")
    assert (gap["attempts"], gap["gap_ms"], gap["spoke_ms"]) == (1, 0, None)
    assert call.record.error_codes == []


async def test_two_legs_live_only_while_a_successor_stands_by(autojump_clock: MockClock) -> None:
    async with short_life(realtime=WRITTEN) as (stage, call, _):
        legs: dict[int, float] = {}
        while len(stage.model.sessions) < 2 or stage.model.live_sessions == 2:
            readers = task_names()["openai reader"]
            legs[readers] = legs.get(readers, 0.0) + 0.01
            await trio.sleep(0.01)
        assert set(legs) == {1, 2}
        assert 0.4 < legs[2] < 0.7  # the quiet half second
        assert task_names()["openai reader"] == 1
        call.hang_up()
        await stage.record()


@pytest.mark.parametrize("early_ms", range(0, 1_000, 150))
async def test_a_word_begun_about_the_moment_of_the_switch_is_heard_whole_and_answered_once(
    early_ms: int, autojump_clock: MockClock
) -> None:
    begun = trio.current_time()
    async with short_life("Hm.", realtime=WRITTEN) as (stage, call, first):
        await trio.sleep_until(begun + DUE_S + 0.5 - early_ms / 1000)
        await call.speak(QUESTION)
        await call.hears_out(0.5, 2_000)
        second = await stage.session(2)
        assert QUESTION in first.received_audio or QUESTION in second.received_audio
        call.hang_up()
        record = await stage.record()
    assert [turn["asked"] for turn in record.turns] == ["greeting", "caller"]
    assert agent_words(record) == f"Good morning! {HOURS}"


@both
async def test_a_session_that_ends_in_mid_answer_is_followed_at_once_by_the_one_that_stands_by(
    transports: Transports, autojump_clock: MockClock
) -> None:
    begun, slow = trio.current_time(), Pace(speed=1.5)
    settings = {"transports": transports, "pace": slow, "realtime": WRITTEN}
    async with short_life("When?", **settings) as (stage, call, first):
        await trio.sleep_until(begun + DUE_S - 5)
        await call.speak(QUESTION)
        second = await stage.session(2)  # the answer is being spoken when the session is due
        await second.until(lambda: second.events("session.update"))
        await trio.sleep(0.2)
        assert first.active
        first.expire()
        await call.hears_out(1.0, 800)
        call.hang_up()
        record = await stage.record()
    lost = [gap for gap in record.gaps if gap["kind"] == "lost"]
    assert [gap["cause"] for gap in lost] == ["session_expired"]
    assert (lost[0]["owed"], lost[0]["gap_ms"], lost[0]["attempts"]) == ("rest of an answer", 0, 0)
    assert lost[0]["spoke_ms"] - lost[0]["at_ms"] <= 300
    assert [gap["outcome"] for gap in record.gaps if gap["kind"] == "planned"] == ["took over"]
    assert agent_words(record) == f"Good morning! {HOURS}"


async def test_successors_that_fail_cost_the_call_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_limits, "RENEWAL_TRIES", 2)
    async with short_life(realtime=WRITTEN) as (stage, call, first):
        stage.model.faults = Faults(refuse_status=503)
        await trio.sleep(DUE_S + 5)
        assert first.is_open
        stage.model.faults = Faults()
        fresh = await stage.session(2)  # the ordinary way, once the first has ended
        await told_of_the_past(fresh)
        call.hang_up()
        record = await stage.record()
    planned, lost = record.gaps
    assert (planned["outcome"], planned["attempts"]) == ("given up", 2)
    assert (lost["cause"], lost["outcome"]) == ("session_expired", "restored")


async def test_words_nobody_wrote_down_are_told_as_the_summary_the_old_session_made(
    autojump_clock: MockClock,
) -> None:
    script = ModelScript(receptionist, out_of_band=Say("The caller asked for the hours."))
    async with short_life(script=script) as (stage, call, first):
        await call.speak(QUESTION)
        await call.hears_out(0.5, 1_000)
        second = await stage.session(2)
        await told_of_the_past(second)
        aside = [each["response"] for each in first.events("response.create") if "response" in each]
        assert [each["metadata"] for each in aside if each.get("conversation")] == [{"llcphone": "summary"}]
        past = told(second)
        assert past[0].startswith("system: ")
        assert past[0].endswith("The caller asked for the hours.")
        assert past[1:] == ["assistant: Good morning!", f"assistant: {HOURS}"]
        call.hang_up()
        record = await stage.record()
    assert agent_words(record) == f"Good morning! {HOURS}"
    assert call.record.error_codes == []


async def test_a_refresh_by_age_takes_a_parked_session_and_keeps_the_last_turn(
    autojump_clock: MockClock,
) -> None:
    renewal = {"refresh_at_age_s": 20.0, "keep_turns": 1}
    settings = {"renewal": renewal, "warm": {"sessions": 1}, "realtime": WRITTEN, "faults": None}
    script = ModelScript(receptionist, out_of_band=Say("They were greeted."), hears=("When?",))
    async with short_life(script=script, **settings) as (stage, call, _):
        await call.speak(QUESTION)
        await call.hears_out(0.5, 1_000)
        pool = stage.phone.warm
        assert pool is not None
        taken = pool.health.taken
        await trio.sleep(20)
        assert [note.kind for _, note in stage.notes].count("model renewed") == 1
        assert pool.health.taken == taken + 1
        call.hang_up()
        record = await stage.record()
    assert [(gap["cause"], gap["outcome"]) for gap in record.gaps] == [("age", "switched")]


async def test_a_tool_that_runs_when_the_session_is_due_answers_the_session_that_called_it(
    autojump_clock: MockClock,
) -> None:
    agent = Agent("Be brief.")

    @agent.tool(lean=True, timeout_s=60)
    async def look_up() -> str:
        await trio.sleep(24)  # until after the session is due
        return "noon"

    def script(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        if past and past[-1]["type"] == "function_call_output":
            return Say("At noon.")
        return CallTool("look_up") if any(text_of(item) for item in past[1:]) else Say("Good morning!")

    async with short_life(script=script, agent=agent, realtime=WRITTEN) as (stage, call, first):
        await call.speak(QUESTION)
        second = await stage.session(2)
        await told_of_the_past(second)
        outputs = [each["item"]["type"] for each in first.events("conversation.item.create")]
        assert outputs.count("function_call_output") == 1
        kinds = [item.type for item in second.items if item.type != "message"]
        assert kinds == ["function_call", "function_call_output"]
        call.hang_up()
        assert "At noon." in agent_words(await stage.record())
