"""A telephone that sends no frames: whether it lives, and the silence that the model is given meanwhile."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.audio import payload_bytes
from llcphone.engine import CallEngine
from llcphone.engine.commands import EndCall
from llcphone.engine.events import EndReason
from llcphone.engine.status import Floor
from llcphone.engine.tape.recorder import Recorder, replay
from llcphone.realtime.events import SpeechStarted, SpeechStopped
from llcphone.realtime.messages import AppendAudio
from llcphone.twilio.media import CallerAudio, Digit, Mark, MarkEchoed
from tests.engine.script import Commands, Ear, Script, created, delta, done, frame
from tests.engine.setups import alarm_plan, echo_plan, recovery_plan, silence_plan

if TYPE_CHECKING:
    from collections.abc import Iterable


def silent(**setup: Any) -> Script:
    """A live call whose telephone sends only what the dialogue says."""
    return Script(sends_frames=False, **setup).live()


def says(call: Script, ms: int) -> None:
    """Frames of the caller in real time, from now on, and the model notices."""
    begin_ms = call.now_ms
    call.sees(SpeechStarted("u1"))
    for now_ms in range(begin_ms, begin_ms + ms, 20):
        call.until(now_ms)
        call.sees(CallerAudio(frame()))
    call.until(begin_ms + ms - 20)


def appended_ms(commands: Commands) -> int:
    """Caller audio that went to the model; all of it is silence here."""
    payloads = [each.payload for each in commands.model if isinstance(each, AppendAudio)]
    assert all(set(base64.b64decode(payload)) == {0xFF} for payload in payloads)
    return sum(map(payload_bytes, payloads)) // 8


def marks(commands: Iterable[object]) -> list[str]:
    return [each.name for each in commands if isinstance(each, Mark)]


# -- turns --------------------------------------------------------------------------------------


def test_while_the_caller_has_the_floor_missing_frames_are_silence_by_the_clock() -> None:
    call = silent()
    says(call, 1_000)
    frames, last_ms = call.engine.state.frames, call.engine.state.last_frame_ms
    assert 900 <= appended_ms(call.until(last_ms + 1_000)) <= 1_000
    assert (call.engine.state.frames, call.engine.state.last_frame_ms) == (frames, last_ms)
    assert call.engine.state.appended_bytes == 1_000 * 8 + 1_000 * 8  # the session counts all it was sent


def test_frames_that_are_only_late_are_no_gap() -> None:
    call = silent()
    says(call, 1_000)
    assert appended_ms(call.until(1_400)) == 0
    for _ in range(20):
        call.sees(CallerAudio(frame()))
    assert appended_ms(call.until(1_890)) == 0


def test_one_gap_is_filled_for_ten_seconds_at_most_and_the_next_one_anew() -> None:
    call = silent(limits={"dead_stream_ms": 10**9})
    says(call, 1_000)
    assert appended_ms(call.until(60_000)) == 10_000
    call.sees(CallerAudio(frame()), SpeechStarted("u2"))
    assert 900 <= appended_ms(call.until(61_000)) <= 1_000


def test_silence_is_filled_in_only_while_a_turn_waits_for_its_end() -> None:
    call = silent()
    assert appended_ms(call.until(3_000)) == 0  # nobody has spoken
    says(call, 1_000)
    call.until(4_700)
    call.sees(SpeechStopped("u1", 1_000))
    assert appended_ms(call.until(8_000)) == 0


def test_speech_over_the_agent_that_is_still_doubted_waits_for_its_end_too() -> None:
    call = silent(echo=echo_plan(after_ms=5_000))
    ear = Ear(call)
    ear.sees(created("r1"), delta(8_000), done("r1"))
    ear.at(1_000).sees(CallerAudio(frame()), SpeechStarted("u1"))
    assert 900 <= appended_ms(ear.plays_until(2_000)) <= 1_000


def test_a_caller_who_presses_to_talk_gets_no_silence_between_their_words() -> None:
    call = silent(session={"turn_detection": None})
    call.sees(CallerAudio(frame()))
    assert appended_ms(call.until(5_000)) == 0


def test_a_turn_that_no_silence_ends_is_left_open_and_the_floor_is_free() -> None:
    call = silent(
        limits={"dead_stream_ms": 10**9},
        alarms=alarm_plan(dead_air_ms=4_000),
        silence=silence_plan(after_ms=20_000, prompts=1),
    )
    says(call, 1_000)
    call.until(10_500)
    assert call.engine.state.talk.floor is Floor.CALLER
    call.until(11_000)
    assert call.engine.state.talk.floor is Floor.NOBODY
    call.until(16_000)
    assert [(each.kind, each.because) for each in call.engine.policies.alarms.raised] == [
        ("dead air", "model")
    ]
    call.sees(CallerAudio(frame()))
    call.until(25_000)
    assert len(call.engine.policies.alarms.raised) == 1


def test_the_model_is_not_blamed_for_a_phone_that_is_silent() -> None:
    call = silent(limits={"dead_stream_ms": 10**9}, recovery=recovery_plan())
    says(call, 2_000)
    call.until(60_000)
    assert call.engine.policies.recovery.gaps == []


def test_a_model_that_was_given_fifteen_seconds_of_turn_and_silence_is_deaf_all_the_same() -> None:
    call = silent(limits={"dead_stream_ms": 10**9}, recovery=recovery_plan())
    says(call, 6_000)
    call.until(14_999)
    assert call.engine.policies.recovery.gaps == []
    call.until(15_100)
    assert [gap.cause for gap in call.engine.policies.recovery.gaps] == ["long turn"]


def test_a_tape_of_missing_frames_replays() -> None:
    call = silent()
    says(call, 1_000)
    call.until(10_000)
    lines: list[bytes] = []
    recorder = Recorder(CallEngine(call.setup), lambda line: not lines.append(line), version="1")
    for event, now_ms in call.tape:
        if isinstance(event, CallerAudio):
            recorder.hear(event.payload, now_ms)
        else:
            recorder.handle(event, now_ms)
    recorder.close()
    assert b"append" in b"".join(lines).lower()
    assert replay(lines).difference is None


# -- life ---------------------------------------------------------------------------------------


def test_a_line_without_frames_is_asked_after_four_seconds_and_lives_as_long_as_it_echoes() -> None:
    call = silent(limits={"idle_ms": 10**9})
    ear = Ear(call)
    asked = [mark for now_ms in range(0, 60_001, 100) for mark in marks(ear.plays_until(now_ms).phone)]
    assert call.engine.ended is None
    assert asked == [f"here{number + 1}" for number in range(len(asked))]
    assert 13 <= len(asked) <= 15
    assert call.engine.state.talk.playout.stray_echoes == 0


def test_the_echo_of_our_question_is_no_word_heard() -> None:
    call = silent(alarms=alarm_plan(dead_air_ms=6_000), limits={"response_wait_ms": 10**6})
    ear = Ear(call)
    call.caller_says("u1", "r1")
    for now_ms in range(0, 9_000, 100):
        ear.plays_until(now_ms)
    assert [(each.kind, each.at_ms) for each in call.engine.policies.alarms.raised] == [("dead air", 6_000)]


def test_a_line_that_echoes_nothing_is_dead_after_ten_seconds() -> None:
    call = silent()
    assert marks(call.until(9_999).phone) == ["here1"]
    assert call.until(10_000) == [EndCall(EndReason.STREAM_DEAD)]


def test_an_echo_of_the_agents_words_is_a_sign_of_life() -> None:
    call = silent(limits={"idle_ms": 10**9})
    ear = Ear(call)
    ear.sees(created("r1"), delta(30_000), done("r1"))
    assert marks(ear.plays_until(29_900).phone) == []
    ear.plays_until(33_000)
    assert (call.engine.ended, ear.heard_ms) == (None, 30_000)


def test_a_key_is_a_sign_of_life() -> None:
    call = silent()
    call.until(8_000)
    call.sees(Digit("1"))
    assert call.until(17_999).end is None
    assert call.until(18_000).end is EndReason.STREAM_DEAD


@pytest.mark.parametrize("dead_ms", [500, 2_000, 10_000])
def test_however_short_the_limit_a_line_has_time_to_answer(dead_ms: int) -> None:
    call = silent(limits={"dead_stream_ms": dead_ms})
    asked = call.until(dead_ms // 2)
    assert marks(asked.phone) == ["here1"]
    call.sees(MarkEchoed("here1"))
    assert call.until(dead_ms).end is None


def test_a_line_that_sends_frames_is_never_asked() -> None:
    call = Script().live()
    assert call.until(100_000).phone == []


def test_a_question_lost_among_others_is_asked_again() -> None:
    call = silent()
    call.until(4_000)
    call.sees(Digit("1"))
    assert marks(call.until(8_000).phone) == ["here2"]
