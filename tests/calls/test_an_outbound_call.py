"""Whole outbound calls over loopback sockets: Twilio's REST API, callbacks and media included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.errors import DialRefused
from llcphone.sim import voices
from llcphone.sim.model import Faults, Say
from llcphone.sim.twilio import Callee
from llcphone.sim.twilio.rest import RestError
from llcphone.testing import rehearse
from tests.calls.stage import nothing_left

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

CALLEE = "+15551239999"


async def test_a_callee_answers_speaks_first_and_is_answered(autojump_clock: MockClock) -> None:
    agent = Agent("Confirm the appointment.")
    async with nothing_left(), rehearse(agent, script=["Your table is booked."], callee=Callee()) as stage:
        call = stage.phone.place_call(CALLEE, context="The table is for two.")
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears_out(0.5, 300)
        callee.hang_up()
        record = await call
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.call_sid == callee.sid
        assert [turn["asked"] for turn in record.turns] == ["caller"]
        session = await stage.session()
        assert session.config["instructions"].endswith("The table is for two.")
        assert record.ready_after_ms is not None
        assert record.started_after_ms is not None
        assert record.ready_after_ms < record.started_after_ms


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("busy", EndReason.BUSY),
        ("no-answer", EndReason.NO_ANSWER),
        ("failed", EndReason.CALL_FAILED),
    ],
)
async def test_the_model_leg_closes_within_a_second_of_knowing_that_nobody_answered(
    outcome: str, reason: EndReason, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee(outcome=outcome)) as stage:
        call = stage.phone.place_call(CALLEE)
        record = await call
        assert record.reason is reason
        session = await stage.session()
        ended_s = trio.current_time()
        await session.until(lambda: not session.is_open)
        assert trio.current_time() - ended_s <= 1.0
        assert len(stage.twilio.calls) == 1


async def test_the_phone_rings_only_when_the_model_is_ready(autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Hi."), callee=Callee()) as stage:
        stage.model.faults = Faults(ack_delay_s=3.0)
        call = stage.phone.place_call(CALLEE)
        await trio.sleep(2.5)
        assert stage.twilio.calls == []
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        callee.hang_up()
        record = await call
        assert record.ready_after_ms == pytest.approx(3000, abs=100)


async def test_dialling_at_once_rings_while_the_model_is_made_ready(autojump_clock: MockClock) -> None:
    settings = {"outbound": {"dial": "at_once", "allow_prefixes": ["+1555"]}}
    async with rehearse(Agent("Hi."), callee=Callee(ring_s=1.0), settings=settings) as stage:
        stage.model.faults = Faults(ack_delay_s=2.0)
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))  # kept until the session is ready
        await callee.hears(0.3)
        callee.hang_up()
        record = await call
        assert record.started_after_ms is not None
        assert record.ready_after_ms is not None
        assert record.started_after_ms < record.ready_after_ms
        assert record.attempts == 1


async def test_a_warm_up_that_fails_is_replaced_by_one_cold_attempt(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee()) as stage:
        asked = [Faults()] * stage.model.connections  # the phone's own question came first
        stage.model.faults = [*asked, Faults(silent=True), Faults()]
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.3)
        callee.hang_up()
        record = await call
        assert record.attempts == 2
        assert not (await stage.session(1)).is_open


async def test_a_refused_session_rings_nobody(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee()) as stage:
        stage.model.faults = Faults(refuse_update="invalid_value")
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.MODEL_REFUSED
        assert stage.twilio.calls == []


async def test_a_greeting_waits_behind_half_a_second_of_silence(autojump_clock: MockClock) -> None:
    agent = Agent("Hi.", opening="greet")
    async with rehearse(agent, script=["Hello, this is the bakery."], callee=Callee()) as stage:
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.hears(0.5)
        callee.hang_up()
        record = await call
        assert record.turns[0]["asked"] == "greeting"
        assert record.turns[0]["sent_ms"] == record.started_after_ms
        first_media = next(each for each in callee.received if each.event == "media")
        assert first_media.audio_ms <= 200  # the pad comes first, in spans of its own
        started_ms = callee.record.streams[0].started_at_ms
        assert started_ms is not None
        voice_ms = next(at for at, audio in callee.ear if audio.strip(b"\xff\x7f"))
        assert voice_ms - started_ms == pytest.approx(0, abs=600)


async def test_patience_ends_and_the_agent_speaks_first_after_all(autojump_clock: MockClock) -> None:
    settings = {"outbound": {"speak_first_after_s": 3.0, "allow_prefixes": ["+1555"]}}
    async with rehearse(Agent("Hi."), script=["Hello?"], callee=Callee(), settings=settings) as stage:
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        started_s = trio.current_time()
        await callee.hears(0.2)
        assert 3.0 <= trio.current_time() - started_s < 4.0
        callee.hang_up()
        await call


@pytest.mark.parametrize("answered_by", ["machine_end_beep", "machine_end_silence", "fax"])
async def test_a_machine_is_hung_up_on(answered_by: str, autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee(answered_by=answered_by)) as stage:
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.MACHINE


@pytest.mark.parametrize("answered_by", ["human", "unknown"])
async def test_a_human_is_not(answered_by: str, autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Hi."), callee=Callee(answered_by=answered_by)) as stage:
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await trio.sleep(8)
        assert not callee.over
        callee.hang_up()
        assert (await call).reason is EndReason.CALLER_HUNG_UP


@pytest.mark.parametrize("stored", [False, True])
async def test_a_message_is_left_after_the_beep_and_then_hung_up(
    stored: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = tmp_path / "message.ulaw"
    file.write_bytes(voices.load("apology"))
    settings: dict[str, dict[str, Any]] = {
        "outbound": {
            "machine": "leave_message",
            "machine_message_file": str(file) if stored else "",
            "allow_prefixes": ["+1555"],
        }
    }
    machine = Callee(answered_by="machine_end_beep")
    script = [Say("Please call us back. Good-bye.", 4000)]
    async with (
        nothing_left(),
        rehearse(Agent("Hi."), script=script, callee=machine, settings=settings) as stage,
    ):
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        record = await call
        await callee.ended()
        assert record.reason is EndReason.AGENT_HUNG_UP
        heard_ms = sum(len(audio) for _, audio in callee.ear) / 8
        expected_ms = len(voices.load("apology")) / 8 if stored else 4000
        assert heard_ms == pytest.approx(expected_ms, abs=40)


async def test_the_user_cancels_while_it_rings_and_the_telephone_stops_ringing(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee(ring_s=20)) as stage:
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await trio.sleep(1)
        call.end()
        record = await call
        assert record.reason is EndReason.CANCELLED
        with trio.fail_after(2):
            await callee.ended()


async def test_a_call_the_guard_refuses_never_reaches_twilio(autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Hi."), callee=Callee()) as stage:
        with pytest.raises(DialRefused) as refusal:
            stage.phone.place_call("+19005550123")
        assert refusal.value.code in ("premium", "impossible_number")
        assert stage.twilio.calls == []
        assert stage.phone.live_calls == 0


async def test_a_create_that_twilio_refuses_ends_the_call_with_its_code(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee()) as stage:
        stage.twilio.rest.refuse_next.append(RestError(400, 21211, "Invalid 'To' Phone Number"))
        record = await stage.phone.place_call(CALLEE)
        assert record.reason is EndReason.DIAL_REFUSED
        assert stage.twilio.calls == []


async def test_a_stream_that_joins_before_create_has_answered_is_the_same_call(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearse(Agent("Hi."), callee=Callee(ring_s=0.1)) as stage:
        stage.twilio.rest.answer_delay_s = 3.0
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.3)
        callee.hang_up()
        record = await call
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.call_sid == callee.sid
        await trio.sleep(4)
