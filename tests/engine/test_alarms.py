"""Slow turns and dead air, as an operator is told of them."""

from __future__ import annotations

from typing import Any

from llcphone.engine.events import Born, LoopHeld, ModelConnected, StreamJoined, ToolFinished
from llcphone.engine.parts.timers import Timer
from llcphone.engine.status import OngoingSilence
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.twilio.media import CallerAudio
from tests.engine.script import (
    STARTED,
    Ear,
    Script,
    created,
    delta,
    done,
    frame,
    item_done,
    live,
    speech,
    spoke,
    wants,
)
from tests.engine.setups import alarm_plan, recovery_plan

LIMIT_MS = 3_000


def told(call: Script, kind: str) -> list[tuple[int, str]]:
    """Milliseconds and cause of each alarm of this kind."""
    alarms = [alarm for alarm in call.engine.policies.alarms.raised if alarm.kind == kind]
    notes = [note.fields for note in call.notes if note.kind == kind]
    assert [(fields["ms"], fields["because"]) for fields in notes] == [
        (alarm.lasted_ms, alarm.because) for alarm in alarms
    ]
    return [(alarm.lasted_ms, alarm.because) for alarm in alarms]


def watched(**setup: Any) -> tuple[Script, Ear]:
    """A live call, however long it is; only the model owes something."""
    limits = {"dead_stream_ms": 10**9, "response_wait_ms": 10**6}
    call = Script(alarms=alarm_plan(dead_air_ms=LIMIT_MS), limits=limits, **setup).live()
    return call, Ear(call)


def test_an_answer_heard_too_late_is_a_slow_turn_and_its_longest_part_is_named() -> None:
    call = Script(alarms=alarm_plan(slow_turn_ms=1_000)).live()
    for now_ms in range(0, 1_000, 20):
        call.at(now_ms).sees(CallerAudio(frame()))
    ear = Ear(call.at(1_000))
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1", audio_end_ms=800), InputCommitted("u1"))
    ear.at(1_100)
    ear.sees(created("r1"))
    ear.at(2_000)
    ear.sees(delta(200), item_done(), done("r1"))
    assert told(call, "slow turn") == []  # not heard yet
    ear.at(2_300)
    ((gap_ms, because),) = told(call, "slow turn")
    assert gap_ms == call.engine.state.talk.timings.turns[0].ear_gap_ms == 1_200
    assert because == "first_delta"


def test_a_turn_within_the_limit_is_no_alarm() -> None:
    call = live(alarms=alarm_plan(slow_turn_ms=1_000))
    ear = Ear(call)
    ear.at(900)
    ear.sees(delta(200), item_done(), done("r1"))
    ear.at(1_200)
    assert call.engine.state.talk.timings.turns[0].ear_gap_ms == 900
    assert told(call, "slow turn") == []


def test_silence_after_the_callers_turn_is_dead_air_once() -> None:
    call, ear = watched()
    ear.at(1_000)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    ear.at(3_999)
    assert told(call, "dead air") == []
    ear.at(20_000)
    assert told(call, "dead air") == [(LIMIT_MS, "model")]
    assert call.engine.policies.alarms.raised[0].at_ms == 4_000


def test_an_onlooker_sees_how_long_a_silence_has_lasted_until_somebody_is_heard() -> None:
    call, ear = watched()
    ear.at(1_000)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    ear.at(3_999)
    assert call.engine.activity().dead_air is None
    ear.at(90_000)
    assert call.engine.activity().dead_air == OngoingSilence(1_000, "model")
    ear.sees(created("r1"), delta(400))
    ear.at(90_100)
    assert call.engine.activity().dead_air is None


def test_a_second_silence_is_a_second_alarm() -> None:
    call, ear = watched()
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    ear.at(5_000)
    ear.sees(created("r1"), delta(400))
    ear.at(10_000)  # the rest of the answer does not come
    assert told(call, "dead air") == [(LIMIT_MS, "model")] * 2
    assert call.engine.policies.alarms.raised[1].at_ms == 5_400 + LIMIT_MS


def test_a_caller_who_thinks_or_speaks_for_long_is_no_dead_air() -> None:
    call, ear = watched()
    ear.at(30_000)
    ear.sees(SpeechStarted("u1"))
    ear.at(60_000)
    assert told(call, "dead air") == []


def test_an_answer_that_plays_is_heard_however_early_it_was_sent() -> None:
    call, ear = watched()
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"))
    for _ in range(20):
        ear.sees(delta(400))
    ear.at(7_900)
    assert told(call, "dead air") == []


def test_a_tool_that_works_in_silence_is_dead_air_of_the_tools() -> None:
    call, ear = watched()
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"))
    ear.sees(delta(1_000), item_done(), done("r1", wants("c1")))
    ear.at(3_900)
    assert told(call, "dead air") == []
    ear.at(6_000)
    assert told(call, "dead air") == [(LIMIT_MS, "tools")]
    ear.sees(ToolFinished("c1", "1"))


def test_a_filler_is_heard() -> None:
    filler = recovery_plan(filler=(speech(2_000),), filler_every_ms=2_500, limit_ms=20_000)
    call, ear = watched(recovery=filler)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"))
    ear.at(12_000)  # the model says nothing: stalled after 4 s, fillers from then on
    assert [note.kind for note in call.notes].count("filler") >= 3
    assert told(call, "dead air") == [(LIMIT_MS, "model")]


def test_a_caller_who_waits_for_the_session_waits_in_dead_air() -> None:
    call = Script(alarms=alarm_plan(dead_air_ms=LIMIT_MS), greets=True, limits={"dead_stream_ms": 10**9})
    call.sees(Born(), ModelConnected(1, Dialect.GA), StreamJoined(), STARTED)
    call.until(3_500)
    assert told(call, "dead air") == [(LIMIT_MS, "session")]


def test_without_a_limit_nothing_is_watched() -> None:
    call = live(limits={"dead_stream_ms": 10**9, "response_wait_ms": 10**6})
    call.until(60_000)
    assert told(call, "dead air") == told(call, "slow turn") == []


def test_a_record_keeps_a_hundred_alarms_and_a_long_call_no_more() -> None:
    call, ear = watched()
    for turn in range(105):
        ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
        ear.at(turn * 7_000 + 6_900)
        ear.sees(created(f"r{turn}"), *spoke(f"r{turn}"))
        ear.at(turn * 7_000 + 7_000)
    assert len([note for note in call.notes if note.kind == "dead air"]) == 105
    assert len(call.engine.policies.alarms.raised) == 100


def test_an_answer_that_is_made_before_anybody_is_on_the_line_keeps_nobody_waiting() -> None:
    call = Script(alarms=alarm_plan(dead_air_ms=LIMIT_MS), greets=True)
    call.configured()
    call.until(20_000)
    assert told(call, "dead air") == []


def test_nobody_wakes_while_nothing_is_due() -> None:
    call, ear = watched()
    ear.at(LIMIT_MS)
    assert call.engine.state.timers.get(Timer.DEAD_AIR) is None
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"))
    assert call.engine.state.timers.get(Timer.DEAD_AIR) == 2 * LIMIT_MS


def test_a_create_of_ours_that_is_never_answered_is_dead_air() -> None:
    call, ear = watched(greets=True)
    ear.at(60_000)
    assert told(call, "dead air") == [(LIMIT_MS, "model")]


def test_silence_while_a_tool_of_any_call_held_the_loop_is_the_tools() -> None:
    call, ear = watched()
    ear.at(1_000)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    ear.at(3_900)
    call.at(3_900).sees(LoopHeld("tool look_up", 2_600))
    ear.at(20_000)
    assert told(call, "dead air") == [(LIMIT_MS, "tool look_up")]


def test_a_short_hold_is_not_blamed_for_a_long_silence() -> None:
    call, ear = watched()
    ear.at(1_000)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    for now_ms in (2_000, 3_000):
        ear.at(now_ms)
        call.at(now_ms).sees(LoopHeld("tool look_up", 400))
    ear.at(20_000)
    assert told(call, "dead air") == [(LIMIT_MS, "model")]


def test_holds_of_one_tool_add_up_for_a_slow_turn() -> None:
    call = live(alarms=alarm_plan(slow_turn_ms=1_000))
    for now_ms in range(0, 1_000, 20):
        call.at(now_ms).sees(CallerAudio(frame()))
    ear = Ear(call.at(1_000))
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1", audio_end_ms=800), InputCommitted("u1"), created("r1"))
    for now_ms in (1_500, 2_000):
        ear.at(now_ms)
        call.at(now_ms).sees(LoopHeld("hook on_start", 550))
    ear.sees(delta(200), item_done(), done("r1"))
    ear.at(2_300)
    assert [because for _, because in told(call, "slow turn")] == ["hook on_start"]
