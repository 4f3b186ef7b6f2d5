"""What either far side may do to a call, over loopback sockets: how it ends, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason, open_phone
from llcphone.sim.model import Faults, Say, open_model
from llcphone.sim.twilio import CallFaults, EndedBy
from llcphone.wire.leg import LegLimits
from tests.calls.stage import (
    JUST_END,
    TRANSPORTS,
    make_config,
    nothing_left,
    rehearsal,
    serve_phone,
    tasks_below,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

Transports = tuple[str, str]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)

SLOW_FRAMES = CallFaults(frame_ms=200)
"""A caller whose silence is cheap to simulate."""


# -- the phone leg ------------------------------------------------------------------------------


@both
async def test_a_phone_that_has_vanished_is_freed_within_ten_seconds(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports) as stage:
        sim = await stage.ring()
        session = await stage.session()
        await sim.hears(0.5)
        sim.vanish()
        begin = trio.current_time()
        record = await stage.record()
        assert record.reason is EndReason.STREAM_DEAD
        assert trio.current_time() - begin <= 10.1
        assert not session.is_open


@both
async def test_a_phone_that_stops_reading_is_given_up_and_no_other_call_notices(
    transports: Transports, autojump_clock: MockClock
) -> None:
    script = [Say("A very long story.", 180_000)]
    async with nothing_left(), rehearsal(script=script, transports=transports) as stage:
        other = await stage.ring(faults=SLOW_FRAMES)
        sim = await stage.ring(faults=SLOW_FRAMES)
        call = stage.phone.calls()[1]
        nursery = call.run._core._nursery
        assert nursery is not None
        await sim.hears(0.5)
        sim.stop_reading()
        if transports[1] == "fast":
            while "flush" not in tasks_below(nursery):  # noqa: ASYNC110 (no kernel tells when it is full)
                await trio.sleep(0.1)
        else:
            await trio.sleep(2)
        begin = trio.current_time()
        record = await stage.record()
        assert record.reason is EndReason.PHONE_LOST
        assert trio.current_time() - begin < LegLimits().stall_timeout_s + 1.5
        assert not tasks_below(nursery)
        await trio.sleep(1)
        other.hang_up()
        record = await stage.record(2)
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.frames == other.record.streams[0].frames_sent


@both
async def test_a_stream_of_another_call_is_no_stream_of_ours(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports) as stage:
        sim = await stage.ring(faults=CallFaults(wrong_call_sid=True))
        assert (await stage.record()).reason is EndReason.BAD_STREAM
        assert (await sim.ended()).ended_by is EndedBy.HANGUP_VERB


@both
async def test_a_stream_that_never_starts_ends_the_call(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports) as stage:
        await stage.twilio.ring(faults=CallFaults(no_start=True))
        begin = trio.current_time()
        assert (await stage.record()).reason is EndReason.START_TIMEOUT
        assert trio.current_time() - begin < stage.config.call.start_timeout_s + 1


async def test_a_webhook_sent_twice_is_one_call(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal() as stage:
        sim = await stage.ring(faults=CallFaults(repeat_webhook=True))
        assert len(sim.record.requests) == 2
        assert stage.phone.live_calls == 1
        sim.hang_up()
        await stage.record()
        assert len(stage.model.sessions) == 1


async def test_a_token_opens_one_stream_and_no_second(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal() as stage:
        sim = await stage.ring()
        thief = await stage.twilio.ring(twiml=sim.record.documents[0])
        assert (await thief.ended()).error_codes == [31920]  # HTTP 403 instead of an upgrade
        await sim.hears(0.5)
        assert stage.phone.connections["stream"] == 1
        sim.hang_up()
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP


# -- the model leg ------------------------------------------------------------------------------


@both
async def test_a_model_that_says_nothing_and_answers_no_ping_is_freed_within_forty_seconds(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with (
        nothing_left(),
        rehearsal(recovery=JUST_END, transports=transports, faults=Faults(ignore_pings=True)) as stage,
    ):
        sim = await stage.ring(faults=SLOW_FRAMES)
        await sim.hears_out(0.5, 500)
        (await stage.session()).stall()  # else its own pings prove that it lives
        begin = trio.current_time()
        record = await stage.record()
        assert record.reason is EndReason.MODEL_LOST
        assert trio.current_time() - begin <= 40.1


@both
async def test_a_model_that_answers_no_close_delays_nothing_longer_than_a_second(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = Faults(never_answer_close=True)
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        sim = await stage.ring()
        await sim.hears(0.5)
        sim.hang_up()
        begin = trio.current_time()
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP
        assert trio.current_time() - begin <= 1.05


@both
@pytest.mark.parametrize("code", [1001, 1011, 0], ids=["1001", "1011", "reset"])
async def test_a_model_leg_lost_in_mid_call_ends_it_and_the_caller_reaches_the_fallback(
    code: int, transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(recovery=JUST_END, transports=transports) as stage:
        sim = await stage.ring()
        session = await stage.session()
        await sim.hears(0.5)
        if code:
            session.close(code)
        else:
            session.reset()
        begin = trio.current_time()
        assert (await stage.record()).reason is EndReason.MODEL_LOST
        assert trio.current_time() - begin <= 1.05
        assert (await sim.ended()).ended_by is EndedBy.HANGUP_VERB


@both
@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_that_no_retry_mends_ends_the_call_at_once(
    status: int, transports: Transports, autojump_clock: MockClock
) -> None:
    async with (
        nothing_left(),
        rehearsal(recovery=JUST_END, transports=transports, faults=Faults(refuse_status=status)) as stage,
    ):
        begin = trio.current_time()
        sim = await stage.twilio.ring()
        record = await stage.record()
        assert (record.reason, record.failure) == (EndReason.MODEL_REFUSED, f"http_{status}")
        assert record.attempts == 1
        await sim.ended()
        assert trio.current_time() - begin < 1


@both
@pytest.mark.parametrize("status", [429, 503])
async def test_an_endpoint_that_is_busy_is_asked_again_until_the_caller_has_waited_long_enough(
    status: int, transports: Transports, autojump_clock: MockClock
) -> None:
    async with (
        nothing_left(),
        rehearsal(recovery=JUST_END, transports=transports, faults=Faults(refuse_status=status)) as stage,
    ):
        begin = trio.current_time()
        sim = await stage.twilio.ring()
        record = await stage.record()
        assert (record.reason, record.failure) == (EndReason.MODEL_UNREACHABLE, f"http_{status}")
        assert record.attempts > 2
        assert (await sim.ended()).ended_by is EndedBy.HANGUP_VERB
        assert (
            9 <= trio.current_time() - begin <= 9.5
        )  # 4 s more for the attempt in flight, 5 s for a cold one


@both
async def test_an_endpoint_that_was_busy_for_a_moment_costs_a_moment(
    transports: Transports, autojump_clock: MockClock
) -> None:
    faults = [Faults(), Faults(refuse_status=503)]  # the first connection was the phone's own question
    async with nothing_left(), rehearsal(transports=transports, faults=faults) as stage:
        begin = trio.current_time()
        sim = await stage.ring()
        await sim.hears(0.5)
        assert trio.current_time() - begin < 1.5
        sim.hang_up()
        assert (await stage.record()).attempts == 2


@both
@pytest.mark.parametrize("code", ["unknown_parameter", "invalid_value"])
async def test_a_refused_session_update_ends_the_call(
    code: str, transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(transports=transports, faults=Faults(refuse_update=code)) as stage:
        await stage.twilio.ring()
        record = await stage.record()
        assert (record.reason, record.failure) == (EndReason.MODEL_REFUSED, code)


@both
@pytest.mark.parametrize(
    ("realtime", "code"),
    [({"dialect": "flat"}, "beta_api_shape_disabled"), ({"api_key": "sk-wrong"}, "invalid_api_key")],
    ids=["beta shape, close 4000", "wrong key, close 3000"],
)
async def test_an_endpoint_that_refuses_behind_its_handshake_ends_the_call(
    realtime: dict[str, str], code: str, transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_model(key="sk-right") as model:
        realtime = {"dialect": "ga", "api_key": "sk-right", **realtime}
        async with serve_phone(make_config(model.url, transports, realtime=realtime)) as line:
            sim = await line.twilio.ring()
            await sim.ended()
            (record,) = line.records
            assert (record.reason, record.failure, record.attempts) == (EndReason.MODEL_REFUSED, code, 1)
            assert model.sessions == []


# -- the dialect --------------------------------------------------------------------------------


@both
async def test_twenty_calls_at_once_ask_for_the_dialect_once(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_model("ga") as model:
        model.faults = Faults(handshake_delay_s=0.3)
        config = make_config(model.url, transports, realtime={"dialect": "auto"})
        async with serve_phone(config) as line:
            sims = [line.twilio.ring_nowait(faults=SLOW_FRAMES) for _ in range(20)]
            for sim in sims:
                await sim.heard_audio(200)
                sim.hang_up()
                await sim.ended()
        assert model.refusals == ["beta_api_shape_disabled"]
        assert {record.reason for record in line.records} == {EndReason.CALLER_HUNG_UP}
        assert {record.dialect for record in line.records} == {"ga"}
        assert len(line.records) == 20


async def test_a_call_that_is_born_before_the_phone_asked_asks_for_it(autojump_clock: MockClock) -> None:
    async with nothing_left(), open_model("ga") as model:
        config = make_config(model.url, realtime={"dialect": "auto"})
        async with open_phone(config, Agent("Be brief.")) as phone:
            for number in range(20):  # no checkpoint since the phone was opened
                phone.answer({"CallSid": f"CA{number}"})
            await phone.endpoints.first.accepted.wait()
            await trio.sleep(1)
            assert {call.run.status.model_ready for call in phone.calls()} == {True}
            for call in phone.calls():
                call.end()
        assert model.refusals == ["beta_api_shape_disabled"]
