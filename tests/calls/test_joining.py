"""From birth to the first word: one-time tokens, early and late streams, admission, and the fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import EndReason, JoinRefused
from llcphone.sim.model import Faults
from llcphone.sim.twilio import CallFaults, EndedBy
from llcphone.twilio import twiml
from tests.calls.memory import MemoryLeg, open_memory, start
from tests.calls.stage import JUST_END, TRANSPORTS, nothing_left, rehearsal

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
    async with open_memory() as stage:
        call = stage.answer()
        assert stage.phone.expects(call.token)
        assert not stage.phone.expects("nobody")
        ear = stage.join(call)
        for token in (call.token, call.token, "nobody", ""):
            late = MemoryLeg()
            with pytest.raises(JoinRefused):
                stage.phone.join(token, late)
            assert not stage.phone.expects(token)
            assert not late.closed  # what was refused stays the giver's
        await wait_all_tasks_blocked()
        assert ear.voice_ms == 400
        call.end()


async def test_a_token_nobody_brought_ends_the_call_and_its_session(autojump_clock: MockClock) -> None:
    async with open_memory(call={"token_ttl_s": 30}) as stage:
        call = stage.answer()
        begin = trio.current_time()
        record = await call.wait()
        assert record.reason is EndReason.NEVER_JOINED
        assert trio.current_time() - begin == pytest.approx(30)
        assert stage.model.freed_at == trio.current_time()
        assert not stage.phone.expects(call.token)
        with pytest.raises(JoinRefused):
            stage.phone.join(call.token, MemoryLeg())


async def test_a_stream_may_join_in_the_very_moment_of_birth(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        ear = stage.join(call := stage.answer())  # no checkpoint between
        await wait_all_tasks_blocked()
        assert ear.voice_ms == 400
        call.end()


async def test_a_stream_that_joins_as_the_call_ends_is_closed(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        call = stage.answer()
        ear = MemoryLeg()
        stage.phone.join(call.token, ear)
        stage.calls.cancel_scope.cancel()  # before the call's tasks ran even once
        assert (await call.wait()).reason is EndReason.CANCELLED
        assert ear.freed_at is not None


async def test_a_call_that_ends_before_its_stream_joins_refuses_it(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        call = stage.answer()
        await wait_all_tasks_blocked()
        call.end()
        assert not stage.phone.expects(call.token)
        with pytest.raises(JoinRefused):
            stage.phone.join(call.token, MemoryLeg())


async def test_only_its_own_stream_starts_a_call_and_only_once(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        stranger = MemoryLeg()
        stage.phone.join((call := stage.answer()).token, stranger)
        stranger.put(*start("CA-of-another"))
        assert (await call.wait()).reason is EndReason.BAD_STREAM
        ear = stage.join(call := stage.answer())
        ear.put(*start(call.call_sid))
        assert (await call.wait()).reason is EndReason.BAD_STREAM


async def test_a_retried_webhook_gets_the_same_answer_for_as_long_as_the_call_lives(
    autojump_clock: MockClock,
) -> None:
    async with open_memory() as stage:
        call = stage.answer()
        form = {"CallSid": call.call_sid}
        assert [stage.phone.answer(form) for _ in range(3)] == [call.twiml] * 3
        await trio.sleep(1)
        stage.phone.admission.draining = True  # a retry of a call that is born already is still that call
        assert stage.phone.answer(form) == call.twiml
        assert stage.phone.live_calls == len(stage.endpoint.legs) == 1
        call.end()


# -- a stream that is earlier than the session --------------------------------------------------


def greetings(*sessions: ModelSession) -> list[int]:
    return [len(session.events("response.create")) for session in sessions]


@both
async def test_a_stream_joins_the_attempt_in_flight(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, Faults(ack_delay_s=3.5)]
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        sim = await stage.ring()
        await sim.hears(1)
        assert greetings(*stage.model.sessions) == [1]
        sim.hang_up()
        assert (await stage.record()).attempts == 1


@both
async def test_an_attempt_that_keeps_the_caller_waiting_is_replaced_once_and_greets_once(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, Faults(ack_delay_s=4.2)]  # a late session: accepted when it was given up already
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        sim = await stage.ring()
        joined_at = trio.current_time()
        first = await stage.session()
        await first.until(lambda: not first.is_open)
        assert 4 <= trio.current_time() - joined_at <= 5
        await sim.hears(1)
        await trio.sleep(5)
        assert greetings(*stage.model.sessions) == [0, 1]
        sim.hang_up()
        record = await stage.record()
        assert (record.attempts, record.reason) == (2, EndReason.CALLER_HUNG_UP)


@both
@pytest.mark.parametrize("faults", [SILENT, Faults(handshake_delay_s=60)], ids=["silent", "no handshake"])
async def test_a_caller_whom_no_session_comes_for_reaches_the_fallback_after_nine_seconds(
    faults: Faults, transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(recovery=JUST_END, transports=transports, faults=faults) as stage:
        sim = await stage.ring()
        begin = trio.current_time()
        assert (await sim.ended()).ended_by is EndedBy.HANGUP_VERB
        assert 9 <= trio.current_time() - begin <= 10.1
        record = await stage.record()
        assert (record.reason, record.attempts) == (EndReason.MODEL_UNREACHABLE, 2)


@both
async def test_a_stream_that_joins_after_the_warm_time_gets_a_cold_session(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [OWN_QUESTION, SILENT]
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        sim = await stage.twilio.ring(faults=CallFaults(connect_delay_s=15))
        begin = trio.current_time()
        first = await stage.session()
        await first.until(lambda: not first.is_open)
        assert 10 <= trio.current_time() - begin <= 11
        await sim.hears(1)
        assert trio.current_time() - begin < 17
        assert greetings(*stage.model.sessions) == [0, 1]
        sim.hang_up()
        assert (await stage.record()).attempts == 2


# -- admission and leaving ----------------------------------------------------------------------


@both
async def test_one_call_too_many_gets_the_fallback(transports: Transports, autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal(transports=transports, server={"max_calls": 1}) as stage:
        first = await stage.ring()
        second = await stage.twilio.ring()
        assert (await second.ended()).ended_by is EndedBy.REJECT_VERB
        assert second.record.documents == [twiml.busy()]
        assert stage.phone.ready() == ["at server.max_calls"]
        first.hang_up()
        await stage.record()
        third = await stage.ring()
        third.hang_up()
        await stage.record(2)


@both
async def test_a_draining_phone_takes_no_new_call_but_lets_in_the_stream_of_a_born_one(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports) as stage, trio.open_nursery() as nursery:
        born = await stage.twilio.ring(faults=CallFaults(connect_delay_s=3))
        begin = trio.current_time()
        nursery.start_soon(stage.phone.drain, 60)
        await wait_all_tasks_blocked()
        late = await stage.twilio.ring()
        assert (await late.ended()).ended_by is EndedBy.REJECT_VERB
        await born.hears(1)
        assert trio.current_time() - begin > 3
        born.hang_up()
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP


async def test_calls_that_outlast_the_drain_are_ended(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        ear = stage.join(call := stage.answer())
        begin = trio.current_time()
        await stage.phone.drain(7)
        assert trio.current_time() - begin == pytest.approx(7)
        assert (await call.wait()).reason is EndReason.DRAINED
        assert ear.freed_at is not None
