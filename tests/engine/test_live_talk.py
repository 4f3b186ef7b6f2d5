"""How a Live session is asked to speak, and what its voice and the caller's words come to."""

from __future__ import annotations

import pytest

from llcphone.engine.events import EndReason, GoodbyeAsked, Instructed, InterruptAsked, StreamJoined
from llcphone.engine.status import Floor
from llcphone.realtime.events import ModelError
from llcphone.realtime.messages import CancelResponse, Speak, SystemText
from llcphone.twilio.media import Clear, Mark, MarkEchoed, Media
from tests.engine.live_script import (
    LiveScript,
    heard,
    heard_all,
    loud,
    opens,
    over,
    pause,
    words,
)
from tests.engine.script import STARTED, Ear
from tests.engine.setups import alarm_plan, recovery_plan, silence_plan

GREET = Speak("Greet the caller.", "greeting")


def spoken(call: LiveScript) -> list[Speak]:
    """All that the session was asked to say so far."""
    return [message for message in call.said.model if isinstance(message, Speak)]


# -- asking ---------------------------------------------------------------------------------------


def test_the_greeting_is_asked_for_by_its_cue_when_the_stream_has_joined() -> None:
    call = LiveScript(greets=True)
    call.configured()
    call.lives_until(8_000)
    assert spoken(call) == []
    assert call.sees(StreamJoined()).model == [GREET]
    assert call.sees(STARTED).model == []


def test_a_session_that_is_ready_after_the_stream_is_asked_at_once() -> None:
    call = LiveScript(greets=True)
    call.joined()
    assert spoken(call) == [GREET]


def test_a_greeting_that_is_not_spoken_is_asked_for_once_more_and_then_the_session_is_lost() -> None:
    call = LiveScript(greets=True, recovery=recovery_plan()).joined()
    call.lives_until(2_499)
    assert spoken(call) == [GREET]
    call.lives_until(2_500)
    assert spoken(call) == [GREET, GREET]
    call.lives_until(2_500 + 3_999)
    assert not call.engine.policies.recovery.gaps
    call.lives_until(2_500 + 4_000)
    assert [(gap.cause, gap.owed) for gap in call.engine.policies.recovery.gaps] == [("stalled", "greeting")]
    assert spoken(call) == [GREET, GREET]


def test_a_greeting_that_is_spoken_is_asked_for_once() -> None:
    call = LiveScript(greets=True).joined()
    call.lives_until(900)
    call.sees(*opens("u1", "greeting"))
    call.lives_until(1_500)
    call.sees(*over())
    call.lives_until(9_000)
    assert spoken(call) == [GREET]
    assert [turn.asked for turn in call.engine.state.talk.timings.turns] == ["greeting"]


def test_an_utterance_that_nobody_asked_for_answers_the_caller() -> None:
    call = LiveScript().joined()
    call.sees(*opens("u1"), *over("u1"))
    out = call.sees(*opens("u2"))
    assert out.model == []
    assert [turn.asked for turn in call.engine.state.talk.timings.turns] == ["caller", "caller"]
    assert call.engine.state.talk.responses.unasked == 0


def test_a_cue_waits_for_the_end_of_an_utterance() -> None:
    call = LiveScript().joined()
    call.sees(*opens("u1"))
    assert call.sees(Instructed("Offer the menu.", speak=True)).model == []
    assert call.sees(*over("u1")).model == [Speak("Offer the menu.", "operator")]
    assert call.sees(Instructed("It rains.", speak=False)).model == [SystemText("It rains.")]


def test_an_ask_without_a_cue_of_its_own_says_what_is_wanted() -> None:
    call = LiveScript().joined()
    call.engine.state.talk.ask("resume", "", [])
    assert call.sees(heard_all("")).model == [Speak("Answer the caller now.", "resume")]


def test_an_ask_that_is_refused_is_made_again() -> None:
    call = LiveScript(greets=True, recovery=recovery_plan()).joined()
    call.sees(ModelError("invalid_value", event_id="ask-greeting-1"))
    call.lives_until(2_000)
    assert spoken(call) == [GREET, GREET]


def test_a_good_bye_is_asked_for_and_ends_the_call_when_it_was_heard() -> None:
    call = LiveScript().joined()
    ear = Ear(call)
    out = ear.sees(GoodbyeAsked(EndReason.DRAINED, 30_000))
    assert [message.purpose for message in out.model if isinstance(message, Speak)] == ["goodbye"]
    ear.sees(*opens("u1", "goodbye"))
    assert ear.sees(*over("u1")).end is None
    assert ear.plays_until(260).end is EndReason.DRAINED


def test_silence_is_broken_by_a_cue() -> None:
    call = LiveScript(silence=silence_plan(after_ms=5_000)).joined()
    call.sees(*opens("u1"), *over("u1"))
    call.hears_all()
    call.lives_until(5_100)
    assert [ask.purpose for ask in spoken(call)] == ["silence"]


# -- the voice ------------------------------------------------------------------------------------


def test_a_voice_goes_to_the_phone_after_its_cushion() -> None:
    call = LiveScript().joined()
    out = call.sees(*opens())
    assert [type(message) for message in out.phone] == [Media, Mark, Media]
    assert out.audio_ms == 260
    assert call.engine.state.talk.floor is Floor.AGENT


def test_a_pause_is_left_out_where_more_than_the_cushion_waits() -> None:
    call = LiveScript().joined()
    call.sees(*opens())  # 260 ms
    assert call.sees(pause()).audio_ms == 0
    call.lives_until(100)  # 160 ms
    assert call.sees(pause()).audio_ms == 100
    assert call.sees(pause()).audio_ms == 0


def test_what_comes_late_does_not_stay_late() -> None:
    """A stall of 360 ms every 10 s for five minutes: what had waited is heard late, and no later ones are."""
    call = LiveScript().joined()
    ear = Ear(call)
    name, count, waiting = "", 0, 0
    for now_ms in range(0, 300_000, 100):
        ear.at(now_ms)
        waiting += 1
        if now_ms % 10_000 in range(5_000, 5_360, 100):
            continue  # nothing comes; it does all at once
        for _ in range(waiting):
            place = count % 40  # 3 s of voice, then 1 s of silence
            count += 1
            if place == 0:
                name = f"u{count}"
                ear.sees(*opens(name))
            elif place < 30:
                ear.sees(loud(name))
            elif place == 38:
                ear.sees(*over(name))
            elif place < 38:
                ear.sees(pause(name))
            else:
                call.engine.model_alive(now_ms)
        waiting = 0
    lead = call.engine.report()["lead_ms"]
    assert call.engine.state.talk.playout.lead_ms(call.now_ms) <= 250
    assert lead["p50"] <= 250
    assert 360 <= lead["max"] <= 160 + 360 + 100
    last = [bucket for bucket in call.engine.state.talk.leads if bucket > 560]
    assert last == []


def test_how_late_the_voice_begins_to_be_heard_is_in_the_report() -> None:
    call = LiveScript().joined()
    call.sees(*opens())  # the cushion waits: 160 ms
    call.lives_until(100)
    call.sees(loud())  # 160 ms
    call.sees(loud())  # 260 ms
    assert call.engine.report()["lead_ms"] == {"p50": 160, "p99": 260, "max": 260}


def test_interrupt_silences_phone_and_model() -> None:
    call = LiveScript().joined()
    call.sees(*opens())
    out = call.at(50).sees(InterruptAsked())
    assert out.phone == [Clear()]
    assert CancelResponse("u1") in out.model
    assert call.sees(loud()).phone == []


# -- words ----------------------------------------------------------------------------------------


def test_words_are_heard_as_far_as_their_audio_was() -> None:
    call = LiveScript().joined()
    ear = Ear(call)
    ear.sees(*opens(), words("We open", 160, 400), words(" at nine", 400, 760), words(" today.", 760, 1_060))
    for now_ms in (100, 200, 300, 400, 500):
        ear.at(now_ms).sees(loud())
    ear.at(550)
    assert call.lines == [("agent", "We open")]
    ear.at(760)
    assert call.lines == [("agent", "We open at nine")]


def test_pauses_that_were_left_out_do_not_shift_the_words() -> None:
    call = LiveScript().joined()
    ear = Ear(call)
    ear.sees(*opens(), words("Well,", 160, 260), loud(), pause(), pause(), loud())
    ear.sees(words(" yes.", 560, 660))
    assert call.engine.state.talk.playout.lead_ms(0) == 460
    ear.at(459)
    assert call.lines == [("agent", "Well,")]
    ear.at(460)
    assert call.lines == [("agent", "Well, yes.")]


def test_words_of_the_caller_stand_where_they_were_said() -> None:
    call = LiveScript().joined()
    call.lives_until(2_000)
    call.sees(*opens("u1"), words("We do.", 160, 260))
    call.lives_until(2_200)
    call.sees(heard("Do you open", 500, 800), heard(" today?", 800, 1_200))
    call.hears_all()
    assert [speaker for speaker, _ in call.lines] == ["caller", "agent"]
    call.sees(heard_all("Do you open today?"))
    assert call.lines[0] == ("caller", "Do you open today?")


def test_words_that_come_after_their_answer_has_begun_leave_nothing_unanswered() -> None:
    call = LiveScript(alarms=alarm_plan(dead_air_ms=4_000)).joined()
    call.lives_until(1_000)
    call.sees(*opens("u1"), *over("u1"))
    call.hears_all()
    call.lives_until(1_300)
    call.sees(heard("Hello?", 500, 800))
    assert not call.engine.state.talk.unanswered
    assert call.engine.state.talk.floor is not Floor.CALLER


def test_words_that_nobody_has_answered_give_the_caller_the_floor_until_they_are_over() -> None:
    call = LiveScript().joined()
    call.lives_until(2_000)
    call.sees(heard("Hello?", 500, 800))
    assert call.engine.state.talk.unanswered
    assert call.engine.state.talk.floor is Floor.CALLER
    call.sees(heard_all("Hello?"))
    assert call.engine.state.talk.floor is Floor.NOBODY


def test_an_answer_takes_the_floor_from_the_caller() -> None:
    call = LiveScript().joined()
    call.lives_until(2_000)
    call.sees(heard("Hello?", 500, 800), *opens("u1"))
    assert call.engine.state.talk.floor is Floor.AGENT
    assert not call.engine.state.talk.unanswered


def test_words_over_the_agents_voice_silence_nobody() -> None:
    call = LiveScript().joined()
    call.sees(*opens("u1"))
    call.lives_until(100)
    out = call.sees(loud("u1"), heard("mm-hm", 0, 60))
    assert Clear() not in out.phone
    assert call.engine.state.talk.floor is Floor.AGENT
    assert call.engine.report()["barge_ins"] == 0


@pytest.mark.parametrize("words_at_ms", [1_500, 2_400])
def test_the_wait_for_an_answer_is_known_whether_words_or_answer_come_first(words_at_ms: int) -> None:
    """The caller spoke until 1,000 ms; the answer began at 2,000 ms."""
    call = LiveScript().joined()
    call.lives_until(min(2_000, words_at_ms))
    if words_at_ms < 2_000:
        call.sees(heard("Hello?", 500, 1_000))
    call.lives_until(2_000)
    out = call.sees(*opens("u1"))
    (cushion,) = (message.name for message in out.phone if isinstance(message, Mark))
    call.lives_until(2_160)
    call.sees(MarkEchoed(cushion))
    assert call.engine.report()["turns"][0]["heard_ms"] is None  # so far it was silence
    call.lives_until(2_300)
    (voice,) = (message.name for message in call.sees(*over()).phone if isinstance(message, Mark))
    call.sees(MarkEchoed(voice))
    call.lives_until(max(2_300, words_at_ms))
    if words_at_ms > 2_000:
        call.sees(heard("Hello?", 500, 1_000))
    (turn,) = call.engine.report()["turns"]
    assert turn["spoke_until_ms"] == 1_000
    assert turn["answer_gap_ms"] == 1_000
    assert turn["ear_gap_ms"] == 1_200
    assert call.engine.activity().gap_ms == 1_200
