"""A caller is to go elsewhere: when they leave, what takes the wish back, and keys that nobody cuts."""

from __future__ import annotations

import pytest

from llcphone.engine.commands import EndCall
from llcphone.engine.events import DigitsAsked, EndAsked, EndReason, HangUpAsked, PhoneLegLost, ToolFinished
from llcphone.engine.resumed import KeptLine, Owed, Resumed, Speaker
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CreateResponse, SystemText, Truncate
from llcphone.twilio.media import Clear, StreamStopped
from tests.engine.script import Ear, Script, created, delta, done, live, speech, wants

LEAVE = HangUpAsked(EndReason.TRANSFERRED)


def test_a_caller_leaves_when_the_last_word_was_heard() -> None:
    ear = Ear(live())
    ear.sees(delta(1_000), done("r1"), LEAVE)
    ear.at(999)
    assert ear.call.engine.ended is None
    ear.at(1_001)
    assert ear.call.engine.ended is EndReason.TRANSFERRED


def test_the_tools_answer_and_the_good_bye_that_follows_it_are_waited_for() -> None:
    ear = Ear(live())
    ear.sees(done("r1", wants("c1")), LEAVE)
    assert ear.call.engine.ended is None, "its tool has not answered yet"
    ear.sees(ToolFinished("c1", "{}"))
    ear.at(300).sees(created("r2"), delta(900, "i2", "r2"), done("r2"))
    ear.at(1_199)
    assert ear.call.engine.ended is None
    ear.at(1_201)
    assert ear.call.engine.ended is EndReason.TRANSFERRED


def test_a_model_that_says_no_good_bye_holds_the_caller_for_seconds_only() -> None:
    call = live()
    call.sees(done("r1", wants("c1")), LEAVE)
    assert call.until(10_000).end is EndReason.TRANSFERRED
    assert call.now_ms <= 4_000


def test_a_caller_who_speaks_takes_the_wish_back_and_the_model_is_told() -> None:
    ear = Ear(live())
    ear.sees(delta(2_000), done("r1"), LEAVE)
    out = ear.at(500).sees(SpeechStarted("u2"))
    assert "has not begun" in next(each.text for each in out.model if isinstance(each, SystemText))
    assert [note.kind for note in ear.call.notes].count("transfer put off") == 1
    ear.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), delta(200, "i2", "r2"), done("r2"))
    ear.at(9_000)
    assert ear.call.engine.ended is None
    ear.sees(LEAVE)
    assert ear.call.engine.ended is EndReason.TRANSFERRED


def test_a_hang_up_that_is_put_off_is_not_called_a_transfer() -> None:
    ear = Ear(live())
    ear.sees(delta(2_000), done("r1"), HangUpAsked())
    out = ear.at(500).sees(SpeechStarted("u2"))
    assert not [each for each in out.model if isinstance(each, SystemText)]


def test_the_last_wish_counts() -> None:
    call = live()
    call.sees(delta(500), done("r1"), LEAVE, HangUpAsked())
    assert call.until(9_000).end is EndReason.AGENT_HUNG_UP


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (StreamStopped(), EndReason.CALLER_HUNG_UP),
        (PhoneLegLost(), EndReason.PHONE_LOST),
        (EndAsked(EndReason.TRANSFERRED), EndReason.TRANSFERRED),
    ],
)
def test_what_happens_in_the_good_bye_is_told_as_it_was(event: object, reason: EndReason) -> None:
    call = live()
    call.sees(delta(2_000), done("r1"), LEAVE)
    assert call.at(500).sees(event) == [EndCall(reason)]  # type: ignore[arg-type]


# -- keys ---------------------------------------------------------------------------------------

TONES = (speech(210), speech(210), speech(210))


def test_keys_follow_what_the_agent_is_saying_and_are_no_ones_item() -> None:
    ear = Ear(live())
    ear.sees(delta(400), done("r1"))
    ear.sees(DigitsAsked(TONES))
    ear.at(2_000)
    assert ear.heard_ms == 400 + 630
    line = ear.call.engine.state.talk.history.lines()[-1]
    assert (line.speaker, line.text) == (Speaker.SYSTEM, "(keys)")


def test_speech_over_keys_cuts_nothing_and_afterwards_barge_in_is_ordinary() -> None:
    ear = Ear(live())
    ear.sees(done("r1"), DigitsAsked(TONES))
    assert ear.at(300).sees(SpeechStarted("u2")).phone == []
    ear.at(700).sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), delta(2_000, "i2", "r2"))
    out = ear.at(1_500).sees(SpeechStarted("u3"))
    assert Clear() in out.phone
    assert [each.item_id for each in out.model if isinstance(each, Truncate)] == ["i2"]
    assert ear.heard_ms == 630 + 800


# -- back ---------------------------------------------------------------------------------------

KEPT = (KeptLine("a", Speaker.AGENT, "Hello.", 500), KeptLine("b", Speaker.CALLER, "Sales, please."))


@pytest.mark.parametrize("speak", [True, False])
def test_who_is_back_is_told_why_in_place_of_a_broken_line(speak: bool) -> None:
    resumed = Resumed(KEPT, Owed.NOTHING, "Nobody answered.", speak=speak)
    call = Script(resumed=resumed)
    out = call.configured()
    (news,) = [each.text for each in out.model if isinstance(each, SystemText)]
    assert news.startswith("Nobody answered. Do not greet again")
    assert any(isinstance(each, CreateResponse) for each in call.live().said.model) is speak
