"""Outbound: when they are rung, what the carrier says, machines, and a callee who stays silent."""

from __future__ import annotations

import pytest

from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.commands import Dial, EndCall
from llcphone.engine.events import (
    Born,
    CarrierStatus,
    DialFailed,
    Dialled,
    EndReason,
    MachineDetected,
    ModelConnected,
    StreamJoined,
    Tick,
)
from llcphone.engine.notes import Carrier
from llcphone.engine.status import DialState
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelError, ResponseCreated, ResponseDone, ResponseStatus, SpeechStarted
from llcphone.realtime.messages import CancelResponse, ClearInput, CreateResponse, Truncate, UserText
from llcphone.twilio.media import CallerAudio, Clear, StreamStarted
from tests.engine.script import (
    CANCELLED,
    STARTED,
    ULAW,
    Ear,
    Script,
    created,
    delta,
    done,
    frame,
    speech,
    spoke,
)
from tests.engine.setups import dial_plan


def outbound(**plan: object) -> Script:
    return Script(dial=dial_plan(**plan))  # type: ignore[arg-type]


def talking(**plan: object) -> Script:
    """Somebody or something has picked up and the model answers it."""
    call = outbound(**plan).live()
    call.caller_says("u1", "r1")
    return call


def test_the_phone_rings_once_the_session_is_configured_and_only_once() -> None:
    call = outbound()
    assert Dial() not in call.sees(Born(), ModelConnected(1, Dialect.GA))
    assert Dial() in call.sees(ULAW)
    call.sees(Dialled("CA1"), ULAW)
    assert call.said.count(Dial()) == 1


def test_the_phone_rings_when_the_priming_has_ended() -> None:
    call = Script(dial=dial_plan(), priming=True)
    assert Dial() not in call.configured()
    call.sees(ResponseCreated("prime", in_conversation=False, purpose="priming"))
    ended = ResponseDone("prime", ResponseStatus.COMPLETED, in_conversation=False, purpose="priming")
    assert Dial() in call.at(700).sees(ended)


def test_a_server_that_never_primes_delays_the_ring_by_two_seconds_at_most() -> None:
    call = Script(dial=dial_plan(), priming=True)
    call.configured()
    assert call.engine.next_deadline_ms == 2_000
    assert Dial() in call.at(2_000).sees(Tick())


def test_the_phone_rings_at_birth_when_that_is_the_plan() -> None:
    assert Dial() in outbound(at_once=True).sees(Born())


def test_the_phone_rings_although_the_warm_time_ran_out() -> None:
    call = outbound()
    call.sees(Born())
    assert Dial() in call.until(10_000)


def test_a_refused_session_rings_nobody() -> None:
    call = outbound()
    call.sees(Born(), ModelConnected(1, Dialect.GA), ModelError("invalid_api_key"))
    assert Dial() not in call.said
    assert call.engine.ended is EndReason.MODEL_REFUSED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("busy", EndReason.BUSY),
        ("no-answer", EndReason.NO_ANSWER),
        ("failed", EndReason.CALL_FAILED),
        ("canceled", EndReason.CALL_CANCELED),
        ("completed", EndReason.CALLER_HUNG_UP),
    ],
)
def test_an_end_the_carrier_tells_of_ends_the_call_in_that_step(status: str, reason: EndReason) -> None:
    call = outbound()
    call.configured()
    assert call.sees(CarrierStatus(status, 2)) == [EndCall(reason)]


def test_an_answered_call_that_completes_was_hung_up() -> None:
    call = outbound().live()
    assert call.sees(CarrierStatus("completed", 4)) == [EndCall(EndReason.CALLER_HUNG_UP)]


def test_callbacks_may_come_late_twice_and_before_dialling_has_answered() -> None:
    call = outbound()
    call.configured()
    ringing, answered = CarrierStatus("ringing", 1, "CA1"), CarrierStatus("in-progress", 2, "CA1")
    assert call.sees(answered, ringing, ringing, answered, Dialled("CA1")) == []
    assert call.engine.state.dialling is not None
    assert call.engine.state.dialling.state is DialState.ANSWERED
    assert [note.status for note in call.notes if isinstance(note, Carrier)] == ["in-progress"]


def test_a_carrier_that_never_says_anything_is_not_waited_for_for_ever() -> None:
    call = outbound(no_callback_ms=60_000)
    call.configured()
    assert call.until(59_999).end is None
    assert call.until(60_000) == [EndCall(EndReason.NO_CALLBACK)]


def test_a_refusal_to_dial_ends_the_call() -> None:
    call = outbound()
    call.configured()
    assert call.sees(DialFailed("21211")) == [EndCall(EndReason.DIAL_REFUSED)]


def test_a_stream_of_another_call_than_the_one_dialled_is_refused() -> None:
    call = outbound()
    call.configured()
    call.sees(Dialled("CA1"), StreamJoined())
    assert call.sees(StreamStarted("MZ1", "CA2")).end is EndReason.BAD_STREAM


@pytest.mark.parametrize("who", ["human", "unknown"])
def test_a_human_is_talked_to(who: str) -> None:
    assert talking().sees(MachineDetected(who)) == []


@pytest.mark.parametrize("who", ["machine_start", "machine_end_beep", "machine_end_silence", "fax"])
def test_a_machine_is_hung_up_on_by_default(who: str) -> None:
    assert talking().sees(MachineDetected(who)) == [EndCall(EndReason.MACHINE)]


def test_going_on_with_a_machine_is_a_choice() -> None:
    assert talking(machine=MachinePolicy.GO_ON).sees(MachineDetected("machine_end_beep")) == []


def test_a_message_waits_for_the_beep() -> None:
    assert talking(machine=MachinePolicy.LEAVE_MESSAGE).sees(MachineDetected("machine_start")) == []


def test_a_spoken_message_is_left_to_its_last_word_and_then_we_hang_up() -> None:
    plan = {"machine": MachinePolicy.LEAVE_MESSAGE, "message_cue": "Leave a message."}
    ear = Ear(talking(**plan))
    ear.sees(delta(2_000))
    beep = ear.at(700).sees(MachineDetected("machine_end_beep"))
    assert beep.phone == [Clear()]
    assert beep.model == [
        Truncate("i1", 700),
        CancelResponse("r1"),
        ClearInput(),
        UserText("Leave a message."),
    ]
    assert ear.sees(done("r1", status=CANCELLED)).model == [CreateResponse("message")]
    ear.sees(created("m", "message"), delta(1_000, "i2", "m"), done("m"))
    ear.at(1_699)
    assert ear.call.engine.ended is None
    ear.at(1_701)
    assert ear.call.engine.ended is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 1_700


def test_a_stored_message_is_played_to_its_end_and_then_we_hang_up() -> None:
    ear = Ear(talking(machine=MachinePolicy.LEAVE_MESSAGE, message=(speech(300), speech(300))))
    ear.sees(*spoke("r1"), MachineDetected("machine_end_beep"))
    ear.at(599)
    assert ear.call.engine.ended is None
    ear.at(601)
    assert ear.call.engine.ended is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 600


def test_what_a_machine_plays_while_it_records_is_no_turn() -> None:
    call = talking(machine=MachinePolicy.LEAVE_MESSAGE)
    call.sees(MachineDetected("machine_end_beep"))
    assert call.sees(CallerAudio(frame())) == []


def test_a_callee_who_stays_silent_is_spoken_to_when_patience_is_over() -> None:
    call = outbound(patience_ms=1_500).live()
    assert call.until(1_499) == []
    assert call.until(1_500).model == [UserText("Greet the caller."), CreateResponse("greeting")]


def test_a_callee_who_speaks_is_not_greeted_over() -> None:
    call = outbound(patience_ms=1_500).live()
    call.at(1_000).sees(SpeechStarted("u1"))
    assert call.until(5_000).model == []


def test_without_patience_the_agent_waits() -> None:
    assert outbound().live().until(8_000) == []


def test_a_greeting_agent_needs_no_patience() -> None:
    call = Script(greets=True, dial=dial_plan(patience_ms=1_500))
    call.configured()
    call.sees(StreamJoined(), STARTED, created("g", "greeting"))
    call.until(5_000)
    assert call.said.model.count(CreateResponse("greeting")) == 1
