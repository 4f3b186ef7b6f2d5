"""What the model is told unasked: no answer is asked for, and every later session knows it too."""

from __future__ import annotations

from llcphone.engine.events import ModelConnected, ModelLegLost, ResultTold
from llcphone.engine.resumed import Speaker
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import CreateResponse, ToolCall, ToolOutput
from tests.engine.script import ULAW, Script, delta, live, spoke
from tests.engine.setups import recovery_plan

FOUND = ResultTold("look_up", "{}", '{"name": "Ada"}')
TOLD = [ToolCall("told-1", "look_up", "{}"), ToolOutput("told-1", '{"name": "Ada"}')]


def test_a_result_is_told_at_once_and_nobody_speaks_because_of_it() -> None:
    call = live()
    call.sees(*spoke("r1"))
    assert call.sees(FOUND).model == TOLD
    assert not [each for each in call.until(20_000).model if isinstance(each, CreateResponse)]


def test_a_result_is_told_while_the_agent_speaks() -> None:
    call = live()
    call.sees(delta(400))
    assert call.sees(FOUND).model == TOLD


def test_a_result_waits_for_the_session_and_is_told_once() -> None:
    call = Script()
    assert call.sees(FOUND).model == []
    said = call.configured().model
    assert [each for each in said if isinstance(each, ToolCall | ToolOutput)] == TOLD


def test_a_second_result_has_another_id() -> None:
    call = live()
    call.sees(FOUND)
    assert [each.call_id for each in call.sees(FOUND).model] == ["told-2", "told-2"]  # type: ignore[attr-defined]


def test_a_session_that_replaces_a_lost_one_is_told_it_again() -> None:
    call = live(recovery=recovery_plan())
    call.sees(FOUND)
    call.sees(ModelLegLost(1))
    said = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert [each for each in said if isinstance(each, ToolCall | ToolOutput)] == TOLD


def test_it_stands_in_the_history_as_a_tool() -> None:
    call = live()
    call.sees(FOUND)
    assert call.engine.state.talk.history.lines()[-1].speaker is Speaker.TOOL
