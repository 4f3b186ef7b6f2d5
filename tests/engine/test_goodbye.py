"""Our side must end the call: a good-bye of the agent's own, or a stored last word; never a dead line."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llcphone.engine.events import EndReason, GoodbyeAsked, HangUpAsked, ModelLegLost, StreamJoined
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CancelResponse, CreateResponse, SystemText
from llcphone.twilio.media import Clear, StreamStopped
from tests.engine.script import (
    CANCELLED,
    SESSION,
    STARTED,
    Ear,
    Script,
    created,
    delta,
    done,
    item_done,
    live,
)
from tests.engine.setups import goodbye_plan, recovery_plan

CUE = "Say good-bye."
APOLOGY_MS = 2_000
APOLOGY = (base64.b64encode(b"\x22" * 8_000), base64.b64encode(b"\x22" * 8_000))
PLAN = goodbye_plan(goodbye_cue=CUE, apology=APOLOGY)
ASKED = GoodbyeAsked(EndReason.DRAINED, 15_000)
PATIENT = {"dead_stream_ms": 60_000}
LAST_WORD_MS = 15_000 - APOLOGY_MS - 500


def sorry_ms(ear: Ear) -> int:
    """How much of the apology was heard."""
    return ear.played.count(b"\x22") // 8


def on_the_line(**setup: Any) -> tuple[Script, Ear]:
    """The agent answers with 400 ms, all of it sent."""
    call = live(goodbye=PLAN, limits=PATIENT, **setup)
    ear = Ear(call)
    ear.sees(delta(400), item_done())
    return call, ear


def lets(ear: Ear, until_ms: int) -> None:
    """Time passes in frames: what is sent meanwhile is heard."""
    for now_ms in range(ear.now_ms, until_ms, 20):
        ear.at(now_ms)
    ear.at(until_ms)


def test_the_agent_finishes_its_answer_then_says_good_bye_then_the_call_ends() -> None:
    call, ear = on_the_line()
    ear.sees(ASKED)
    assert SystemText(CUE) not in call.said.model
    ear.sees(done())
    assert call.said.model[-2:] == [SystemText(CUE), CreateResponse("goodbye")]
    ear.at(200)
    ear.sees(created("r2", "goodbye"), delta(600, "i2", "r2"), item_done("i2", "r2"), done("r2"))
    ear.at(990)
    assert call.engine.ended is None
    ear.at(1_010)
    assert call.engine.ended is EndReason.DRAINED
    assert ear.heard_ms == 1_000
    assert sorry_ms(ear) == 0


def test_a_silent_line_gets_its_good_bye_at_once() -> None:
    call = Script(goodbye=PLAN).live()
    call.sees(ASKED)
    assert call.said.model[-2:] == [SystemText(CUE), CreateResponse("goodbye")]


def test_a_caller_who_interrupts_is_answered_and_asked_nothing_twice() -> None:
    call, ear = on_the_line()
    ear.sees(done(), ASKED, created("r2", "goodbye"), delta(600, "i2", "r2"))
    ear.at(500)
    ear.sees(SpeechStarted("u2"), done("r2", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"))
    assert call.engine.ended is None
    ear.sees(created("r3"), delta(300, "i3", "r3"), item_done("i3", "r3"), done("r3"))
    ear.at(1_000)
    assert call.engine.ended is EndReason.DRAINED
    assert call.said.model.count(SystemText(CUE)) == 1


def test_the_last_word_breaks_in_on_an_answer_without_end() -> None:
    call, ear = on_the_line()
    ear.sees(ASKED, delta(60_000))
    lets(ear, LAST_WORD_MS - 1)
    assert sorry_ms(ear) == 0
    assert CancelResponse("r1") not in call.said.model  # the session is closed as a whole
    lets(ear, LAST_WORD_MS + 100)
    assert Clear() in call.said.phone
    lets(ear, 14_900)
    assert sorry_ms(ear) == APOLOGY_MS
    assert call.engine.ended is EndReason.DRAINED


def test_the_last_word_breaks_in_on_a_caller_who_goes_on_speaking() -> None:
    call, ear = on_the_line()
    ear.sees(done(), SpeechStarted("u2"), ASKED)
    lets(ear, 14_900)
    assert sorry_ms(ear) == APOLOGY_MS
    assert call.engine.ended is EndReason.DRAINED


def late_good_bye(ms: int) -> tuple[Script, Ear]:
    """The caller speaks until a second before the last word is due; then so much of a good-bye comes."""
    call, ear = on_the_line()
    ear.sees(done(), SpeechStarted("u2"), ASKED)
    lets(ear, LAST_WORD_MS - 1_000)
    ear.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), done("r2"), created("r3", "goodbye"))
    ear.sees(delta(ms, "i3", "r3"), item_done("i3", "r3"), done("r3"))
    lets(ear, 14_900)
    return call, ear


def test_a_good_bye_that_will_be_heard_in_time_is_not_interrupted() -> None:
    call, ear = late_good_bye(2_000)
    assert sorry_ms(ear) == 0
    assert ear.heard_ms == 2_000
    assert call.engine.ended is EndReason.DRAINED


def test_a_good_bye_that_would_last_too_long_is_not_waited_for() -> None:
    _, ear = late_good_bye(4_000)
    assert sorry_ms(ear) == APOLOGY_MS


@pytest.mark.parametrize("recovers", [True, False])
def test_a_call_without_its_model_hears_the_last_word(*, recovers: bool) -> None:
    call, ear = on_the_line(recovery=recovery_plan(enabled=recovers, limit_ms=60_000, apology=APOLOGY))
    ear.sees(done(), ModelLegLost(1), ASKED)
    lets(ear, 14_900)
    assert sorry_ms(ear) == APOLOGY_MS
    assert call.engine.ended is (EndReason.DRAINED if recovers else EndReason.MODEL_LOST)


def test_an_agent_that_does_not_say_its_good_bye_is_replaced_by_the_stored_one() -> None:
    call, ear = on_the_line()
    ear.sees(done(), ASKED, created("r2", "goodbye"))
    lets(ear, 9_000)
    assert sorry_ms(ear) == APOLOGY_MS
    assert call.engine.ended is EndReason.DRAINED


def test_an_echo_that_never_comes_is_no_good_bye_unsaid() -> None:
    call, ear = on_the_line()
    ear.sees(
        done(), ASKED, created("r2", "goodbye"), delta(600, "i2", "r2"), item_done("i2", "r2"), done("r2")
    )
    for now_ms in range(0, 9_000, 20):
        ear.plays_until(now_ms, echoes=False)
    assert sorry_ms(ear) == 0
    assert call.engine.ended is EndReason.DRAINED


def test_a_caller_who_joins_meanwhile_hears_it_too() -> None:
    call = Script(goodbye=PLAN)
    call.configured()
    call.sees(ASKED)
    call.at(5_000)
    call.sees(StreamJoined(), STARTED)
    assert SystemText(CUE) in call.said.model


def test_nobody_on_the_line_nothing_is_played() -> None:
    call = Script(goodbye=PLAN, session=SESSION)
    call.configured()
    call.sees(ASKED)
    call.until(14_900)
    assert call.said.phone == []
    assert call.engine.ended is None


def test_without_a_stored_apology_the_call_ends_a_little_early() -> None:
    call = live(goodbye=goodbye_plan(goodbye_cue=CUE), limits=PATIENT)
    ear = Ear(call)
    ear.sees(ASKED, delta(60_000))
    lets(ear, 14_900)
    assert call.engine.ended is EndReason.DRAINED


def test_a_hang_up_of_the_agents_own_before_the_cue_keeps_its_reason() -> None:
    call, ear = on_the_line()
    ear.sees(HangUpAsked(), ASKED, done())
    lets(ear, 500)
    assert call.engine.ended is EndReason.AGENT_HUNG_UP


def test_a_caller_who_hangs_up_during_the_good_bye_has_hung_up() -> None:
    call, ear = on_the_line()
    ear.sees(done(), ASKED, created("r2", "goodbye"), delta(600, "i2", "r2"), StreamStopped())
    assert call.engine.ended is EndReason.CALLER_HUNG_UP
