"""From birth to the first word: one-time tokens, early and late streams, admission, and the fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import EndReason, JoinRefused
from llcphone.sim.model import Faults
from llcphone.sim.phone import CallFaults, EndedBy
from llcphone.twilio import twiml
from tests.calls.house import JUST_END, TRANSPORTS, nothing_left, open_house
from tests.calls.memory import MemoryLeg, open_memory, start

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone.sim.model import ModelSession

Transports = tuple[str, str]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
SILENT = Faults(silent=True)
OWN_QUESTION = Faults()
"""The phone's first connection asks for the dialect; faults are counted by connection."""


# -- tokens -------------------------------------------------------------------------------------


async def test_a_token_is_good_once_and_a_wrong_one_never(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        call = house.answer()
        assert house.phone.expects(call.token)
        assert not house.phone.expects("nobody")
        ear = house.join(call)
        for token in (call.token, call.token, "nobody", ""):
            late = MemoryLeg()
            with pytest.raises(JoinRefused):
                house.phone.join(token, late)
            assert not house.phone.expects(token)
            assert not late.closed  # what was refused stays the giver's
        await wait_all_tasks_blocked()
        assert ear.voice_ms == 400
        call.end()


async def test_a_token_nobody_brought_ends_the_call_and_its_session(autojump_clock: MockClock) -> None:
    async with open_memory(call={"token_ttl_s": 30}) as house:
        call = house.answer()
        begin = trio.current_time()
        record = await call.wait()
        assert record.reason is EndReason.NEVER_JOINED
        assert trio.current_time() - begin == pytest.approx(30)
        assert house.model.freed_at == trio.current_time()
        assert not house.phone.expects(call.token)
        with pytest.raises(JoinRefused):
            house.phone.join(call.token, MemoryLeg())


async def test_a_stream_may_join_in_the_very_moment_of_birth(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        ear = house.join(call := house.answer())  # no checkpoint between
        await wait_all_tasks_blocked()
        assert ear.voice_ms == 400
        call.end()


async def test_a_stream_that_joins_as_the_call_ends_is_closed(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        call = house.answer()
        ear = MemoryLeg()
        house.phone.join(call.token, ear)
        house.calls.cancel_scope.cancel()  # before the call's tasks ran even once
        assert (await call.wait()).reason is EndReason.CANCELLED
        assert ear.freed_at is not None


async def test_a_call_that_ends_before_its_stream_joins_refuses_it(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        call = house.answer()
        await wait_all_tasks_blocked()
        call.end()
        assert not house.phone.expects(call.token)
        with pytest.raises(JoinRefused):
            house.phone.join(call.token, MemoryLeg())


async def test_only_its_own_stream_starts_a_call_and_only_once(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        stranger = MemoryLeg()
        house.phone.join((call := house.answer()).token, stranger)
        stranger.put(*start("CA-of-another"))
        assert (await call.wait()).reason is EndReason.BAD_STREAM
        ear = house.join(call := house.answer())
        ear.put(*start(call.call_sid))
        assert (await call.wait()).reason is EndReason.BAD_STREAM


async def test_a_retried_webhook_gets_the_same_answer_for_as_long_as_the_call_lives(
    autojump_clock: MockClock,
) -> None:
    async with open_memory() as house:
        call = house.answer()
        form = {"CallSid": call.call_sid}
        assert [house.phone.answer(form) for _ in range(3)] == [call.twiml] * 3
        await trio.sleep(1)
        house.phone.admission.draining = True  # a retry of a call that is born already is still that call
        assert house.phone.answer(form) == call.twiml
        assert house.phone.live_calls == len(house.endpoint.legs) == 1
        call.end()


# -- a stream that is earlier than the session --------------------------------------------------


def greetings(*sessions: ModelSession) -> list[int]:
    return [len(session.events("response.create")) for session in sessions]


@both
async def test_a_stream_joins_the_attempt_in_flight(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, Faults(ack_delay_s=3.5)]
    async with nothing_left(), open_house(transports=transports, faults=faults) as house:
        sim = await house.ring()
        await sim.hears(1)
        assert greetings(*house.model.sessions) == [1]
        sim.hang_up()
        assert (await house.record()).attempts == 1


@both
async def test_an_attempt_that_keeps_the_caller_waiting_is_replaced_once_and_greets_once(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, Faults(ack_delay_s=4.2)]  # a late session: accepted when it was given up already
    async with nothing_left(), open_house(transports=transports, faults=faults) as house:
        sim = await house.ring()
        joined_at = trio.current_time()
        first = await house.session()
        await first.until(lambda: not first.is_open)
        assert 4 <= trio.current_time() - joined_at <= 5
        await sim.hears(1)
        await trio.sleep(5)
        assert greetings(*house.model.sessions) == [0, 1]
        sim.hang_up()
        record = await house.record()
        assert (record.attempts, record.reason) == (2, EndReason.CALLER_HUNG_UP)


@both
@pytest.mark.parametrize("faults", [SILENT, Faults(handshake_delay_s=60)], ids=["silent", "no handshake"])
async def test_a_caller_whom_no_session_comes_for_reaches_the_fallback_after_nine_seconds(
    faults: Faults, transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_house(recovery=JUST_END, transports=transports, faults=faults) as house:
        sim = await house.ring()
        begin = trio.current_time()
        assert (await sim.ended()).ended_by is EndedBy.HANGUP_VERB
        assert 9 <= trio.current_time() - begin <= 10.1
        record = await house.record()
        assert (record.reason, record.attempts) == (EndReason.MODEL_UNREACHABLE, 2)


@both
async def test_a_stream_that_joins_after_the_warm_time_gets_a_cold_session(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, SILENT]
    async with nothing_left(), open_house(transports=transports, faults=faults) as house:
        sim = await house.twilio.ring(faults=CallFaults(connect_delay_s=15))
        begin = trio.current_time()
        first = await house.session()
        await first.until(lambda: not first.is_open)
        assert 10 <= trio.current_time() - begin <= 11
        await sim.hears(1)
        assert trio.current_time() - begin < 17
        assert greetings(*house.model.sessions) == [0, 1]
        sim.hang_up()
        assert (await house.record()).attempts == 2


# -- admission and leaving ----------------------------------------------------------------------


@both
async def test_one_call_too_many_gets_the_fallback(transports: Transports, autojump_clock: MockClock) -> None:
    async with nothing_left(), open_house(transports=transports, server={"max_calls": 1}) as house:
        first = await house.ring()
        second = await house.twilio.ring()
        assert (await second.ended()).ended_by is EndedBy.REJECT_VERB
        assert second.record.documents == [twiml.busy()]
        assert house.phone.ready() == ["at server.max_calls"]
        first.hang_up()
        await house.record()
        third = await house.ring()
        third.hang_up()
        await house.record(2)


@both
async def test_a_draining_phone_takes_no_new_call_but_lets_in_the_stream_of_a_born_one(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_house(transports=transports) as house, trio.open_nursery() as nursery:
        born = await house.twilio.ring(faults=CallFaults(connect_delay_s=3))
        begin = trio.current_time()
        nursery.start_soon(house.phone.drain, 60)
        await wait_all_tasks_blocked()
        late = await house.twilio.ring()
        assert (await late.ended()).ended_by is EndedBy.REJECT_VERB
        await born.hears(1)
        assert trio.current_time() - begin > 3
        born.hang_up()
        assert (await house.record()).reason is EndReason.CALLER_HUNG_UP


async def test_calls_that_outlast_the_drain_are_ended(autojump_clock: MockClock) -> None:
    async with open_memory() as house:
        ear = house.join(call := house.answer())
        begin = trio.current_time()
        await house.phone.drain(7)
        assert trio.current_time() - begin == pytest.approx(7)
        assert (await call.wait()).reason is EndReason.DRAINED
        assert ear.freed_at is not None
