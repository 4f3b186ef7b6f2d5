"""Tool calls: which run, which are only answered, and who speaks afterwards."""

from __future__ import annotations

import json

import pytest

from llcphone.engine.commands import RunTool
from llcphone.engine.events import ToolFinished
from llcphone.realtime.events import Item, OutputItemDone, ResponseStatus, SpeechStarted
from llcphone.realtime.messages import CreateResponse, ToolOutput
from tests.engine.script import (
    CANCELLED,
    FAILED,
    INCOMPLETE,
    Script,
    created,
    delta,
    done,
    has_answer,
    live,
    wants,
)

SPEAK = CreateResponse("tools")


def answers(messages: list[object]) -> dict[str, object]:
    return {m.call_id: json.loads(m.output) for m in messages if isinstance(m, ToolOutput)}


def test_a_completed_call_runs_when_its_response_is_done() -> None:
    call = live()
    ended = call.sees(
        done("r1", Item("f", "function_call", "completed", call_id="c1", name="book", arguments="{1}"))
    )
    assert ended == [RunTool("c1", "book", "{1}")]


def test_an_item_done_before_its_response_does_not_run_it_early_or_twice() -> None:
    call = live()
    assert call.sees(OutputItemDone("r1", wants("c1"))) == []
    assert call.sees(done("r1", wants("c1"))).tools == ["c1"]
    assert call.sees(OutputItemDone("r1", wants("c1")), done("r1", wants("c1"))) == []


def test_two_calls_of_one_response_run_together_and_are_answered_by_one_create() -> None:
    call = live()
    assert call.sees(done("r1", wants("c1"), wants("c2", "book"))).tools == ["c1", "c2"]
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2")]
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1"), SPEAK]


def test_a_silent_tool_is_answered_and_nobody_speaks() -> None:
    call = live()
    call.sees(done("r1", wants("c1", "note_down")))
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1")]
    assert call.until(20_000).model == []


def test_a_silent_tool_beside_a_speaking_one_waits_with_it() -> None:
    call = live()
    call.sees(done("r1", wants("c1", "note_down"), wants("c2")))
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2")]
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1"), SPEAK]


def test_an_unknown_tool_is_an_answer_and_the_model_speaks() -> None:
    call = live()
    ended = call.sees(done("r1", wants("c1", "fly")))
    assert ended.tools == []
    assert answers(ended.model) == {"c1": {"error": "there is no such tool"}}
    assert ended.model[-1] == SPEAK


def test_an_unknown_tool_beside_a_known_one_waits_for_it() -> None:
    call = live()
    ended = call.sees(done("r1", wants("c1", "fly"), wants("c2", "note_down")))
    assert ended.tools == ["c2"]
    assert SPEAK not in ended.model
    assert call.sees(ToolFinished("c2", "2")).model[-1] == SPEAK


@pytest.mark.parametrize("status", [CANCELLED, FAILED])
def test_calls_of_a_response_that_did_not_succeed_are_answered_not_run(status: ResponseStatus) -> None:
    call = live()
    ended = call.sees(done("r1", wants("c1"), wants("c2", "book"), status=status))
    assert ended.tools == []
    assert set(answers(ended.model)) == {"c1", "c2"}


def test_an_unfinished_call_of_an_incomplete_response_is_answered_not_run() -> None:
    call = live()
    ended = call.sees(done("r1", wants("c1"), wants("c2", status="incomplete"), status=INCOMPLETE))
    assert ended.tools == ["c1"]
    assert set(answers(ended.model)) == {"c2"}


def test_a_cancelled_call_does_not_make_the_model_speak() -> None:
    call = live()
    call.at(100).sees(SpeechStarted("u2"))
    assert SPEAK not in call.sees(done("r1", wants("c1"), status=CANCELLED)).model


def test_a_call_completed_before_the_caller_cut_in_runs() -> None:
    call = live()
    call.sees(delta(500))
    call.at(100).sees(SpeechStarted("u2"))
    assert call.sees(done("r1", wants("c1"))).tools == ["c1"]


def test_the_same_answer_twice_is_one() -> None:
    call = live()
    call.sees(done("r1", wants("c1")), ToolFinished("c1", "1"))
    assert call.sees(ToolFinished("c1", "1")) == []


def test_an_answer_nobody_waits_for_is_dropped() -> None:
    assert live().sees(ToolFinished("c9", "1")) == []


def test_a_second_round_of_tools_speaks_again() -> None:
    call = live()
    call.sees(done("r1", wants("c1")), ToolFinished("c1", "1"), has_answer("c1"))
    call.sees(created("r2", "tools"))
    assert call.sees(done("r2", wants("c2"))).tools == ["c2"]
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2"), SPEAK]


def test_answers_of_two_responses_ask_once() -> None:
    call = live()
    call.sees(done("r1", wants("c1")))
    call.caller_says("u2", "r2")
    call.sees(ToolFinished("c1", "1"), done("r2", wants("c2")))
    assert call.said.model.count(SPEAK) == 1
    call.sees(created("r3", "tools"), ToolFinished("c2", "2"), has_answer("c1"), has_answer("c2"))
    call.sees(done("r3"))
    assert call.said.model.count(SPEAK) == 2


def test_tools_of_a_turn_stand_in_its_ledger() -> None:
    call = live()
    call.sees(done("r1", wants("c1"), wants("c2", "book")))
    assert call.engine.state.talk.timings.turns[0].tools == ["look_up", "book"]


def test_an_agent_without_tools_answers_whatever_the_model_invents() -> None:
    call = Script(tools=frozenset(), silent_tools=frozenset()).live()
    call.caller_says("u1", "r1")
    assert set(answers(call.sees(done("r1", wants("c1"))).model)) == {"c1"}


def test_a_call_named_twice_in_one_response_is_one() -> None:
    call = live()
    assert call.sees(done("r1", wants("c1"), wants("c1"))).tools == ["c1"]
