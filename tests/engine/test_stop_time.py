"""How long a caller spoke before the agent fell silent: told with each barge-in."""

from __future__ import annotations

from llcphone.engine.events import InterruptAsked
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.twilio.media import CallerAudio
from tests.engine.script import Ear, Script, created, delta, frame
from tests.engine.setups import echo_plan


def talking(**setup: object) -> Ear:
    """The agent speaks for four seconds; the model has a second of the caller."""
    call = Script(**setup).live()
    for number in range(50):
        call.sees(CallerAudio(frame(number)))
    ear = Ear(call)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"), delta(4_000))
    return ear


def stops(ear: Ear) -> list[object]:
    return [note.fields.get("stop_ms") for note in ear.call.notes if note.kind == "barge-in"]


def test_it_counts_from_where_turn_detection_dates_the_speech() -> None:
    ear = talking()
    ear.at(500).sees(SpeechStarted("u2", audio_start_ms=700))  # the model has 1,000 ms: so 300 ago
    assert stops(ear) == [300]


def test_speech_that_was_doubted_was_heard_all_the_while() -> None:
    ear = talking(echo=echo_plan(after_ms=600))
    ear.at(500).sees(SpeechStarted("u2", audio_start_ms=900))
    ear.plays_until(1_100)
    assert stops(ear) == [700]


def test_a_silence_that_the_program_asked_for_has_none() -> None:
    ear = talking(echo=echo_plan(after_ms=600))
    ear.at(500).sees(SpeechStarted("u2", audio_start_ms=900))
    ear.at(700).sees(SpeechStopped("u2"))  # dismissed
    ear.at(800).sees(InterruptAsked())
    assert stops(ear) == [None]


def test_a_start_that_lies_in_the_future_is_now() -> None:
    ear = talking()
    ear.at(500).sees(SpeechStarted("u2", audio_start_ms=5_000))
    assert stops(ear) == [0]
