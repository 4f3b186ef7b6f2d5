"""A response that was due and ends without a sound is still owed; each cause is told truthfully."""

from __future__ import annotations

import json

import pytest

from llcphone.engine.commands import CloseModel
from llcphone.engine.events import EndReason, InterruptAsked, ModelConnected, ToolFinished
from llcphone.engine.resumed import Owed
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    InputCommitted,
    Item,
    ModelError,
    OutputItemAdded,
    OutputItemDone,
    RateLimits,
    ResponseDone,
    ResponseStatus,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TranscriptDone,
)
from llcphone.realtime.messages import CreateResponse, DeleteItem, ToolOutput
from tests.engine.script import (
    CANCELLED,
    COMPLETED,
    FAILED,
    INCOMPLETE,
    ULAW,
    Commands,
    Ear,
    Script,
    created,
    delta,
    done,
    live,
    speech,
    spoke,
    wants,
)
from tests.engine.setups import alarm_plan, recovery_plan

FILLER, APOLOGY = speech(100), speech(200)
PLAN = recovery_plan(filler=(FILLER,), apology=(APOLOGY,))
MESSAGE = Item("i1", "message", "completed")
QUICK = {"dead_stream_ms": 10**9, "response_wait_ms": 3_000}


def creates(commands: Commands) -> list[str]:
    return [each.purpose for each in commands.model if isinstance(each, CreateResponse)]


def deleted(commands: Commands) -> list[str]:
    return [each.item_id for each in commands.model if isinstance(each, DeleteItem)]


def answers(commands: Commands) -> dict[str, object]:
    return {each.call_id: json.loads(each.output) for each in commands.model if isinstance(each, ToolOutput)}


def waiting(**setup: object) -> Script:
    """A call whose answer ``r1`` has begun, and which survives its model."""
    return live(recovery=PLAN, limits=QUICK, **setup)


ENDINGS = {
    "in text": [TextDelta("r1", "i1", "We open at nine."), done("r1", MESSAGE)],
    "in text, output not listed": [TextDelta("r1", "i1", "We open at nine."), done("r1")],
    "empty": [done("r1")],
    "too long": [done("r1", status=INCOMPLETE, reason="max_output_tokens")],
    "filtered": [done("r1", status=INCOMPLETE, reason="content_filter")],
    "cancelled by the server": [done("r1", status=CANCELLED, reason="client_cancelled")],
    "half a call": [done("r1", wants("c1", status="incomplete"), status=INCOMPLETE)],
    "an empty message": [OutputItemAdded("r1", Item("i1", "message", "in_progress")), done("r1")],
    "an empty piece of audio": [delta(0), done("r1", MESSAGE)],
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_an_answer_without_a_sound_is_asked_for_once_more(ending: list[object]) -> None:
    call = waiting()
    ended = call.sees(*ending)  # type: ignore[arg-type]
    ended += call.until(3_000)
    assert creates(ended) == ["turn"]
    assert call.engine.state.pending.owed is Owed.ANSWER
    call.sees(created("r2", "turn"), *spoke("r2"))
    assert creates(call.until(9_000)) == []
    assert call.engine.state.pending.owed is Owed.NOTHING


def test_what_the_model_wrote_is_forgotten_by_it_and_stands_as_unheard() -> None:
    call = waiting()
    ended = call.sees(TextDelta("r1", "i1", "We open "), TextDelta("r1", "i1", "at nine."), done("r1"))
    assert deleted(ended) == ["i1"]
    (line,) = [each for each in call.engine.state.talk.history.lines() if each.item_id == "i1"]
    assert (line.text, line.written, line.heard_text(), line.heard_ms) == ("We open at nine.", True, "", 0)


def test_three_answers_without_a_sound_cost_the_session_and_the_caller_hears_something() -> None:
    ear = Ear(waiting())
    ear.sees(done("r1"))
    for response in ("r2", "r3"):
        assert creates(ear.plays_until(ear.now_ms + 700)) == ["turn"]
        ear.sees(created(response, "turn"), done(response))
    assert CloseModel(1) in ear.call.said
    assert ear.call.engine.policies.recovery.gaps[0].cause == "no sound"
    assert ear.plays_until(ear.now_ms + 700).audio_ms > 0 or ear.played


def test_a_second_session_without_a_sound_is_the_last() -> None:
    ear = Ear(waiting())
    numbers = iter(range(2, 20))
    ear.sees(done("r1"))
    asked = 0
    while ear.call.engine.policies.recovery.given_up is None and ear.now_ms < 60_000:
        told = ear.plays_until(ear.now_ms + 50)
        if not ear.call.engine.state.session.ready:
            told += ear.sees(ModelConnected(ear.call.engine.state.session.leg_number, Dialect.GA), ULAW)
        for purpose in creates(told):
            asked += 1
            number = next(numbers)
            ear.sees(created(f"r{number}", purpose), done(f"r{number}"))
    assert asked == 5
    ear.plays_until(ear.now_ms + 2_000)
    assert ear.call.engine.ended is EndReason.MODEL_LOST
    assert ear.now_ms < 15_000


def test_without_recovery_three_answers_without_a_sound_end_the_call() -> None:
    call = live()
    call.sees(done("r1"))
    for response in ("r2", "r3"):
        assert creates(call.until(call.now_ms + 700)) == ["turn"]
        ended = call.sees(created(response, "turn"), done(response))
    assert ended.end is EndReason.MODEL_LOST


def test_a_caller_who_speaks_meanwhile_is_answered_instead() -> None:
    call = waiting()
    call.sees(done("r1"), SpeechStarted("u2"))
    assert creates(call.until(2_000)) == []
    call.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), *spoke("r2"))
    assert creates(call.until(20_000)) == []


def test_an_answer_cancelled_for_the_caller_is_not_owed() -> None:
    call = waiting()
    ended = call.sees(SpeechStarted("u2"), done("r1", wants("c1"), status=CANCELLED, reason="turn_detected"))
    assert answers(ended) == {"c1": {"error": "not run: the caller interrupted"}}
    call.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), *spoke("r2"))
    call.until(20_000)
    assert creates(call.said) == []


def test_a_response_of_silent_tools_alone_is_meant_to_be_silent() -> None:
    call = waiting()
    call.sees(done("r1", wants("c1", "note_down")), ToolFinished("c1", "1"))
    call.until(20_000)
    assert creates(call.said) == []
    assert call.engine.state.pending.owed is Owed.NOTHING


def test_text_beside_a_silent_tool_is_still_owed_as_sound() -> None:
    call = waiting()
    call.sees(TextDelta("r1", "i1", "Noted."), done("r1", wants("c1", "note_down")), ToolFinished("c1", "1"))
    assert creates(call.until(1_000)) == ["turn"]


def test_a_response_out_of_band_owes_nothing() -> None:
    call = Script(recovery=PLAN, limits=QUICK).live()
    call.sees(created("x1", "summary", in_conversation=False), TextDelta("x1", "x1-i", "Words."))
    call.sees(ResponseDone("x1", COMPLETED, in_conversation=False, purpose="summary"))
    assert creates(call.until(20_000)) == []
    assert call.engine.state.talk.history.lines() == []


@pytest.mark.parametrize("status", [COMPLETED, INCOMPLETE, CANCELLED, FAILED])
def test_a_greeting_without_a_sound_is_greeted_again(status: ResponseStatus) -> None:
    call = Script(greets=True, recovery=PLAN, limits=QUICK).live()
    call.sees(created("r1", "greeting"), done("r1", status=status))
    assert not call.engine.state.talk.greeting_over
    assert creates(call.until(1_000)) == ["greeting"]


@pytest.mark.parametrize("status", [COMPLETED, INCOMPLETE, CANCELLED])
def test_the_answer_about_a_tool_is_owed_too(status: ResponseStatus) -> None:
    call = waiting()
    call.sees(done("r1", wants("c1")), ToolFinished("c1", "1"), created("r2", "tools"))
    call.sees(done("r2", status=status))
    assert creates(call.until(1_000)) == ["tools"]


def test_dead_air_of_an_answer_without_a_sound_is_alarmed() -> None:
    call = live(alarms=alarm_plan(dead_air_ms=3_000), limits=QUICK)
    call.sees(done("r1"))
    call.until(10_000)
    assert [alarm.kind for alarm in call.engine.policies.alarms.raised] == ["dead air"]


def test_dead_air_is_alarmed_although_nothing_is_owed_any_more() -> None:
    call = live(alarms=alarm_plan(dead_air_ms=3_000), limits=QUICK)
    call.sees(done("r1", wants("c1", "note_down")), ToolFinished("c1", "1"))
    call.until(10_000)
    assert [alarm.because for alarm in call.engine.policies.alarms.raised] == ["model"]


# -- every cause is told truthfully -------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (done("r1", wants("c1", status="incomplete"), status=INCOMPLETE), "its arguments were cut off"),
        (done("r1", wants("c1", status="in_progress")), "its arguments were cut off"),
        (done("r1", wants("c1"), status=FAILED), "the response failed"),
        (done("r1", wants("c1"), status=CANCELLED), "the response was cancelled"),
        (done("r9", wants("c1")), "its response was never announced, or is over"),
    ],
)
def test_the_model_reads_why_a_tool_did_not_run(ending: ResponseDone, why: str) -> None:
    ended = waiting().sees(ending)
    assert ended.tools == []
    assert answers(ended) == {"c1": {"error": f"not run: {why}"}}


def test_an_interruption_by_the_program_is_not_the_callers() -> None:
    ended = waiting().sees(InterruptAsked(), done("r1", wants("c1"), status=CANCELLED))
    assert answers(ended) == {"c1": {"error": "not run: the response was cancelled"}}


# -- items are known from whichever event tells of them -----------------------------------------


def test_a_tool_call_that_stands_in_its_own_event_only_runs() -> None:
    call = waiting()
    assert call.sees(OutputItemDone("r1", wants("c1")), done("r1")).tools == ["c1"]


def test_a_tool_call_that_is_told_twice_runs_once() -> None:
    call = waiting()
    told = call.sees(OutputItemAdded("r1", wants("c1", status="in_progress")))
    told += call.sees(OutputItemDone("r1", wants("c1")), done("r1", wants("c1")), done("r1", wants("c1")))
    assert told.tools == ["c1"]
    assert answers(told) == {}


def test_a_cancelled_call_that_stands_in_its_own_event_only_is_answered_once() -> None:
    call = waiting()
    call.sees(OutputItemDone("r1", wants("c1")), SpeechStarted("u2"))
    ended = call.sees(done("r1", status=CANCELLED), done("r1", status=CANCELLED))
    assert ended.tools == []
    assert answers(ended) == {"c1": {"error": "not run: the caller interrupted"}}


def test_a_response_cut_before_it_sounded_leaves_no_line_though_its_items_are_not_listed() -> None:
    call = waiting()
    call.sees(TranscriptDone("r1", "i1", "We open at nine."), SpeechStarted("u2"))
    assert deleted(call.sees(done("r1", status=CANCELLED))) == ["i1"]
    assert call.engine.state.talk.history.get("i1") is None


def test_lengths_are_known_though_the_items_are_not_listed() -> None:
    call = waiting()
    call.sees(TranscriptDone("r1", "i1", "We open at nine."), delta(1_000), done("r1"))
    line = call.engine.state.talk.history.get("i1")
    assert line is not None
    assert (line.text, line.generated_ms) == ("We open at nine.", 1_000)


# -- what the far side says about time ----------------------------------------------------------


def limited(seconds: str) -> ResponseDone:
    text = f"Rate limit reached. Please try again in {seconds}. Visit our page."
    return done("r1", status=FAILED, error_code="rate_limit_exceeded", error_message=text)


@pytest.mark.parametrize(("seconds", "ms"), [("3.2s", 3_200), ("8s", 8_000), ("350ms", 350)])
def test_the_next_create_leaves_at_the_named_moment_on_the_same_session(seconds: str, ms: int) -> None:
    ear = Ear(waiting())
    ear.sees(limited(seconds))
    assert creates(ear.plays_until(ms - 1)) == []
    assert creates(ear.plays_until(ms)) == ["turn"]
    assert ear.call.engine.policies.recovery.gaps == []
    ear.sees(created("r2", "turn"), *spoke("r2"))
    ear.plays_until(20_000)
    assert ear.call.engine.ended is None


def test_a_wait_beyond_the_limit_is_apologised_for_at_once() -> None:
    ear = Ear(waiting())
    assert ear.sees(limited("12s")).audio_ms == 200
    assert ear.call.engine.policies.recovery.given_up is EndReason.MODEL_LOST


def test_an_exhausted_quota_is_still_final() -> None:
    ear = Ear(waiting())
    text = "You exceeded your quota. Please try again in 1s."
    ear.sees(done("r1", status=FAILED, error_code="insufficient_quota", error_message=text))
    assert ear.call.engine.policies.recovery.given_up is EndReason.MODEL_REFUSED


def test_limits_that_name_no_moment_are_tried_with_growing_pauses_until_the_limit() -> None:
    ear = Ear(waiting())
    times, number = [], 1
    ear.sees(done("r1", status=FAILED, error_code="rate_limit_exceeded"))
    while ear.call.engine.policies.recovery.given_up is None:
        if creates(ear.plays_until(ear.now_ms + 10)):
            times.append(ear.now_ms)
            number += 1
            ear.sees(created(f"r{number}", "turn"))
            ear.sees(done(f"r{number}", status=FAILED, error_code="rate_limit_exceeded"))
    pauses = [after - before for before, after in zip([0, *times], times, strict=False)]
    assert pauses == [250, 500, 1_000, 2_000, 2_000, 1_250]
    assert ear.call.engine.policies.recovery.gaps == []
    fillers = [each for each in ear.call.notes if each.kind == "filler"]
    assert len(fillers) == 2


def test_a_limit_that_is_used_up_says_when_it_is_there_again() -> None:
    call = waiting()
    call.sees(done("r1", status=FAILED, error_code="rate_limit_exceeded"))
    call.sees(RateLimits({"tokens": (1_000, 0, 4.0), "requests": (400, 399, 0.2)}))
    assert creates(call.until(3_999)) == []
    assert creates(call.until(4_000)) == ["turn"]


def test_an_error_event_that_names_a_wait_is_heeded_like_a_failed_response() -> None:
    call = Script(greets=True, recovery=PLAN, limits=QUICK).live()
    call.sees(ModelError("rate_limit_exceeded", message="Please try again in 2s."))
    assert creates(call.until(1_999)) == []
    assert creates(call.until(2_000)) == ["greeting"]


def test_a_rate_limit_of_one_question_does_not_hold_back_the_answer_to_the_next() -> None:
    call = waiting()
    call.sees(limited("5s"))
    call.at(1_000).caller_says("u2", "r2")
    call.sees(*spoke("r2"))
    assert creates(call.until(20_000)) == []
    assert call.engine.ended is None
