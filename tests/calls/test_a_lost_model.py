"""Never a dead line: whole calls whose model dies, stalls, expires or refuses, over loopback sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from bench.recovery import percentile, run
from llcphone import Agent, EndReason, NotAdmitted
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Faults, Pace, Say, Stall
from llcphone.sim.twilio import CallFaults, EndedBy
from tests.calls.memory import open_memory
from tests.calls.stage import QUESTION, TRANSPORTS, nothing_left, rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from llcphone import CallRecord
    from llcphone.sim.model import ModelSession
    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

Transports = tuple[str, str]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)

HOURS = "From Tuesday to Saturday we open at noon and close at nine."
ONE_MOMENT, APOLOGY = voices.load("one_moment"), voices.load("apology")


def receptionist(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """Greets, answers, and goes on where it was told that it broke off."""
    said = " ".join(text_of(item) for item in past if item.get("role") == "assistant")
    if not said:
        return Say("Good morning!")
    answered = said.partition("Good morning!")[2].strip()
    return Say(HOURS.removeprefix(answered).strip() or "Anything else?")


def text_of(item: dict[str, Any]) -> str:
    return "".join(part.get("text") or part.get("transcript") or "" for part in item.get("content", ()))


def heard(call: SimCall, speech: bytes) -> bool:
    return any(speech in audio for _, audio in call.ear)


def told(session: ModelSession) -> list[str]:
    """What a session was told of the past: who, and the words."""
    items = [each["item"] for each in session.events("conversation.item.create")]
    return [f"{item.get('role', item['type'])}: {text_of(item)}".strip() for item in items]


def agent_words(record: CallRecord) -> str:
    return " ".join(line["text"] for line in record.transcript if line["speaker"] == "agent")


async def asked(stage: Rehearsal) -> tuple[SimCall, ModelSession]:
    """A caller who was greeted and has asked."""
    call = await stage.ring()
    session = await stage.session()
    await call.hears_out(0.3, 300)
    await call.speak(QUESTION)
    return call, session


def close_1001(session: ModelSession) -> None:
    session.close(1001)


def close_1011(session: ModelSession) -> None:
    session.close(1011)


def reset(session: ModelSession) -> None:
    session.reset()


def expire(session: ModelSession) -> None:
    session.expire()


ENDINGS = [close_1001, close_1011, reset, expire]


@both
@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_answer_goes_on_whatever_ended_the_session_in_its_middle(
    ending: Callable[[ModelSession], None], transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=receptionist, transports=transports) as stage:
        call, session = await asked(stage)
        await call.hears(0.6)
        ending(session)
        await call.hears_out(2.5, 500)
        call.hang_up()
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert agent_words(record) == f"Good morning! {HOURS}"
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller", "resume"]
        (gap,) = record.gaps
        assert (gap["owed"], gap["attempts"]) == ("rest of an answer", 1)
        assert gap["spoke_ms"] - gap["at_ms"] < 500
        assert not heard(call, ONE_MOMENT)  # what had been sent played on meanwhile
        assert call.record.error_codes == []


async def test_the_next_session_is_told_what_was_heard_the_callers_turn_as_audio(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal(script=receptionist) as stage:
        call, session = await asked(stage)
        await call.hears(0.3)
        session.reset()
        fresh = await stage.session(2)
        await fresh.receives("response.create")
        past = told(fresh)
        assert past[0] == "assistant: Good morning!"
        assert past[1] == "user:"
        assert HOURS.startswith(past[2].removeprefix("assistant: "))
        assert past[3].startswith("system: The line broke")
        assert len(past) == 4
        created = [each["item"] for each in fresh.events("conversation.item.create")]
        assert created[1]["content"][0]["type"] == "input_audio"
        assert not any(each.event["type"] == "error" for each in fresh.received)
        call.hang_up()
        await stage.record()


@both
async def test_a_turn_that_was_being_spoken_reaches_the_next_session_whole_and_is_answered_once(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=receptionist, transports=transports) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 300)
        call.speak_nowait(QUESTION)
        await trio.sleep(2.0)
        session.reset()
        fresh = await stage.session(2)
        await fresh.until(lambda: fresh.responses)
        assert QUESTION in fresh.received_audio
        await call.hears_out(2.0, 500)
        call.hang_up()
        record = await stage.record()
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller"]
        assert record.gaps[0]["owed"] == "nothing"
        assert agent_words(record) == f"Good morning! {HOURS}"


@both
async def test_a_quiet_session_is_replaced_without_a_word(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=receptionist, transports=transports) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 1_000)
        session.reset()
        await trio.sleep(3)
        assert call.playout.voiced(call.log.now) == stage.model.sessions[0].items[1].generated_ms * 8
        assert stage.model.sessions[1].events("response.create") == []
        await call.speak(QUESTION)
        await call.hears(1.0)
        call.hang_up()
        assert (await stage.record()).gaps[0]["spoke_ms"] is None


async def test_a_session_that_falls_silent_while_an_answer_is_due_is_replaced_and_the_gap_is_filled(
    autojump_clock: MockClock,
) -> None:
    def script(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        return Stall() if turn == 2 else receptionist(turn, past, tools)

    pace = Pace(first_audio_ms=1_600)
    async with nothing_left(), rehearsal(script=script, pace=pace) as stage:
        call, session = await asked(stage)
        await session.until(lambda: len(session.responses) > 1)
        begin = call.log.now_ms
        await call.hears(0.05)
        assert 4_000 <= call.log.now_ms - begin <= 4_200  # the watchdog, and the filler at once
        await call.silence_for(500)
        assert heard(call, ONE_MOMENT)
        call.hang_up()
        record = await stage.record()
        assert (record.gaps[0]["cause"], record.gaps[0]["owed"]) == ("stalled", "answer")
        assert agent_words(record) == f"Good morning! {HOURS}"


async def test_a_session_that_goes_deaf_in_the_callers_turn_is_replaced_and_the_turn_answered(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal(script=receptionist) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 300)
        call.speak_nowait(QUESTION)
        await trio.sleep(1)
        session.stall()
        fresh = await stage.session(2)
        await fresh.until(lambda: fresh.responses)
        assert QUESTION in fresh.received_audio
        await call.hears(1)
        call.hang_up()
        record = await stage.record()
        assert record.gaps[0]["cause"] == "long turn"
        assert "no pause for 15 s, model session replaced" in record.attention
        assert "model lost" not in record.attention


async def test_a_slow_replacement_is_bridged_by_the_filler_within_half_a_second(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal(script=receptionist) as stage:
        call, session = await asked(stage)
        stage.model.faults = Faults(handshake_delay_s=2.5)
        await session.until(lambda: len(session.responses) > 1)
        await trio.sleep(0.01)  # a reset destroys what is still on its way
        session.reset()
        begin = call.log.now_ms
        await call.hears(0.01)
        assert 300 <= call.log.now_ms - begin <= 500
        await trio.sleep(6)
        assert heard(call, ONE_MOMENT)
        call.hang_up()
        record = await stage.record()
        assert [line["text"] for line in record.transcript if line["speaker"] == "system"] == ["(filler)"]
        assert HOURS.split()[0] in agent_words(record)


@both
async def test_a_tool_that_outlives_its_session_answers_the_next_one_once(
    transports: Transports, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")
    runs: list[str] = []

    @agent.tool(lean=True)
    async def look_up() -> str:
        runs.append("once")
        await trio.sleep(1.5)
        return "noon"

    def script(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        if past and past[-1]["type"] == "function_call_output":
            return Say("At noon.")
        return CallTool("look_up") if any(text_of(item) for item in past[1:]) else Say("Good morning!")

    async with (
        nothing_left(),
        rehearsal(script=script, agent=agent, transports=transports) as stage,
    ):
        call, session = await asked(stage)
        await session.until(lambda: any(item.type == "function_call" for item in session.items))
        await trio.sleep(0.5)
        session.reset()
        await call.hears_out(0.3, 500)
        fresh = stage.model.sessions[1]
        kinds = [item.type for item in fresh.items if item.type != "message"]
        assert kinds == ["function_call", "function_call_output"]
        assert runs == ["once"]
        call.hang_up()
        assert "At noon." in agent_words(await stage.record())


@both
async def test_a_model_that_cannot_be_had_again_is_apologised_for_and_the_call_ends(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=receptionist, transports=transports) as stage:
        call, session = await asked(stage)
        await call.hears(0.3)
        stage.model.faults = Faults(refuse_status=503)
        session.reset()
        begin = trio.current_time()
        ended = await call.ended()
        assert trio.current_time() - begin < 8 + len(APOLOGY) / 8_000 + 2
        assert ended.ended_by is EndedBy.HANGUP_VERB
        assert heard(call, APOLOGY)
        record = await stage.record()
        assert record.reason is EndReason.MODEL_LOST
        (gap,) = record.gaps
        assert gap["restored_ms"] is None
        assert gap["attempts"] > 3


@both
@pytest.mark.parametrize("status", [401, 503])
async def test_a_caller_whom_no_session_comes_for_hears_an_apology(
    status: int, transports: Transports, autojump_clock: MockClock
) -> None:
    faults = Faults(refuse_status=status)
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        call = await stage.ring()
        assert (await call.ended()).ended_by is EndedBy.HANGUP_VERB
        assert heard(call, APOLOGY)
        record = await stage.record()
        expected = EndReason.MODEL_REFUSED if status == 401 else EndReason.MODEL_UNREACHABLE
        assert record.reason is expected
        assert record.gaps == ()


async def test_a_session_lost_while_the_phone_rings_is_replaced_before_anybody_notices(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal(script=receptionist) as stage:
        call = await stage.twilio.ring(faults=CallFaults(connect_delay_s=3))
        session = await stage.session()
        await session.until(lambda: session.responses and not session.active)
        session.reset()
        await call.stream_started()
        await call.hears_out(0.5, 500)
        call.hang_up()
        record = await stage.record()
        assert agent_words(record) == "Good morning!"
        assert len(record.gaps) == 1


# -- the breaker --------------------------------------------------------------------------------


async def test_calls_get_the_fallback_at_once_while_no_model_can_be_had(autojump_clock: MockClock) -> None:
    faults = Faults(refuse_status=503)
    breaker, recovery = {"failures": 4}, {"apology_file": "off"}
    async with (
        nothing_left(),
        rehearsal(script=receptionist, faults=faults, breaker=breaker, recovery=recovery) as stage,
    ):
        first = await stage.twilio.ring()
        await first.ended()
        assert stage.phone.endpoints.is_open
        assert stage.phone.ready() == ["no model session can be opened"]
        begin = trio.current_time()
        second = await stage.twilio.ring()
        assert (await second.ended()).ended_by is EndedBy.REJECT_VERB
        assert trio.current_time() - begin < 0.2
        assert len(stage.records) == 1  # no call was born
        stage.model.faults = Faults()
        await trio.sleep(5.1)
        assert stage.phone.ready() == []
        third = await stage.ring()
        await third.hears(0.3)
        third.hang_up()
        assert (await stage.record(2)).reason is EndReason.CALLER_HUNG_UP
        assert stage.phone.endpoints.times_opened == 1


async def test_no_call_is_placed_while_no_model_can_be_had(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        for _ in range(5):
            stage.phone.endpoints.breakers[0]._failed()
        with pytest.raises(NotAdmitted, match="no model session can be opened"):
            stage.phone.admission.check()


async def test_failures_far_apart_or_with_a_session_between_them_do_not_open_the_breaker(
    autojump_clock: MockClock,
) -> None:
    async with open_memory() as stage:
        breaker = stage.phone.endpoints.breakers[0]
        for _ in range(8):
            breaker._failed()
            await trio.sleep(10)
        assert not breaker.is_open
        await trio.sleep(31)
        for _ in range(4):
            breaker._failed()
        call = stage.answer()
        stage.join(call)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(4):
            breaker._failed()
        assert not breaker.is_open
        call.end()


# -- random moments -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pool", [False, True], ids=["cold", "with a pool"])
async def test_at_random_cut_points_nothing_is_lost_or_repeated(
    pool: bool, autojump_clock: MockClock
) -> None:
    """``python -m bench.recovery`` does the same at 200."""
    outcomes = await run(8, seed=11, pool=pool)
    assert [each.wrong for each in outcomes if each.wrong] == []
    talking = [each.talking_ms for each in outcomes if each.talking_ms is not None]
    assert len(talking) >= 4
    assert percentile(talking, 0.95) <= (1_500 if pool else 3_000)
