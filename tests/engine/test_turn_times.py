"""Where the time of a turn went, and to whose ear."""

from __future__ import annotations

from typing import Any

from llcphone.engine.events import ToolFinished
from llcphone.engine.parts.turn_times import Turn, vad_silence_ms
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped, Usage
from llcphone.twilio.media import CallerAudio, MarkEchoed
from tests.engine.script import SESSION, Script, created, delta, done, frame, has_answer, item_done, wants

SERVER_VAD = {**SESSION, "turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}


def turns(call: Script) -> list[Turn]:
    return call.engine.state.talk.timings.turns


def caller_turn(call: Script, *, ends_ms: int, decided_ms: int) -> None:
    """The caller's audio comes in real time; their turn ends there and is told then."""
    for now_ms in range(call.now_ms, decided_ms, 20):
        call.at(now_ms).sees(CallerAudio(frame()))
    call.at(decided_ms).sees(
        SpeechStarted("u1"), SpeechStopped("u1", audio_end_ms=ends_ms), InputCommitted("u1")
    )


def answered_by_steps(**setup: Any) -> Script:
    """Stopped at 1,400, decided 2,000, created 2,100, first delta and sent 2,300, 200 ms heard at 2,600."""
    call = Script(**setup).live()
    caller_turn(call, ends_ms=1_400, decided_ms=2_000)
    call.at(2_100).sees(created("r1"))
    call.at(2_300).sees(delta(200), item_done())
    call.at(2_600).sees(MarkEchoed("p1"))
    return call


def test_the_parts_of_a_turn_add_up_to_the_ears_gap() -> None:
    (turn,) = turns(answered_by_steps())
    assert turn.parts() == {"decided": 600, "created": 100, "first_delta": 200, "sent": 0, "heard": 100}
    assert turn.ear_gap_ms == sum(turn.parts().values()) == 1_000
    assert turn.longest == "decided"


def test_the_ear_began_to_hear_as_long_before_the_echo_as_the_mark_had_audio() -> None:
    (turn,) = turns(answered_by_steps())
    assert (turn.ear_ms, turn.heard_ms) == (2_400, 2_600)


def test_the_ear_never_hears_what_was_not_sent() -> None:
    call = Script().live()
    caller_turn(call, ends_ms=900, decided_ms=1_000)
    call.sees(created("r1"), delta(200), item_done())
    call.at(1_050).sees(MarkEchoed("p1"))  # a telephone that plays at once
    assert turns(call)[0].ear_ms == 1_000


def test_under_server_vad_the_silence_it_waited_for_is_in_the_ears_gap_and_not_in_the_answer_gap() -> None:
    (turn,) = turns(answered_by_steps(session=SERVER_VAD))
    assert (turn.spoke_until_ms, turn.caller_stopped_ms) == (900, 1_400)
    assert (turn.answer_gap_ms, turn.ear_gap_ms) == (900, 1_500)
    assert turn.parts()["decided"] == 1_100


def test_a_silence_that_nobody_tells_counts_as_none() -> None:
    assert vad_silence_ms({}) == vad_silence_ms({"turn_detection": None}) == 0
    assert vad_silence_ms({"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}) == 0


def test_what_tools_took_is_a_part_of_the_answer_they_were_called_for() -> None:
    call = Script().live()
    caller_turn(call, ends_ms=900, decided_ms=1_000)
    call.at(1_100).sees(created("r1"))
    call.at(1_300).sees(done("r1", wants("c1")))
    call.at(2_300).sees(ToolFinished("c1", "1"), has_answer("c1"))
    call.at(2_400).sees(created("r2", "tools"))
    call.at(2_700).sees(delta(100, "i2", "r2"), item_done("i2", "r2"))
    call.at(2_820).sees(MarkEchoed("p1"))
    first, second = turns(call)
    assert first.ear_gap_ms is None
    parts = {"decided": 100, "created": 100, "tools": 1_300, "first_delta": 300, "sent": 0, "heard": 20}
    assert second.parts() == parts
    assert second.longest == "tools"
    assert second.ear_gap_ms == 1_820


def test_the_greeting_has_parts_and_no_longest_because_nobody_waited_for_an_answer() -> None:
    call = Script(greets=True)
    call.configured()
    call.at(100).sees(created("g", "greeting"))
    call.at(500).sees(delta(100, "i1", "g"))
    (turn,) = turns(call)
    assert turn.parts() == {"first_delta": 400}
    assert (turn.longest, turn.ear_gap_ms) == ("", None)


def test_a_turn_has_its_tokens_and_the_record_its_times_from_birth() -> None:
    call = answered_by_steps()
    call.sees(done("r1", usage=Usage(input_text=100, cached_text=64, output_audio=4)))
    data = turns(call)[0].as_data(lambda at_ms: None if at_ms is None else at_ms - 1_000)
    assert data["usage"]["input_text"] == 100
    assert data["cached_share"] == 0.64
    assert (data["decided_ms"], data["ear_gap_ms"], data["longest"]) == (1_000, 1_000, "decided")
    assert data["cost_usd"] is None  # no price was given


def test_marks_after_the_first_do_not_move_the_moment_the_ear_began() -> None:
    call = answered_by_steps()
    call.sees(delta(200, "i2"), item_done("i2"))
    call.at(2_900).sees(MarkEchoed("p2"))
    assert turns(call)[0].ear_ms == 2_400
