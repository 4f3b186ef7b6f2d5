"""Tools' answers that the model's server refuses, and call ids that it would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.events import ModelConnected, ModelLegLost, ResultTold, ToolFinished
from llcphone.realtime.dialects import Dialect, encode
from llcphone.realtime.events import ModelError
from llcphone.realtime.messages import CancelResponse, CreateResponse, ToolCall, ToolOutput
from tests.engine.script import CANCELLED, ULAW, Script, created, done, has_answer, live, wants
from tests.engine.setups import recovery_plan

LONG = "x" * 300_000
SHORT = "x" * 1_000 + "…(cut, 299000 characters left out)"
SAFE = '{"error":"the result could not be passed on to you"}'


def too_long(call_id: str = "c1") -> ModelError:
    return ModelError("string_above_max_length", param="item.output", event_id=f"output-{call_id}")


def answered(output: str, call_id: str = "c1") -> Script:
    """A call whose tool has just answered with this."""
    call = live(recovery=recovery_plan())
    call.sees(done("r1", wants(call_id)))
    assert call.sees(ToolFinished(call_id, output)).model == [
        ToolOutput(call_id, output),
        CreateResponse("tools"),
    ]
    return call


def test_an_answer_carries_an_event_id_so_that_its_refusal_is_recognised() -> None:
    assert b'"event_id":"output-c1"' in encode(ToolOutput("c1", "1"), Dialect.GA)


@pytest.mark.parametrize(
    "refusal", [too_long(), ModelError("1302", param="item.output")], ids=["by id", "by key"]
)
def test_a_refused_answer_is_given_again_cut_short_and_only_then_spoken_about(refusal: ModelError) -> None:
    call = answered(LONG)
    assert call.sees(refusal).model == [ToolOutput("c1", SHORT)]
    assert call.sees(created("r2", "tools")).model == [CancelResponse("r2")]
    call.sees(has_answer("c1"))
    assert call.sees(done("r2", status=CANCELLED)).model == [CreateResponse("tools")]
    call.sees(created("r3", "tools"))
    assert call.engine.state.talk.responses.active is not None
    assert [note.kind for note in call.notes].count("item refused") == 1


def test_a_short_answer_that_is_refused_is_told_as_not_passed_on() -> None:
    call = answered('"nine"')
    assert call.sees(too_long()).model == [ToolOutput("c1", SAFE)]


def test_no_answer_is_given_for_ever() -> None:
    call = answered(LONG)
    assert call.sees(too_long()).model == [ToolOutput("c1", SHORT)]
    assert call.sees(too_long()).model == [ToolOutput("c1", SAFE)]
    assert call.sees(too_long()).model == []


def test_the_next_session_is_told_the_answer_that_was_taken() -> None:
    call = answered(LONG)
    call.sees(too_long(), ModelLegLost(1, 1006))
    told = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert ToolOutput("c1", SHORT) in told


def test_a_refused_answer_in_what_a_fresh_session_is_told_is_given_again_too() -> None:
    call = answered(LONG)
    call.sees(has_answer("c1"), ModelLegLost(1, 1006), ModelConnected(2, Dialect.GA), ULAW)
    assert call.sees(too_long()).model == [ToolOutput("c1", SHORT)]


def test_what_is_told_unasked_asks_for_no_response_when_it_is_refused() -> None:
    call = Script().live()
    call.sees(ResultTold("orders", "{}", LONG))
    assert call.sees(too_long("told-1")).model == [ToolOutput("told-1", SHORT)]


def test_an_error_about_another_item_refuses_no_answer() -> None:
    call = answered(LONG)
    assert call.sees(ModelError("invalid_value", param="item.output", event_id="elsewhere")).model == []
    assert call.sees(ModelError("1302")).model == []


# -- long call ids ------------------------------------------------------------------------------

VENDORS = "call_" + "abcdefghij" * 4


def retold(call: Script) -> list[Any]:
    call.sees(ModelLegLost(1, 1006))
    told = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    return [each for each in told if isinstance(each, ToolCall | ToolOutput)]


def test_on_its_own_session_a_call_is_answered_by_its_own_id() -> None:
    answered('"nine"', VENDORS)


def test_a_fresh_session_is_told_of_a_call_and_its_answer_by_one_shorter_id() -> None:
    call = answered('"nine"', VENDORS)
    asked, answer = retold(call)
    assert asked.call_id == answer.call_id != VENDORS
    assert len(asked.call_id) <= 32


def test_an_answer_that_comes_after_the_loss_names_the_call_as_it_was_told() -> None:
    call = live(recovery=recovery_plan())
    call.sees(done("r1", wants(VENDORS)))
    (asked,) = retold(call)
    told = call.sees(ToolFinished(VENDORS, '"nine"')).model
    assert ToolOutput(asked.call_id, '"nine"') in told


def test_two_long_ids_that_begin_alike_stay_two() -> None:
    call = live(recovery=recovery_plan())
    call.sees(done("r1", wants(VENDORS + "1"), wants(VENDORS + "2")))
    one, other = retold(call)
    assert one.call_id != other.call_id
