"""Outbound, when things come in another order than they happened, or do not come at all."""

from __future__ import annotations

import pytest

from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.commands import EndCall, SendModel
from llcphone.engine.events import (
    CarrierStatus,
    Dialled,
    DialSent,
    EndReason,
    MachineDetected,
    StreamJoined,
)
from llcphone.engine.parts.responses import MESSAGE
from llcphone.realtime.messages import CreateResponse
from llcphone.twilio.media import StreamStarted
from tests.engine.script import Script
from tests.engine.setups import dial_plan


def ringing(**plan: object) -> Script:
    call = Script(dial=dial_plan(**plan))  # type: ignore[arg-type]
    call.configured()
    return call


def test_the_wait_for_a_callback_begins_when_the_order_has_left() -> None:
    call = ringing(turn_ms=30_000, no_callback_ms=60_000)
    call.at(30_000).sees(DialSent())
    assert call.until(89_999).end is None
    assert call.until(90_000) == [EndCall(EndReason.NO_CALLBACK)]


def test_an_order_that_never_leaves_is_given_up_too() -> None:
    call = ringing(turn_ms=30_000, no_callback_ms=60_000)
    assert call.until(89_999).end is None
    assert call.until(90_000) == [EndCall(EndReason.NO_CALLBACK)]


def test_an_answer_brings_a_stream_in_time_or_ends_the_call() -> None:
    call = ringing(join_ms=20_000)
    call.at(5_000).sees(CarrierStatus("in-progress", 2, "CA1"))
    assert call.until(24_999).end is None
    assert call.until(25_000) == [EndCall(EndReason.NEVER_JOINED)]


def test_an_answer_told_after_the_stream_has_come_is_no_news() -> None:
    call = ringing(join_ms=20_000)
    call.at(5_000).sees(StreamJoined(), StreamStarted("MZ1", "CA1"), Dialled("CA1"))
    call.at(6_000).sees(CarrierStatus("in-progress", 2, "CA1"))
    assert call.engine.state.dialling is not None
    assert call.engine.state.dialling.deadline_ms is None


@pytest.mark.parametrize("sequence", [0, 1, 2, 3])
def test_an_end_is_an_end_wherever_it_sorts(sequence: int) -> None:
    call = ringing()
    call.sees(CarrierStatus("ringing", 2, "CA1"))
    assert call.sees(CarrierStatus("busy", sequence, "CA1")) == [EndCall(EndReason.BUSY)]


def test_a_message_waits_for_the_stream_and_is_asked_for_once() -> None:
    call = ringing(machine=MachinePolicy.LEAVE_MESSAGE)
    verdict = MachineDetected("machine_end_beep")
    asked = SendModel(CreateResponse(purpose=MESSAGE))
    assert asked not in call.sees(verdict)
    call.sees(StreamJoined(), StreamStarted("MZ1", "CA1"), verdict)
    assert call.said.count(asked) == 1
