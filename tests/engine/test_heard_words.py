"""What of an answer was heard, in any language: the record, a session told anew, a told item that is cut."""

from __future__ import annotations

import pytest

from llcphone.engine.events import ModelConnected, ModelLegLost
from llcphone.engine.resumed import Owed, Speaker
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import AudioDone, SpeechStarted, TranscriptDelta, TranscriptDone
from llcphone.realtime.messages import AssistantText, CreateResponse, DeleteItem, SystemText, Truncate
from tests.engine.script import SESSION, ULAW, Commands, Ear, Script, created, delta, done
from tests.engine.setups import recovery_plan
from tests.engine.test_words import CHINESE, ENGLISH, JAPANESE, KOREAN, THAI

FAST_ENGLISH = (
    "Your table is booked for two at six tomorrow evening, by the window, and the chef has been told."
)


def answering(**setup: object) -> Script:
    """A caller has asked, and the answer ``r1`` has begun."""
    call = Script(**{"recovery": recovery_plan()} | setup).live()
    call.caller_says("u1", "r1")
    return call


def reborn(call: Script) -> Commands:
    return call.sees(ModelConnected(call.engine.state.session.leg_number, Dialect.GA), ULAW)


def lost_after(text: str, ms: int, **setup: object) -> str:
    """What the next session is told of an answer of which so much was generated, all its words known."""
    call = answering(**setup)
    call.sees(TranscriptDelta("r1", "i1", text), delta(ms))
    call.at(ms).sees(ModelLegLost(1, 1006))
    return "".join(each.text for each in reborn(call).model if isinstance(each, AssistantText))


@pytest.mark.parametrize("text", [JAPANESE, CHINESE, THAI], ids=["japanese", "chinese", "thai"])
def test_a_barge_in_leaves_the_heard_words_in_the_record(text: str) -> None:
    ear = Ear(answering())
    ear.sees(TranscriptDelta("r1", "i1", text), delta(10_000), TranscriptDone("r1", "i1", text), done("r1"))
    ear.at(6_000)
    assert ear.sees(SpeechStarted("u2")).model == [Truncate("i1", 6_000)]
    (line,) = (each for each in ear.call.engine.state.talk.history.lines() if each.speaker is Speaker.AGENT)
    assert 0.5 <= len(line.heard_text()) / len(text) <= 0.6
    kept = next(each for each in ear.call.engine.report()["transcript"] if each["speaker"] == "agent")
    assert kept["unheard"]
    assert (kept["text"] + kept["unheard"]).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(("text", "s"), [(JAPANESE, 6.0), (CHINESE, 6.0), (KOREAN, 4.5)])
def test_an_answer_lost_early_is_told_as_far_as_it_can_have_been_spoken(text: str, s: float) -> None:
    share = len(lost_after(text, round(s * 1000 * 1.6 / 6))) / len(text)
    assert 0.1 < share <= 0.38  # 27 % of it was spoken


def test_an_agent_that_is_told_to_speak_fast_is_believed_to() -> None:
    spoken = FAST_ENGLISH[: round(3.0 * 25)]  # what 25 characters a second come to
    told = lost_after(FAST_ENGLISH, 3_000, session={**SESSION, "speed": 1.5})
    assert len(told) > len(spoken) - 10
    assert len(lost_after(FAST_ENGLISH, 3_000)) < len(spoken) - 10


def test_an_agent_that_has_spoken_fast_is_believed_to_go_on_so() -> None:
    call = answering()
    call.sees(
        TranscriptDone("r1", "i0", FAST_ENGLISH), delta(3_200, "i0"), AudioDone("r1", "i0")
    )  # 30 a second
    call.sees(TranscriptDelta("r1", "i1", FAST_ENGLISH), delta(2_000))
    call.at(2_000).sees(ModelLegLost(1, 1006))
    told = [each.text for each in reborn(call).model if isinstance(each, AssistantText)]
    assert told[0] == FAST_ENGLISH
    assert len(told[1]) >= 60 - 6


def test_a_told_item_that_is_cut_in_turn_is_told_again_as_far_as_it_was_heard() -> None:
    ear = Ear(answering())
    ear.sees(TranscriptDelta("r1", "i1", JAPANESE), delta(10_000), TranscriptDone("r1", "i1", JAPANESE))
    ear.sees(AudioDone("r1", "i1"), done("r1"))
    ear.at(3_000).sees(ModelLegLost(1, 1006))
    ear.takes(reborn(ear.call))
    ear.at(6_000)
    delete, heard = ear.sees(SpeechStarted("u2")).model
    assert delete == DeleteItem("i1")
    assert isinstance(heard, AssistantText)
    assert 0.5 <= len(heard.text) / len(JAPANESE) <= 0.6
    assert JAPANESE.startswith(heard.text)


@pytest.mark.parametrize(("ms", "words"), [(60, False), (2_000, True)])
def test_the_next_session_is_told_of_heard_words_only_when_there_are_any(ms: int, words: bool) -> None:
    call = answering()
    call.sees(TranscriptDelta("r1", "i1", "Straightforward, " + ENGLISH), delta(ms))
    call.at(ms).sees(ModelLegLost(1, 1006))
    told = reborn(call).model
    note = next(each.text for each in told if isinstance(each, SystemText) and "line broke" in each.text)
    assert any(isinstance(each, AssistantText) for each in told) is words
    assert ("has heard everything above" in note) is words
    assert ("from its beginning" in note) is not words
    assert CreateResponse("resume") in told


def test_a_second_loss_in_a_row_still_knows_what_the_first_one_cut() -> None:
    call = answering()
    call.sees(TranscriptDelta("r1", "i1", ENGLISH), delta(2_000))
    call.at(2_000).sees(ModelLegLost(1, 1006))
    reborn(call)
    call.sees(created("r2", "resume"), ModelLegLost(call.engine.state.session.leg_number, 1006))
    notes = [each.text for each in reborn(call).model if isinstance(each, SystemText)]
    assert "has heard everything above" in notes[-1]


@pytest.mark.parametrize(("ms", "owed"), [(100, Owed.ANSWER), (4_000, Owed.REST)])
def test_another_process_is_told_to_go_on_only_behind_words(ms: int, owed: Owed) -> None:
    ear = Ear(answering())
    ear.sees(TranscriptDelta("r1", "i1", "Straightforward, " + ENGLISH), delta(10_000))
    ear.at(ms)
    kept = ear.call.engine.kept(ms)
    assert kept.owed is owed
    assert any(line.speaker is Speaker.AGENT for line in kept.lines) is (owed is Owed.REST)
