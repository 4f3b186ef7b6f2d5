"""Outbound calls under fire: whatever Twilio, the internet and the user do at the same moment.

Three promises are looked at again and again: nobody is dialled twice, no telephone rings for nobody, and the
model leg does not outlive what is known of the call.
"""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from bench.outbound_endings import report, run_crowd
from llcphone import Agent, EndReason, open_phone
from llcphone.errors import ConfigError
from llcphone.server.run import serve
from llcphone.sim import voices
from llcphone.sim.model import Faults, Say
from llcphone.sim.twilio import CallbackFaults, Callee, CallFaults, EndedBy
from llcphone.sim.twilio.record import ALL_CALLBACKS
from llcphone.sim.twilio.rest import RestError
from llcphone.sim.twilio.rest_faults import too_many_requests, unavailable
from llcphone.testing import Rehearsal, open_stage, rehearse
from tests.calls.stage import nothing_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from llcphone import CallRecord, Phone
    from llcphone.sim.twilio import SimCall, TwilioSimulator

CALLEE = "+15551239999"
UNHEARD = CallbackFaults(lost=ALL_CALLBACKS)


def callee(**how: Any) -> Callee:
    """A party; ``callbacks`` and ``connect_delay_s`` are faults of its call."""
    faults = {name: how.pop(name) for name in ("callbacks", "connect_delay_s") if name in how}
    return Callee(**how, faults=CallFaults(**faults))


@asynccontextmanager
async def stage_for(
    party: Callee, *, agent: Agent | None = None, outbound: dict[str, Any] | None = None, **how: Any
) -> AsyncIterator[Rehearsal]:
    """A rehearsal that must leave nothing behind, and dial nobody twice for one wish."""
    settings = {"outbound": {"allow_prefixes": ["+1555"], "calls_per_second": 100.0, **(outbound or {})}}
    async with (
        nothing_left(),
        rehearse(agent or Agent("Hi."), callee=party, settings=settings, **how) as stage,
    ):
        yield stage
        assert len(stage.twilio.rest.creates) <= len(stage.records) + stage.phone.live_calls


async def converse(sim: SimCall) -> None:
    """The callee says a word, is answered, and hangs up."""
    await sim.stream_started()
    await sim.speak(voices.load("yes_please"))
    await sim.hears(0.3)
    sim.hang_up()


async def model_gone_within(stage: Rehearsal, limit_s: float, number: int = 1) -> None:
    session = await stage.session(number)
    with trio.fail_after(limit_s):
        await session.until(lambda: not session.is_open)


# -- the warm-up ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dial", ["after_ready", "at_once"])
async def test_a_late_warm_up_is_closed_and_the_cold_attempt_greets_once(
    dial: str, autojump_clock: MockClock
) -> None:
    agent = Agent("Hi.", opening="greet")
    script = [Say("Hello, this is the bakery.", 1500), Say("Never.", 1500)]
    async with stage_for(callee(), agent=agent, script=script, outbound={"dial": dial}) as stage:
        asked = [Faults()] * stage.model.connections
        stage.model.faults = [*asked, Faults(ack_delay_s=14.0), Faults()]
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await sim.hears_out(0.3, 8000)
        sim.hang_up()
        record = await call
        assert [turn["asked"] for turn in record.turns] == ["greeting"]
        assert sum(len(audio) for _, audio in sim.ear) / 8 == pytest.approx(2000, abs=40)  # the pad first
        assert record.attempts == 2
        assert not (await stage.session(1)).is_open


# -- what callbacks say, and when -------------------------------------------------------------------

ENDS = [("busy", EndReason.BUSY), ("no-answer", EndReason.NO_ANSWER), ("failed", EndReason.CALL_FAILED)]


@pytest.mark.parametrize(("outcome", "reason"), ENDS)
@pytest.mark.parametrize("seed", range(4))
async def test_callbacks_in_any_order_thrice_and_late_tell_the_same_end(
    outcome: str, reason: EndReason, seed: int, autojump_clock: MockClock
) -> None:
    mess = CallbackFaults(copies=3, scatter_s=20.0, seed=seed)
    async with stage_for(callee(outcome=outcome, callbacks=mess)) as stage:
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is reason
        await model_gone_within(stage, 1.0)
        await trio.sleep(25)  # the stragglers
        assert stage.phone.live_calls == 0


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_if_nobody_ever_says_what_became_of_the_call_a_deadline_ends_it(
    outcome: str, autojump_clock: MockClock
) -> None:
    party = callee(outcome=outcome, callbacks=UNHEARD)
    async with stage_for(party, outbound={"no_callback_limit_s": 40.0}) as stage:
        began_s = trio.current_time()
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.NO_CALLBACK
        assert trio.current_time() - began_s == pytest.approx(40, abs=1)
        await model_gone_within(stage, 1.0)


@pytest.mark.parametrize("lost", [frozenset(), frozenset({"answered"}), frozenset({"ringing", "answered"})])
async def test_a_human_who_hangs_up_before_the_stream_starts_has_hung_up(
    lost: frozenset[str], autojump_clock: MockClock
) -> None:
    party = callee(hangs_up_after_s=0.3, connect_delay_s=1.0, callbacks=CallbackFaults(lost=lost))
    async with stage_for(party) as stage:
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.duration_s < 4
        await model_gone_within(stage, 1.0)


@pytest.mark.parametrize("amd", ["async", "sync"])
async def test_a_stream_that_never_comes_after_the_answer_ends_the_call_and_the_telephone_is_hung_up(
    amd: str, autojump_clock: MockClock
) -> None:
    party = callee(connect_delay_s=1000.0, callbacks=CallbackFaults(lost=frozenset({"completed"})))
    async with stage_for(party, outbound={"amd": amd}) as stage:
        with trio.fail_after(70):
            record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.NEVER_JOINED
        with trio.fail_after(1):
            await (await stage.twilio.outbound(1)).ended()


async def test_a_call_that_rings_although_it_is_over_is_hung_up_when_its_callback_comes(
    autojump_clock: MockClock,
) -> None:
    party = callee(ring_s=60, callbacks=CallbackFaults(delay_s=20.0))
    async with stage_for(party) as stage:
        faults = stage.twilio.rest.faults
        faults.plant(on="create", hang=True, done=True)
        faults.plant(on="list", refuse=unavailable(), times=math.inf)
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        call.end()
        await call
        await trio.sleep(18)
        assert not sim.over
        with trio.fail_after(3):
            await sim.ended()


# -- create -----------------------------------------------------------------------------------------

LOST_ANSWERS: list[dict[str, Any]] = [{"hang": True}, {"reset": True}, {"refuse": unavailable()}]
LOST_IDS = ["hang", "reset", "503"]


@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=LOST_IDS)
async def test_a_stream_may_be_the_first_to_tell_that_a_create_was_taken(
    fault: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with stage_for(callee(ring_s=0.5, callbacks=UNHEARD)) as stage:
        stage.twilio.rest.faults.plant(on="create", done=True, **fault)
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await converse(sim)
        record = await call
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.call_sid == sim.sid
        assert len(stage.twilio.rest.creates) == 1


@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=LOST_IDS)
async def test_a_call_whose_create_did_not_answer_is_found_and_goes_on(
    fault: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with stage_for(callee(ring_s=25, callbacks=UNHEARD)) as stage:
        stage.twilio.rest.faults.plant(on="create", done=True, **fault)
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await trio.sleep(20)
        assert call.call_sid == sim.sid  # nobody told but Twilio's list
        await converse(sim)
        assert (await call).reason is EndReason.CALLER_HUNG_UP
        assert len(stage.twilio.rest.creates) == 1


@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=LOST_IDS)
async def test_a_create_that_never_arrived_is_not_sent_again(
    fault: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with stage_for(callee()) as stage:
        stage.twilio.rest.faults.plant(on="create", **fault)
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.DIAL_REFUSED
        assert stage.twilio.rest.requests.count(("POST", "Calls.json")) == 1
        await model_gone_within(stage, 1.0)


@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=LOST_IDS)
async def test_a_call_that_ended_while_its_create_did_not_answer_is_found_and_hung_up(
    fault: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with stage_for(callee(ring_s=60, callbacks=UNHEARD)) as stage:
        stage.twilio.rest.faults.plant(on="create", done=True, **fault)
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        call.end()
        assert (await call).reason is EndReason.CANCELLED
        with trio.fail_after(14):
            await sim.ended()


async def test_too_many_requests_is_tried_again_but_not_for_ever(autojump_clock: MockClock) -> None:
    async with stage_for(callee()) as stage:
        stage.twilio.rest.faults.plant(on="create", refuse=too_many_requests(), times=2)
        call = stage.phone.place_call(CALLEE)
        await converse(await stage.twilio.outbound(1))
        assert (await call).reason is EndReason.CALLER_HUNG_UP
        stage.twilio.rest.faults.plant(on="create", refuse=too_many_requests(), times=math.inf)
        record = await stage.phone.place_call("+15551239998")
        assert record.reason is EndReason.DIAL_REFUSED
        assert len(stage.twilio.rest.creates) == 1


async def test_a_dead_rest_api_ends_this_call_and_not_the_phone(autojump_clock: MockClock) -> None:
    async with stage_for(callee(ring_s=5, callbacks=UNHEARD)) as stage:
        faults = stage.twilio.rest.faults
        faults.plant(to=CALLEE, hang=True, done=False, times=math.inf)
        record = await stage.phone.place_call(CALLEE)
        assert record.reason in (EndReason.DIAL_REFUSED, EndReason.NO_CALLBACK)
        call = stage.phone.place_call("+15551239998")
        await converse(await stage.twilio.outbound(1))
        assert (await call).reason is EndReason.CALLER_HUNG_UP


@pytest.mark.parametrize("error", [RestError(404, 20404, "not found"), RestError(400, 21220, "wrong state")])
async def test_hanging_up_what_is_over_is_a_success(
    error: RestError, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage_for(callee(ring_s=5)) as stage:
        stage.twilio.rest.faults.plant(on="update", refuse=error, done=True, times=math.inf)
        call = stage.phone.place_call(CALLEE)
        await stage.twilio.outbound(1)
        await trio.sleep(1)
        with caplog.at_level(logging.WARNING, "llcphone"):
            call.end()
            await call
            await trio.sleep(5)
        assert caplog.records == []
        assert sum(method == "POST" for method, _ in stage.twilio.rest.requests) == 2


async def test_a_hang_up_that_failed_is_tried_again_when_the_telephone_is_heard_of(
    autojump_clock: MockClock,
) -> None:
    async with stage_for(callee(ring_s=20, connect_delay_s=5)) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await trio.sleep(1)
        stage.twilio.rest.faults.plant(on="update", refuse=unavailable(), times=3)  # all its tries
        call.end()
        await call
        await trio.sleep(10)
        assert not sim.over
        record = await sim.ended()  # somebody answers: the callback says so, and is acted on
        assert record.ended_by is EndedBy.REST


# -- the user cancels -------------------------------------------------------------------------------


async def test_a_call_cancelled_before_its_turn_is_never_dialled_and_takes_no_turn(
    autojump_clock: MockClock,
) -> None:
    async with stage_for(callee(ring_s=5), outbound={"calls_per_second": 0.2}) as stage:
        calls = {f"+155512399{n:02}": stage.phone.place_call(f"+155512399{n:02}") for n in range(4)}
        first = (await stage.twilio.outbound(1)).fields["To"]  # whose model was ready first
        began_s = trio.current_time()
        dialled, *withdrawn = [number for number in calls if number != first]
        for number in withdrawn:
            calls[number].end()
        assert (await stage.twilio.outbound(2)).fields["To"] == dialled
        assert trio.current_time() - began_s == pytest.approx(5, abs=0.5)
        for number in (first, dialled):
            calls[number].end()
        await trio.sleep(15)
        assert len(stage.twilio.rest.creates) == 2


async def test_a_call_cancelled_before_the_model_is_ready_is_never_dialled(autojump_clock: MockClock) -> None:
    async with stage_for(callee()) as stage:
        stage.model.faults = Faults(ack_delay_s=2.0)
        call = stage.phone.place_call(CALLEE)
        await trio.sleep(1)
        call.end()
        assert (await call).reason is EndReason.CANCELLED
        await trio.sleep(5)
        assert stage.twilio.rest.creates == []


@pytest.mark.parametrize("moment_s", [0.0, 0.01, 0.5, 1.5, 2.6, 3.2, 4.5, 8.0])
async def test_the_user_may_cancel_at_any_moment(moment_s: float, autojump_clock: MockClock) -> None:
    async with stage_for(callee(ring_s=3.0)) as stage:
        stage.twilio.rest.answer_delay_s = 1.0
        stage.model.faults = Faults(ack_delay_s=0.1)
        call = stage.phone.place_call(CALLEE)
        await trio.sleep(moment_s)
        call.end()
        assert (await call).reason is EndReason.CANCELLED
        await trio.sleep(3.0)
        assert stage.twilio.live_calls == 0
        assert len(stage.twilio.rest.creates) <= 1


async def test_a_call_may_wait_for_its_turn_longer_than_for_a_callback(autojump_clock: MockClock) -> None:
    slow = {"calls_per_second": 0.02, "max_concurrent": 3, "no_callback_limit_s": 40.0}
    async with stage_for(callee(outcome="busy"), outbound=slow) as stage:
        calls = [stage.phone.place_call(f"+155512399{n:02}") for n in range(3)]
        assert [(await call).reason for call in calls] == [EndReason.BUSY] * 3
        assert trio.current_time() > 100


async def test_a_call_that_could_not_be_begun_takes_no_room(autojump_clock: MockClock) -> None:
    async with stage_for(callee(), outbound={"max_concurrent": 1}) as stage:
        wrong = Agent("Hi.", settings={"turns": {"silnce_s": 1}})
        with pytest.raises(ConfigError, match="silnce_s"):
            stage.phone.place_call("+15551239998", wrong)
        call = stage.phone.place_call(CALLEE)
        await converse(await stage.twilio.outbound(1))
        assert (await call).reason is EndReason.CALLER_HUNG_UP


# -- the phone ends ---------------------------------------------------------------------------------


@asynccontextmanager
async def dying_phone(party: Callee, **outbound: Any) -> AsyncIterator[tuple[Phone, TwilioSimulator, Any]]:
    """A phone whose death is the test's: (phone, Twilio, what kills it)."""
    async with nothing_left(), open_stage(callee=party) as stage:
        config = stage.make_config({"outbound": {"calls_per_second": 100.0, **outbound}})
        with trio.CancelScope() as life:
            async with open_phone(config, Agent("Hi.")) as phone, trio.open_nursery() as nursery:
                await nursery.start(serve, phone, config)
                yield phone, stage.twilio, life
                nursery.cancel_scope.cancel()


async def test_a_phone_cancelled_while_it_rings_stops_the_ringing(autojump_clock: MockClock) -> None:
    async with dying_phone(callee(ring_s=60)) as (phone, twilio, life):
        phone.place_call(CALLEE)
        sim = await twilio.outbound(1)
        await trio.sleep(1)
        life.cancel()
    assert sim.record.ended_by is EndedBy.CANCELED
    assert sim.record.duration_ms < 3_000


@pytest.mark.parametrize("fault", [{"delay_s": 2.0}, *LOST_ANSWERS], ids=["slow", *LOST_IDS])
async def test_a_phone_cancelled_during_create_leaves_no_telephone_ringing(
    fault: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with dying_phone(callee(ring_s=60, callbacks=UNHEARD)) as (phone, twilio, life):
        twilio.rest.faults.plant(on="create", done=True, **fault)
        phone.place_call(CALLEE)
        sim = await twilio.outbound(1)
        life.cancel()
    assert sim.record.ended_by is EndedBy.CANCELED
    assert sim.record.duration_ms < 7_000
    assert len(twilio.rest.creates) == 1


async def test_a_phone_cancelled_before_a_calls_turn_dials_nobody(autojump_clock: MockClock) -> None:
    async with dying_phone(callee(ring_s=60), calls_per_second=0.1) as (phone, twilio, life):
        phone.place_call(CALLEE)
        phone.place_call("+15551239998")
        await twilio.outbound(1)
        await trio.sleep(1)
        life.cancel()
    assert len(twilio.rest.creates) == 1


@pytest.mark.parametrize("limit_s", [60.0, 3.0])
async def test_draining_lets_a_ringing_call_end_or_ends_its_ringing(
    limit_s: float, autojump_clock: MockClock
) -> None:
    async with stage_for(callee(ring_s=10, hangs_up_after_s=5)) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await stage.phone.drain(limit_s)
        record = await call
        assert record.reason is (EndReason.CALLER_HUNG_UP if limit_s > 20 else EndReason.DRAINED)
        if limit_s > 20:  # by Twilio's own stop: we are not waited for, and have nothing to hang up
            await sim.ended()
        assert sim.over


# -- machines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered_by", "machine"),
    [
        ("human", False),
        ("unknown", False),
        ("machine_start", True),
        ("machine_end_beep", True),
        ("machine_end_silence", True),
        ("machine_end_other", True),
        ("fax", True),
    ],
)
async def test_every_verdict_of_synchronous_detection_is_heard_of_with_the_webhook(
    answered_by: str, machine: bool, autojump_clock: MockClock
) -> None:
    async with stage_for(callee(answered_by=answered_by), outbound={"amd": "sync"}) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        if not machine:
            await converse(sim)
        record = await call
        await sim.ended()
        assert record.reason is (EndReason.MACHINE if machine else EndReason.CALLER_HUNG_UP)
        assert len(sim.record.streams) == (not machine)


@pytest.mark.parametrize(
    "party",
    [
        callee(answered_by="machine_end_beep", detection_s=0.1, connect_delay_s=2.0),
        callee(answered_by="machine_end_beep", callbacks=CallbackFaults(copies=3, scatter_s=2.0)),
    ],
    ids=["verdict before the stream", "verdict thrice"],
)
@pytest.mark.parametrize("amd", ["async", "sync"])
async def test_one_message_is_left_whenever_the_verdict_comes(
    party: Callee, amd: str, autojump_clock: MockClock
) -> None:
    outbound = {"amd": amd, "machine": "leave_message"}
    script = [Say("Please call us back.", 3000), Say("Never.", 3000)]
    async with stage_for(party, outbound=outbound, script=script) as stage:
        with trio.fail_after(60):
            record = await stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await sim.ended()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert sum(len(audio) for _, audio in sim.ear) / 8 == pytest.approx(3000, abs=40)


@pytest.mark.parametrize("machine", ["hang_up", "leave_message"])
async def test_a_machine_is_recognised_while_the_agent_speaks(
    machine: str, autojump_clock: MockClock
) -> None:
    agent = Agent("Hi.", opening="greet")
    script = [Say("A long greeting for nobody.", 20_000), Say("Please call us back.", 3000)]
    party = callee(answered_by="machine_end_beep")
    async with stage_for(party, agent=agent, script=script, outbound={"machine": machine}) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        record: CallRecord = await call
        heard_ms = sum(len(audio) for _, audio in sim.ear) / 8
        if machine == "hang_up":
            assert record.reason is EndReason.MACHINE
            assert heard_ms < 4500
        else:
            assert record.reason is EndReason.AGENT_HUNG_UP
            assert heard_ms == pytest.approx(4000 + 3000, abs=500)


async def test_a_verdict_that_comes_after_the_end_changes_nothing(autojump_clock: MockClock) -> None:
    party = callee(answered_by="machine_start", detection_s=1.0, callbacks=CallbackFaults(delay_s=10.0))
    async with stage_for(party) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await sim.stream_started()
        await trio.sleep(2)
        sim.hang_up()
        record = await call
        assert record.reason is EndReason.CALLER_HUNG_UP
        await trio.sleep(15)
        assert stage.records == [record]


async def test_a_verdict_that_never_comes_lets_the_call_go_on(autojump_clock: MockClock) -> None:
    party = callee(answered_by="machine_start", callbacks=CallbackFaults(lost=frozenset({"amd"})))
    async with stage_for(party) as stage:
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        await sim.stream_started()
        await trio.sleep(8)
        await converse(sim)
        assert (await call).reason is EndReason.CALLER_HUNG_UP


# -- all at once ------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_hundred_calls_of_every_fate_leave_nothing_and_dial_nobody_twice(
    autojump_clock: MockClock,
) -> None:
    """``python -m bench.outbound_endings`` does the same with 1,000 calls."""
    outcome = await run_crowd(120, seed=2026)
    assert outcome.clean, "\n".join(report(outcome))
    assert 60 < outcome.orders.total() < 120
