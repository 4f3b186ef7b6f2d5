"""Whole calls that adopt a parked session, and the word in every record for how warm its session was."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, ConfigError, EndReason
from llcphone.phone.open import use_agent
from llcphone.phone.warm_pool import WarmHealth, WarmPool
from llcphone.sim.model import Faults, Pace
from llcphone.sim.twilio import Callee
from llcphone.testing import rehearse
from tests.calls.memory import FRAME, MemoryLeg, echo, open_memory
from tests.calls.stage import QUESTION, nothing_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trio.testing import MockClock

    from llcphone import Call, CallRecord
    from llcphone.sim.model import ModelSession
    from tests.calls.memory import MemoryStage
    from tests.calls.stage import Rehearsal

AGENT = Agent("Be brief.")
OBSERVED = Pace(first_audio_ms=200, created_ms=280, ack_delay_s=0.26)
"""As recorded on the wire (docs/vendor-facts.md, Session set-up)."""
SLOW_DOOR = Faults(handshake_delay_s=0.4)


@asynccontextmanager
async def rehearsal_with_pool(
    sessions: int, *, agent: Agent = AGENT, settle_s: float = 5.0, **how: Any
) -> AsyncIterator[Rehearsal]:
    """A stage whose pool had the time to fill."""
    own: dict[str, dict[str, Any]] = {"warm": {"sessions": sessions}, "realtime": {"dialect": "ga"}}
    async with rehearse(agent, settings=own, pace=OBSERVED, faults=SLOW_DOOR, **how) as stage:
        with trio.fail_after(10_000):  # a pool's looks never end by themselves
            await trio.sleep(settle_s)
            yield stage


def pool_of(stage: Rehearsal) -> WarmPool:
    assert stage.phone.warm is not None
    return stage.phone.warm


def kinds(session: ModelSession) -> list[str]:
    """What a session was sent, caller audio aside."""
    sent = [each.event["type"] for each in session.received]
    return [kind for kind in sent if kind != "input_audio_buffer.append"]


# -- adoption -----------------------------------------------------------------------------------


async def first_word_s(sessions: int) -> tuple[float, CallRecord]:
    """From stream start to the first audible word of the greeting, in virtual seconds."""
    async with nothing_left(), rehearsal_with_pool(sessions, script=["Good morning!"]) as stage:
        call = await stage.ring()
        began_s = trio.current_time()
        await call.hears(0.02)
        waited_s = trio.current_time() - began_s
        call.hang_up()
        return waited_s, await stage.record()


async def test_an_adopted_session_speaks_earlier_by_what_connecting_takes(autojump_clock: MockClock) -> None:
    cold_s, cold = await first_word_s(0)
    warm_s, warm = await first_word_s(2)
    assert (cold.warm, warm.warm) == ("joined", "pool")
    assert cold_s - warm_s == pytest.approx(0.4, abs=0.05)  # the slow door; the update is sent either way
    assert warm.warm_saved_ms == pytest.approx(400, abs=50)
    assert cold.warm_saved_ms <= 20  # the stream comes at once in the simulator
    assert warm.ready_after_ms == pytest.approx(260, abs=20)
    assert (warm.attempts, warm.failure) == (1, "")


async def test_adoption_is_one_update_with_the_calls_context(autojump_clock: MockClock) -> None:
    agent = Agent("Remind people of their appointment.")
    async with nothing_left(), rehearsal_with_pool(1, agent=agent, callee=Callee()) as stage:
        parked = stage.model.sessions[0]
        call = stage.phone.place_call("+15551230007", context="The appointment is at nine.")
        await parked.receives("session.update", 2)
        update = parked.events("session.update")[1]["session"]
        assert update["instructions"] == "Remind people of their appointment.\n\nThe appointment is at nine."
        await (await stage.twilio.outbound(1)).stream_started()
        assert kinds(parked)[:3] == ["session.update", "session.update", "response.create"]  # priming
        call.end()
        record = await call
        assert record.warm == "pool"
        assert record.attempts == 1
        await trio.sleep(2)
        assert parked.close_code == 1000  # by the call, whose it was
        assert pool_of(stage).health == WarmHealth(ready=1, taken=1)


async def test_an_adopted_call_goes_on_like_any_other(autojump_clock: MockClock) -> None:
    async with (
        nothing_left(),
        rehearsal_with_pool(1, script=["Good morning!", "We open at nine."]) as stage,
    ):
        call = await stage.ring()
        await call.hears_out(0.5, 500)
        await call.speak(QUESTION)
        await call.hears_out(0.5, 500)
        call.hang_up()
        record = await stage.record()
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller"]
        assert record.reason is EndReason.CALLER_HUNG_UP


async def test_a_call_with_another_agents_words_dials_for_itself(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal_with_pool(1, callee=Callee()) as stage:
        call = stage.phone.place_call("+15551230007", Agent("Somebody else."))
        await (await stage.twilio.outbound(1)).stream_started()
        call.end()
        record = await call
        assert record.warm in ("hit", "joined")
        assert pool_of(stage).health == WarmHealth(ready=1, misses=1)
        assert kinds(stage.model.sessions[0]) == ["session.update"]


# -- a parked session that was dead after all ---------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [lambda session: session.reset(), lambda session: session.close(4000), lambda session: session.expire()],
    ids=["reset", "close 4000", "expired"],
)
async def test_an_adopted_session_that_dies_before_its_answer_is_replaced_by_a_dial(
    end: Callable[[ModelSession], None], autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal_with_pool(1, script=["Good morning!"]) as stage:
        parked = stage.model.sessions[0]
        call = await stage.twilio.ring()
        await parked.receives("session.update", 2)
        end(parked)  # before its answer, which takes 260 ms
        await call.hears(0.5)
        call.hang_up()
        record = await stage.record()
        assert (record.warm, record.attempts) == ("joined", 2)
        assert pool_of(stage).health.taken == 1


async def test_a_path_that_forgot_its_sessions_costs_a_call_seconds_not_its_life(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal_with_pool(3, script=["Good morning!"]) as stage:
        for session in stage.model.sessions:
            session.stall()  # open, and never a word again
        call = await stage.ring()
        began_s = trio.current_time()
        await call.hears(0.5)
        assert trio.current_time() - began_s < 4.5
        call.hang_up()
        record = await stage.record()
        assert (record.warm, record.attempts) == ("joined", 2)
        assert pool_of(stage).health.taken == 1  # the others may be as dead: this call dials


async def test_a_session_lost_in_mid_call_is_replaced_from_the_pool(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal_with_pool(1, script=["Good morning!"]) as stage:
        first = stage.model.sessions[0]
        call = await stage.ring()
        await call.hears_out(0.5, 1000)
        second = stage.model.sessions[1]  # parked when the first was taken
        first.reset()
        await second.receives("session.update", 2)
        await trio.sleep(1)
        call.hang_up()
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert (record.warm, record.attempts) == ("pool", 2)
        assert pool_of(stage).health.taken == 2


async def test_the_record_tells_of_the_first_session_not_of_what_replaced_it(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal_with_pool(1, script=["Good morning!"]) as stage:
        pool = pool_of(stage)
        pool.agent = None
        await trio.sleep(3)
        call = await stage.ring()
        await call.hears(0.5)
        pool.agent = AGENT
        await trio.sleep(3)
        stage.model.sessions[1].reset()
        await trio.sleep(3)
        call.hang_up()
        record = await stage.record()
        assert pool.health.taken == 1
        assert (record.warm, record.attempts) == ("joined", 2)


async def test_a_redial_may_still_find_what_the_pool_has_made_meanwhile(autojump_clock: MockClock) -> None:
    """The first attempt dials (an empty pool) and fails; by the second one the pool has filled."""
    faults = [Faults(refuse_status=503), *[Faults()] * 20]
    async with nothing_left(), rehearsal_with_pool(1, settle_s=0.0, script=["Good morning!"]) as stage:
        pool = pool_of(stage)
        pool.agent = None  # nothing is parked
        await trio.sleep(3)
        stage.model.faults, stage.model.connections = faults, 0
        call = await stage.twilio.ring()
        pool.agent = AGENT
        await call.hears(0.5)
        call.hang_up()
        record = await stage.record()
        assert record.attempts >= 2
        assert record.reason is EndReason.CALLER_HUNG_UP


async def test_another_agent_gets_sessions_of_its_own_and_a_live_call_keeps_its(
    autojump_clock: MockClock,
) -> None:
    other = Agent("Be loud.", name="other")
    async with nothing_left(), rehearsal_with_pool(1, script=["Good morning!"]) as stage:
        first = await stage.ring()
        await first.hears(0.5)
        await trio.sleep(3)  # one is parked again
        use_agent(stage.phone, other)
        await trio.sleep(3)
        second = await stage.ring()
        await second.hears(0.5)
        assert [call.run.agent for call in stage.phone.calls()] == [AGENT, other]
        assert not first.over
        second.hang_up()
        record = await stage.record()
        assert (record.agent, record.warm) == ("other", "pool")
        assert pool_of(stage).health.recycled == 1
        first.hang_up()
        assert (await stage.record(2)).agent == AGENT.name


async def test_an_agent_that_cannot_be_used_changes_nothing(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal_with_pool(1) as stage:
        with pytest.raises(ConfigError, match="silnce_s"):
            use_agent(stage.phone, Agent("Be loud.", settings={"turns": {"silnce_s": 1}}))
        assert stage.phone.agent is AGENT
        assert pool_of(stage).agent is AGENT
        with pytest.raises(TypeError, match="use_agent: agent"):
            use_agent(stage.phone, "Be loud.")  # type: ignore[arg-type]


async def test_a_call_that_is_over_before_it_began_takes_nothing(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal_with_pool(1) as stage:
        stage.phone.answer({"CallSid": "CA1", "From": "anonymous", "To": "sim"})
        stage.phone.calls()[0].end()
        record = await stage.record()
        assert record.warm == "wasted"
        assert pool_of(stage).health == WarmHealth(ready=1)


# -- the stage ----------------------------------------------------------------------------------


async def test_draining_closes_the_pool_before_it_waits_for_calls(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal_with_pool(3) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.phone.drain, 20)
            await trio.sleep(3)
            assert stage.phone.live_calls == 1
            assert stage.model.live_sessions == 1  # the call's
            call.hang_up()


async def test_two_hundred_random_calls_on_a_small_pool(autojump_clock: MockClock) -> None:
    chance = random.Random(20261121)
    async with nothing_left(), rehearsal_with_pool(3, script=["Hi."]) as stage:

        async def live(chance: random.Random) -> None:
            stage.phone.answer(form := {"CallSid": f"CA{chance.random()}", "From": "anonymous", "To": "s"})
            call = next(call for call in stage.phone.calls() if call.call_sid == form["CallSid"])
            ear = MemoryLeg(echo)
            await trio.sleep(chance.choice([0.0, 0.1, 0.5]))
            if chance.random() < 0.9:
                stage.phone.join(call.token, ear)
                ear.put(*started(call))
                with trio.move_on_after(chance.choice([0.05, 0.3, 1.0])):
                    while True:
                        ear.put({"event": "media", "streamSid": "MZ1", "media": {"payload": FRAME}})
                        await trio.sleep(0.1)
            if chance.random() < 0.05 and stage.model.live_sessions:
                chance.choice([each for each in stage.model.sessions if each.is_open]).reset()
            ear.end(1000)
            call.end()

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(live, random.Random(chance.random()))  # its own: tasks run in any order
                await trio.sleep(chance.choice([0.0, 0.05, 0.3, 1.0]))
                health = pool_of(stage).health
                assert health.ready + health.dialling <= 3
        await stage.record(200)
        await trio.sleep(60)  # the pool backs off from a server that resets what it has just accepted
        health = pool_of(stage).health
        assert health.ready == 3
        assert health.taken > 50
        assert stage.model.live_sessions == 3
        words = {record.warm for record in stage.records}
        assert words >= {"pool", "wasted", "joined"}
        assert sum(record.warm == "pool" for record in stage.records) <= health.taken


def started(call: Call) -> list[dict[str, Any]]:
    start = {"streamSid": "MZ1", "callSid": call.call_sid, "accountSid": "AC1"}
    return [{"event": "connected"}, {"event": "start", "streamSid": "MZ1", "start": start}]


# -- how warm every call was --------------------------------------------------------------------


async def warmth_of(stage: MemoryStage, joins_after_s: float | None) -> tuple[str, int]:
    """A call whose stream joins so long after its birth, and what its record says."""
    call = stage.answer()
    if joins_after_s is None:
        await trio.sleep(5)
    else:
        await trio.sleep(joins_after_s)
        stage.join(call)
        await trio.sleep(9)
    await wait_all_tasks_blocked()
    call.end()
    record = await call
    return record.warm, record.warm_saved_ms


@pytest.mark.parametrize(
    ("dial_takes_s", "joins_after_s", "expected"),
    [
        (1.5, 3.0, ("hit", 1500)),
        (1.5, 1.5, ("hit", 1500)),
        (1.5, 1.0, ("joined", 1000)),
        (1.5, 0.0, ("joined", 0)),
        (4.5, 0.2, ("cold", 0)),  # 4 s after the join it begins again
        (11.0, 9.0, ("joined", 9000)),
        (99.0, 12.0, ("cold", 0)),
        (1.5, None, ("wasted", 0)),
        (99.0, None, ("wasted", 0)),
    ],
)
async def test_a_record_says_how_warm_its_session_was(
    dial_takes_s: float, joins_after_s: float | None, expected: tuple[str, int], autojump_clock: MockClock
) -> None:
    async with open_memory(dial_takes_s=dial_takes_s) as stage:
        assert await warmth_of(stage, joins_after_s) == expected
