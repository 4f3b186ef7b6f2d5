"""Tools whose time has passed: the model is told at once, and the result later or never."""

from __future__ import annotations

import json
from typing import Any

from llcphone.engine.events import HangUpAsked, ModelConnected, ModelLegLost, ToolFinished
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CreateResponse, ToolCall, ToolOutput
from tests.engine.script import (
    CANCELLED,
    ULAW,
    Script,
    created,
    delta,
    done,
    has_answer,
    live,
    spoke,
    wants,
)
from tests.engine.setups import recovery_plan, tool_plan, tool_rule

SPEAK = CreateResponse("tools")
PLAN = tool_plan(
    (
        tool_rule("look_up", 5_000),
        tool_rule("book", 5_000, goes_on=True, deliver=True, irreversible=True),
        tool_rule("note_down", 5_000, goes_on=True),
    )
)
PATIENT = {"dead_stream_ms": 600_000}
"""These callers send no frames."""
RUNNING = {"status": "still running after 5 s; its result will follow"}
TOLD_LATE = [ToolCall("late-1", "book", "{}"), ToolOutput("late-1", '"done"')]


def calling(*calls: tuple[str, str], **setup: Any) -> Script:
    """A response has ended that called these tools; it is 0 ms."""
    call = live(tool_plan=PLAN, limits=PATIENT, **setup)
    call.sees(done("r1", *(wants(call_id, name) for call_id, name in calls)))
    return call


def outputs(messages: list[object]) -> dict[str, Any]:
    return {m.call_id: json.loads(m.output) for m in messages if isinstance(m, ToolOutput)}


def told_to_wait() -> Script:
    """The booking goes on; the model was told so, and has said it."""
    call = calling(("c1", "book"))
    call.until(5_000)
    call.sees(has_answer("c1"), created("r2", "tools"), delta(200, "i2", "r2"), done("r2"))
    return call


# -- the deadline -------------------------------------------------------------------------------


def test_a_tool_that_answers_in_time_is_not_called_late() -> None:
    call = calling(("c1", "look_up"))
    assert call.until(4_999).model == []
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1"), SPEAK]
    assert call.until(20_000).model == []


def test_at_its_deadline_the_model_is_told_and_speaks() -> None:
    told = calling(("c1", "look_up")).until(5_000).model
    assert outputs(told) == {"c1": {"error": "timed out after 5 s"}}
    assert told[-1] == SPEAK


def test_the_result_of_a_tool_that_was_given_up_is_dropped() -> None:
    call = calling(("c1", "look_up"))
    call.until(5_000)
    assert call.sees(ToolFinished("c1", "1")) == []


def test_a_tool_that_goes_on_unheard_says_so_and_its_result_is_dropped() -> None:
    call = calling(("c1", "note_down"))
    error = "no answer after 5 s; it goes on, and its result will not be told"
    assert outputs(call.until(5_000).model) == {"c1": {"error": error}}
    assert call.sees(ToolFinished("c1", "1")) == []


def test_one_late_tool_holds_the_batch_until_its_deadline_and_no_longer() -> None:
    call = calling(("c1", "look_up"), ("c2", "look_up"))
    call.at(1_000)
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2")]
    told = call.until(5_000).model
    assert list(outputs(told)) == ["c1"]
    assert told.count(SPEAK) == 1


def test_each_call_has_its_own_deadline() -> None:
    call = calling(("c1", "look_up"))
    call.at(2_000).caller_says("u2", "r2")
    call.sees(done("r2", wants("c2")))
    assert list(outputs(call.until(5_000).model)) == ["c1"]
    assert list(outputs(call.until(7_000).model)) == ["c2"]


def test_a_tool_without_a_limit_is_waited_for() -> None:
    call = live(limits=PATIENT)
    call.sees(done("r1", wants("c1")))
    assert call.until(100_000).model == []


# -- results that come late ---------------------------------------------------------------------


def test_a_late_result_is_told_as_a_call_of_its_own_and_spoken_about_once() -> None:
    call = calling(("c1", "book"))
    assert outputs(call.until(5_000).model) == {"c1": RUNNING}
    call.sees(has_answer("c1"), created("r2", "tools"), *spoke("r2"))
    assert call.at(9_000).sees(ToolFinished("c1", '"done"')).model == [*TOLD_LATE, SPEAK]
    assert call.sees(ToolFinished("c1", '"done"')) == []
    call.sees(has_answer("late-1"), created("r3", "tools"), *spoke("r3"))
    assert call.until(60_000).model == []


def test_a_late_result_comes_while_the_caller_speaks_and_is_told_but_not_spoken_over_them() -> None:
    call = told_to_wait()
    call.at(6_000).sees(SpeechStarted("u2"))
    assert call.sees(ToolFinished("c1", '"done"')).model == TOLD_LATE
    call.sees(has_answer("late-1"), SpeechStopped("u2"), InputCommitted("u2"))
    assert SPEAK not in call.sees(created("r3"), *spoke("r3")).model  # that answer had it in sight
    assert call.until(60_000).model == []


def test_a_late_result_that_the_answer_to_the_caller_could_not_see_is_spoken_about_after_it() -> None:
    call = told_to_wait()
    call.at(6_000).caller_says("u2", "r3")
    assert call.sees(ToolFinished("c1", '"done"')).model == TOLD_LATE
    assert call.sees(has_answer("late-1"), done("r3")).model == [SPEAK]


def test_a_late_result_that_the_server_may_not_have_had_in_sight_is_spoken_about() -> None:
    call = told_to_wait()
    call.at(6_000).sees(SpeechStarted("u2"))
    assert call.sees(ToolFinished("c1", '"done"')).model == TOLD_LATE
    call.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r3"))  # it never said that it has it
    assert call.sees(done("r3")).model == [SPEAK]


def test_a_tool_that_ends_with_its_deadline_promises_nothing() -> None:
    call = live(tool_plan=tool_plan((tool_rule("look_up", 5_000, deliver=True),)))
    call.sees(done("r1", wants("c1")))
    assert outputs(call.until(5_000).model) == {"c1": {"error": "timed out after 5 s"}}
    assert call.sees(ToolFinished("c1", "1")) == []


def test_a_late_result_of_a_silent_tool_is_told_and_not_spoken_about() -> None:
    call = calling(("c1", "book"), silent_tools=frozenset({"book"}))
    assert SPEAK not in call.until(5_000).model
    assert call.sees(ToolFinished("c1", '"done"')).model == TOLD_LATE


def test_late_news_does_not_hold_a_call_that_hangs_up() -> None:
    call = told_to_wait()
    call.sees(HangUpAsked())
    late = call.sees(ToolFinished("c1", '"done"'))
    assert late.model == TOLD_LATE
    assert SPEAK not in call.until(9_000).model


def test_two_late_results_are_two_calls() -> None:
    call = calling(("c1", "book"), ("c2", "book"))
    call.until(5_000)
    call.sees(has_answer("c1"), has_answer("c2"), created("r2", "tools"), *spoke("r2"))
    told = call.sees(ToolFinished("c2", "2"), ToolFinished("c1", "1")).model
    assert outputs(told) == {"late-1": 2, "late-2": 1}
    assert told.count(SPEAK) == 1


# -- a lost session -----------------------------------------------------------------------------


def lost(call: Script) -> None:
    call.sees(ModelLegLost(call.engine.state.session.leg_number))


def reborn(call: Script) -> list[object]:
    return call.sees(ModelConnected(call.engine.state.session.leg_number, Dialect.GA), ULAW).model


def test_a_result_that_comes_late_between_two_sessions_is_the_calls_only_answer() -> None:
    call = calling(("c1", "book"), recovery=recovery_plan())
    call.until(5_000)
    call.sees(has_answer("c1"), created("r2", "tools"), *spoke("r2"))
    lost(call)
    assert call.sees(ToolFinished("c1", '"done"')).model == []
    told = reborn(call)
    assert outputs(told) == {"c1": "done"}
    assert told.count(SPEAK) == 1
    call.sees(has_answer("c1"), created("r3", "tools"), *spoke("r3"))
    assert call.until(60_000).model == []
    call.caller_says("u2", "r4")
    call.sees(done("r4", wants("c2")), SpeechStarted("u3"), ToolFinished("c2", "2"), has_answer("c2"))
    call.sees(SpeechStopped("u3"), InputCommitted("u3"), created("r5"))
    assert call.sees(*spoke("r5")).model == []  # all answers are known to be in sight


def test_a_result_told_late_is_the_only_answer_that_a_next_session_knows() -> None:
    call = told_to_wait()
    call.sees(ToolFinished("c1", '"done"'), has_answer("late-1"), created("r3", "tools"), done("r3"))
    call = calling(("c1", "book"), recovery=recovery_plan())
    call.until(5_000)
    call.sees(has_answer("c1"), created("r2", "tools"), done("r2"), ToolFinished("c1", '"done"'))
    lost(call)
    told = reborn(call)
    assert outputs(told) == {"c1": "done"}
    assert [m.call_id for m in told if isinstance(m, ToolCall)] == ["c1"]


def test_a_deadline_that_passes_between_two_sessions_is_told_to_the_next() -> None:
    call = calling(("c1", "look_up"), recovery=recovery_plan(limit_ms=20_000))
    lost(call)
    assert call.until(5_000).model == []
    told = reborn(call)
    assert outputs(told) == {"c1": {"error": "timed out after 5 s"}}


def test_a_call_that_was_answered_is_not_run_again_by_a_next_session() -> None:
    call = calling(("c1", "look_up"), recovery=recovery_plan())
    call.sees(ToolFinished("c1", "1"))
    lost(call)
    reborn(call)
    call.sees(created("r2", "tools"))
    assert call.sees(done("r2", wants("c1"))).tools == []


def test_a_result_that_was_to_follow_has_no_answer_when_the_process_ends() -> None:
    call = calling(("c1", "book"), ("c2", "look_up"))
    call.until(5_000)
    kept = {line.item_id: line.output for line in call.engine.kept(call.now_ms).lines if line.name}
    assert kept["c1"] is None
    assert kept["c2"] is not None
    call.sees(ToolFinished("c1", '"done"'))
    assert call.engine.kept(call.now_ms).lines[-2].output == '"done"'


# -- second thoughts ----------------------------------------------------------------------------


def test_an_irreversible_tool_does_not_run_while_the_caller_cuts_in() -> None:
    call = live(tool_plan=PLAN, limits=PATIENT)
    call.sees(delta(500))
    call.at(100).sees(SpeechStarted("u2"))
    ended = call.sees(done("r1", wants("c1", "book"), wants("c2", "look_up")))
    assert ended.tools == ["c2"]
    assert outputs(ended.model) == {"c1": {"error": "not run: the caller interrupted"}}


def test_an_irreversible_tool_runs_when_nobody_objects() -> None:
    assert calling(("c1", "book")).said.tools == ["c1"]


def test_calls_of_a_cancelled_response_have_no_deadline() -> None:
    call = live(tool_plan=PLAN, limits=PATIENT)
    call.sees(SpeechStarted("u2"), done("r1", wants("c1"), status=CANCELLED))
    assert call.until(60_000).model == []
