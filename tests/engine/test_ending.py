"""How a call ends, how long anything may last, and that nothing follows the end."""

from __future__ import annotations

import pytest

from llcphone.engine.commands import EndCall, RunHook
from llcphone.engine.events import (
    EndAsked,
    EndReason,
    HangUpAsked,
    ModelConnected,
    PhoneLegLost,
    StreamJoined,
    Tick,
    ToolFinished,
)
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelEvent, SpeechStarted, TranscriptDone, UnknownModelEvent
from llcphone.twilio.media import (
    CallerAudio,
    Digit,
    MarkEchoed,
    StreamConnected,
    StreamStarted,
    StreamStopped,
    UnknownPhoneMessage,
)
from tests.engine.script import STARTED, Ear, Script, created, delta, done, frame, live, spoke, wants

GOODBYE = [EndCall(EndReason.AGENT_HUNG_UP)]


# -- hanging up ---------------------------------------------------------------------------------


def test_hanging_up_waits_until_the_last_word_was_heard() -> None:
    ear = Ear(live())
    ear.sees(delta(1_500), done("r1", wants("c1", "note_down")))
    ear.sees(HangUpAsked(), ToolFinished("c1", "1"))
    ear.at(1_499)
    assert ear.call.engine.ended is None
    ear.at(1_501)
    assert ear.call.engine.ended is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 1_500


def test_hanging_up_with_nothing_to_say_is_immediate() -> None:
    call = live()
    call.sees(*spoke("r1"))
    call.hears_all()
    assert call.sees(HangUpAsked()) == GOODBYE


def test_hanging_up_lets_the_response_that_is_being_made_be_heard() -> None:
    ear = Ear(live())
    ear.sees(HangUpAsked())
    ear.at(500).sees(delta(800), done("r1"))
    ear.at(1_299)
    assert ear.call.engine.ended is None
    ear.at(1_301)
    assert ear.call.engine.ended is EndReason.AGENT_HUNG_UP


def test_an_echo_that_never_comes_delays_the_end_by_four_seconds_at_most() -> None:
    call = live()
    call.sees(delta(1_500), done("r1"), HangUpAsked())
    assert call.until(5_499) == []
    assert call.until(5_500) == GOODBYE


def test_frames_marks_and_other_events_do_not_push_that_bound_back() -> None:
    call = live()
    call.sees(delta(1_500), done("r1"), HangUpAsked())
    for now_ms in range(0, 5_500, 100):
        call.until(now_ms)
        call.sees(CallerAudio(frame()), MarkEchoed("elsewhere"), HangUpAsked(), Tick())
        assert call.engine.ended is None
    assert call.until(5_500) == GOODBYE


def test_a_response_that_never_ends_delays_the_end_by_four_seconds_at_most() -> None:
    call = live()
    call.at(100).sees(HangUpAsked())
    assert call.until(4_100) == GOODBYE


def test_the_bound_moves_with_the_audio_that_comes() -> None:
    ear = Ear(live())
    ear.sees(HangUpAsked())
    for now_ms in range(0, 6_000, 1_000):
        ear.at(now_ms).sees(delta(1_000))
    ear.at(6_500)
    assert ear.call.engine.ended is None
    ear.sees(done("r1"))
    ear.at(6_501)
    assert ear.call.engine.ended is EndReason.AGENT_HUNG_UP


def test_a_caller_who_barges_in_is_heard_out() -> None:
    ear = Ear(live())
    ear.sees(delta(1_500), done("r1"), HangUpAsked())
    ear.at(700).sees(SpeechStarted("u2"))
    assert ear.call.until(30_000 - 1).end is not EndReason.AGENT_HUNG_UP
    ear.call.sees(CallerAudio(frame()))
    assert ear.call.engine.ended in (None, EndReason.STREAM_DEAD)


def test_a_hang_up_that_was_given_up_can_be_asked_for_again() -> None:
    ear = Ear(live())
    ear.sees(delta(1_500), done("r1"), HangUpAsked())
    ear.at(700).sees(SpeechStarted("u2"))
    ear.call.caller_says("u2", "r2")
    ear.call.sees(*spoke("r2"))
    ear.call.hears_all()
    assert ear.call.sees(HangUpAsked()) == GOODBYE


# -- what ends a call ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (StreamStopped(), EndReason.CALLER_HUNG_UP),
        (PhoneLegLost(1006), EndReason.PHONE_LOST),
        (EndAsked(EndReason.DRAINED), EndReason.DRAINED),
        (EndAsked(EndReason.CANCELLED), EndReason.CANCELLED),
    ],
)
def test_each_end_has_its_reason(event: object, reason: EndReason) -> None:
    call = live()
    assert call.sees(event) == [EndCall(reason)]  # type: ignore[arg-type]
    assert call.engine.ended is reason


@pytest.mark.parametrize(
    "started",
    [
        StreamStarted("MZ1", "CA-other"),
        StreamStarted("MZ1", "CA1", encoding="audio/l16"),
        StreamStarted("MZ1", "CA1", sample_rate=16_000),
        StreamStarted("MZ1", "CA1", channels=2),
    ],
)
def test_a_stream_of_another_call_or_format_is_refused(started: StreamStarted) -> None:
    call = Script(call_sid="CA1")
    call.configured()
    assert call.sees(StreamJoined(), started) == [EndCall(EndReason.BAD_STREAM)]


def test_a_second_start_is_refused() -> None:
    assert Script().live().sees(STARTED).end is EndReason.BAD_STREAM


def test_a_stream_without_frames_is_dead_after_ten_seconds() -> None:
    call = Script(sends_frames=False).live()
    call.until(9_000)
    assert call.engine.hear(frame(), 9_000)
    assert call.until(18_999).end is None
    assert call.until(19_000) == [EndCall(EndReason.STREAM_DEAD)]


def test_nobody_speaking_ends_the_call_at_the_idle_limit() -> None:
    call = Script(limits={"idle_ms": 20_000, "dead_stream_ms": 10**9}).live()
    call.at(15_000).sees(SpeechStarted())
    assert call.until(34_999) == []
    assert call.until(35_000) == [EndCall(EndReason.IDLE)]


def test_a_key_or_an_agents_word_heard_keeps_the_call_alive() -> None:
    call = Script(limits={"idle_ms": 20_000, "dead_stream_ms": 10**9}).live()
    call.at(10_000).sees(Digit("1"))
    assert call.until(29_999) == []
    call.sees(created("r1"), delta(200), done("r1"))
    call.at(30_100).sees(MarkEchoed("p1"))
    assert call.until(50_099) == []
    assert call.until(50_100) == [EndCall(EndReason.IDLE)]


def test_the_time_limit_counts_from_the_start_of_the_stream() -> None:
    call = Script(limits={"max_duration_ms": 30_000, "dead_stream_ms": 10**9})
    call.configured()
    call.at(5_000).sees(StreamJoined(), STARTED)
    assert call.until(34_999) == []
    assert call.until(35_000) == [EndCall(EndReason.TIME_LIMIT)]


def test_early_ticks_do_nothing() -> None:
    call = Script().live()
    assert call.at(500).sees(Tick(), Tick(), Tick()) == []


# -- and nothing after it -----------------------------------------------------------------------


def test_nothing_is_asked_for_after_the_end() -> None:
    call = live()
    call.sees(StreamStopped())
    words: tuple[ModelEvent, ...] = (delta(200), done("r1", wants("c1")), SpeechStarted(), created("r2"))
    assert call.sees(*words, Tick(), CallerAudio(frame()), HangUpAsked(), ModelConnected(1, Dialect.GA)) == []
    assert not call.engine.hear(frame(), 10)
    assert call.engine.ended is EndReason.CALLER_HUNG_UP
    assert call.engine.next_deadline_ms is None


def test_the_first_reason_wins() -> None:
    call = live()
    call.sees(EndAsked(EndReason.DRAINED), StreamStopped())
    assert call.engine.ended is EndReason.DRAINED


def test_the_end_is_the_last_command_of_its_step() -> None:
    call = Script(sends_frames=False, limits={"idle_ms": 5_000, "dead_stream_ms": 5_000}).live()
    assert call.at(5_000).sees(Tick()) == [EndCall(EndReason.STREAM_DEAD)]


def test_words_nobody_heard_before_the_end_are_not_written_as_heard() -> None:
    ear = Ear(live())
    ear.sees(delta(1_000), TranscriptDone("r1", "i1", "one two three four"), done("r1"))
    ear.at(500).sees(StreamStopped())
    line = ear.call.engine.state.talk.history.get("i1")
    assert line is not None
    assert (line.heard_ms, line.heard_text()) == (500, "one two")


# -- digits, hooks, unknown words -----------------------------------------------------------------


def test_a_digit_runs_the_agents_hook() -> None:
    call = Script().live()
    assert call.sees(Digit("#")) == [RunHook("digit", "#")]
    assert call.engine.state.digits == 1


def test_the_start_runs_the_agents_hook_once_and_last() -> None:
    call = Script(greets=True, pad_ms=100)
    call.configured()
    assert call.sees(StreamConnected(), StreamJoined(), STARTED)[-1] == RunHook("start")
    assert call.said.count(RunHook("start")) == 1


def test_unknown_words_of_either_side_are_counted_never_raised() -> None:
    call = Script().live()
    assert call.sees(UnknownModelEvent("new.thing"), UnknownPhoneMessage("new")) == []
    assert call.engine.state.unknown_events == 2
