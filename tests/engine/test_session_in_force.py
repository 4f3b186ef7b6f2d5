"""A refused update is taken back: no later session is set up with it, and the call lives."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.commands import ConnectModel, EndCall, SendModel, SendStandby
from llcphone.engine.events import Born, EndReason, ModelConnected, ModelLegLost, ModelSaid
from llcphone.engine.resumed import KeptLine, Resumed, Speaker
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelError, SessionUpdated
from llcphone.realtime.messages import UpdateSession
from tests.engine.script import (
    ALL_TOOLS,
    FULL_TOOLS,
    LATER,
    MEDIUM,
    SESSION,
    ULAW,
    Commands,
    Ear,
    Script,
    delta,
    done,
    item_done,
)
from tests.engine.setups import recovery_plan, renewal_plan

BAD_TOOL = ModelError("invalid_value", param="session.tools[1].name", event_id="due-tools")
RECOVERS = recovery_plan()


def updated(**setup: Any) -> Script:
    """A call whose full tools and later eagerness were just sent."""
    call = Script(schedule=(ALL_TOOLS, LATER), recovery=RECOVERS, **setup).live()
    call.caller_says("u1", "r1")
    call.sees(delta(20), item_done(), done("r1"))
    call.until(100)
    return call


def set_up_of(commands: Commands) -> dict[str, Any]:
    """What the newest session was configured with."""
    return dict([each for each in commands.model if isinstance(each, UpdateSession)][-1].session)


def next_session(call: Script) -> dict[str, Any]:
    """The session breaks: what the next one is configured with."""
    call.sees(ModelLegLost(call.engine.state.session.leg_number, 1006))
    return set_up_of(call.sees(ModelConnected(call.engine.state.session.leg_number, Dialect.GA)))


def refusals(call: Script) -> list[Any]:
    return [note.fields for note in call.notes if note.kind == "session update refused"]


def test_what_is_sent_is_in_force_for_the_next_session() -> None:
    call = updated()
    assert next_session(call) == SESSION | FULL_TOOLS | MEDIUM


@pytest.mark.parametrize(
    "refusal", [BAD_TOOL, ModelError("invalid_value", param="session.tools[1].name")], ids=["by id", "oldest"]
)
def test_a_refused_update_is_told_and_no_part_of_the_next_session(refusal: ModelError) -> None:
    call = updated()
    assert call.sees(refusal, ULAW) == []
    assert refusals(call) == [{"what": "tools", "code": "invalid_value", "param": "session.tools[1].name"}]
    assert next_session(call) == SESSION | MEDIUM
    call.sees(ULAW)
    assert call.engine.state.session.ready


def test_an_update_that_was_taken_stays_whatever_is_refused_later() -> None:
    call = updated()
    call.sees(ULAW, ModelError("invalid_value", param="session.audio.input.turn_detection.eagerness"))
    assert refusals(call)[0]["what"] == "eagerness"
    assert next_session(call) == SESSION | FULL_TOOLS


def test_an_error_about_something_else_takes_nothing_back() -> None:
    call = updated()
    call.sees(ModelError("response_cancel_not_active", event_id="other"), ModelError("odd"))
    assert refusals(call) == []
    assert next_session(call) == SESSION | FULL_TOOLS | MEDIUM


def test_an_account_that_is_out_of_credit_ends_the_call_whichever_event_it_names() -> None:
    call = Script(schedule=(ALL_TOOLS,)).live()
    call.caller_says("u1", "r1")
    call.sees(done("r1"))
    call.until(100)
    assert call.sees(ModelError("insufficient_quota", event_id="due-tools")).end is EndReason.MODEL_REFUSED


def test_a_set_up_that_is_refused_for_an_unproven_update_is_asked_again_without() -> None:
    call = updated()
    next_session(call)
    again = call.sees(ModelError("invalid_value", param="session.tools[1].name", event_id="setup-2"))
    assert again == [SendModel(UpdateSession(SESSION, "setup-2-opening"))]
    call.sees(ULAW)
    assert call.engine.state.session.ready
    assert next_session(call) == SESSION


def test_what_was_proven_is_dropped_only_when_nothing_unproven_is_left() -> None:
    call = updated()
    call.sees(ULAW)  # the tools
    next_session(call)
    refusal = ModelError("invalid_value", param="session.audio", event_id="setup-2")
    assert set_up_of(call.sees(refusal)) == SESSION | FULL_TOOLS
    assert set_up_of(call.sees(ModelError("invalid_value", event_id="setup-2-opening"))) == SESSION
    call.sees(ModelError("invalid_value", event_id="setup-2-opening-opening"))
    assert call.engine.policies.recovery.given_up is None or not RECOVERS.apology
    assert call.engine.ended is EndReason.MODEL_REFUSED


def test_a_resumed_call_whose_due_updates_are_refused_goes_on_with_its_opening_settings() -> None:
    lines = (KeptLine("i1", Speaker.AGENT, "Good morning!", 1_000),)
    call = Script(schedule=(ALL_TOOLS,), resumed=Resumed(lines))
    assert set_up_of(call.sees(Born(), ModelConnected(1, Dialect.GA))) == SESSION | FULL_TOOLS
    assert set_up_of(call.sees(ModelError("invalid_value", event_id="setup-1"))) == SESSION
    call.sees(ULAW)
    assert call.engine.state.session.ready


def test_a_successor_whose_set_up_is_refused_is_asked_again_without_the_unproven() -> None:
    patient = {"dead_stream_ms": 10**9, "idle_ms": 10**9}
    call = Script(
        schedule=(ALL_TOOLS,), renewal=renewal_plan(at_age_ms=60_000), recovery=RECOVERS, limits=patient
    ).live()
    call.caller_says("u1", "r1")
    call.sees(delta(20), item_done(), done("r1"))
    call.until(60_000)
    told = call.sees(ModelConnected(2, Dialect.GA))
    assert told == [SendStandby(2, UpdateSession(SESSION | FULL_TOOLS, "setup-2"))]
    refused = ModelSaid(2, ModelError("invalid_value", event_id="setup-2"))
    assert call.sees(refused) == [SendStandby(2, UpdateSession(SESSION, "setup-2"))]
    call.sees(ModelSaid(2, ULAW))
    assert any(note.kind == "successor ready" for note in call.notes)


def test_what_a_switch_carries_over_can_be_refused_too() -> None:
    patient = {"dead_stream_ms": 10**9, "idle_ms": 10**9}
    call = Script(
        schedule=(ALL_TOOLS,), renewal=renewal_plan(at_age_ms=60_000), recovery=RECOVERS, limits=patient
    ).live()
    call.until(60_000)
    call.sees(ModelConnected(2, Dialect.GA))
    ear = Ear(call)
    call.caller_says("u1", "r1")
    ear.sees(ModelSaid(2, ULAW), delta(20), item_done(), done("r1"))
    ear.at(61_000)
    told = call.until(90_000).model
    assert UpdateSession(FULL_TOOLS, "renewal") in told
    call.sees(ModelError("invalid_value", event_id="renewal"))
    assert next_session(call) == SESSION


# -- errors that do not say what they are about --------------------------------------------------


def asking(dialect: Dialect | None = Dialect.GA) -> Script:
    call = Script(dialect=dialect)
    call.sees(Born(), ModelConnected(1, dialect or Dialect.FLAT))
    return call


@pytest.mark.parametrize(("error", "failure"), [(ModelError("1302"), "1302"), (ModelError(""), "error")])
def test_an_unclear_error_counts_as_the_refusal_after_a_grace(error: ModelError, failure: str) -> None:
    call = asking()
    assert call.sees(error) == []
    assert call.until(299) == []
    assert call.until(1_000) == [EndCall(EndReason.MODEL_REFUSED)]
    assert call.now_ms <= 300
    assert call.engine.state.session.last_failure == failure


def test_a_session_that_is_updated_all_the_same_was_not_refused() -> None:
    call = asking()
    call.sees(ModelError("1302"))
    call.at(250).sees(ULAW)
    assert call.engine.state.session.ready
    assert call.until(5_000).end is None


def test_an_error_that_names_another_event_is_no_refusal() -> None:
    call = asking()
    call.sees(ModelError("1302", event_id="elsewhere"))
    assert call.until(2_000).end is None


def test_an_unclear_error_in_flat_is_one_reason_to_ask_in_ga() -> None:
    call = asking(None)
    call.sees(ModelError("1302"))
    assert ConnectModel(2, Dialect.GA) in call.until(1_000)


@pytest.mark.parametrize("answer", [SessionUpdated("pcm16", "pcm16"), SessionUpdated("", "")])
def test_an_answer_in_flat_that_is_not_ulaw_is_one_reason_to_ask_in_ga(answer: SessionUpdated) -> None:
    call = asking(None)
    assert ConnectModel(2, Dialect.GA) in call.sees(answer)
    call.sees(ModelConnected(2, Dialect.GA), ULAW)
    assert call.engine.state.session.ready
    call = asking(None)
    call.sees(answer, ModelConnected(2, Dialect.GA))
    assert call.sees(answer).end is EndReason.MODEL_REFUSED
