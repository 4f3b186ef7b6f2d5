"""The one sequencer of ``response.create``: the races of docs/vendor-facts.md, one by one."""

from __future__ import annotations

import pytest

from llcphone.engine.events import EndReason, ToolFinished
from llcphone.engine.parts.responses import Asked
from llcphone.engine.status import Floor
from llcphone.realtime.events import InputCommitted as Committed
from llcphone.realtime.events import Item, ModelError, SpeechStarted, SpeechStopped, TimeoutTriggered
from llcphone.realtime.messages import CancelResponse, CreateResponse, DeleteItem, ToolOutput
from tests.engine.script import (
    CANCELLED,
    FAILED,
    Script,
    created,
    delta,
    done,
    has_answer,
    live,
    spoke,
    wants,
)

ACTIVE = ModelError("conversation_already_has_active_response")
SERVER_ERROR = ModelError("server_error")
AGAIN = CreateResponse("tools")
NO_WATCHDOG = {"dead_stream_ms": 10**9}


def with_a_tool_running(**setup: object) -> Script:
    """The first answer has ended in a tool call, and the tool runs."""
    call = live(**setup)
    call.sees(done("r1", wants("c1")))
    return call


def test_a_tools_answer_is_followed_by_one_create() -> None:
    call = with_a_tool_running()
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7"), AGAIN]
    assert call.sees(has_answer("c1")).model == []


def test_nothing_is_created_while_a_response_is_active() -> None:
    call = with_a_tool_running()
    call.caller_says("u2", "r2")
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7")]
    assert call.sees(done("r2")).model == [AGAIN]


def test_nothing_is_created_while_the_caller_speaks_or_is_being_decided_on() -> None:
    call = with_a_tool_running()
    assert call.sees(SpeechStarted("u2")).model == []
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7")]
    assert call.sees(SpeechStopped("u2")).model == []
    assert call.sees(Committed("u2")).model == []  # the server owes its own answer now


def test_the_servers_own_answer_that_saw_the_tools_output_makes_ours_needless() -> None:
    call = with_a_tool_running()
    call.sees(SpeechStarted("u2"), ToolFinished("c1", "7"), has_answer("c1"))
    call.sees(SpeechStopped("u2"), Committed("u2"), created("r2"))
    assert call.sees(done("r2")).model == []


def test_the_servers_own_answer_that_came_before_the_output_does_not() -> None:
    call = with_a_tool_running()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"))
    call.sees(ToolFinished("c1", "7"), created("r2"), has_answer("c1"))
    assert call.sees(done("r2")).model == [AGAIN]


def test_an_owed_answer_that_never_comes_is_waited_for_three_seconds_only() -> None:
    call = with_a_tool_running()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"), ToolFinished("c1", "7"))
    assert call.until(2_999).model == []
    assert call.until(3_000).model == [AGAIN]


def test_a_create_sent_after_that_wait_is_known_again_without_metadata() -> None:
    call = with_a_tool_running()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"), ToolFinished("c1", "7"))
    call.until(3_000)
    call.sees(created("r2"))
    assert call.engine.state.talk.responses.active is not None
    assert call.engine.state.talk.responses.active.asked is Asked.TOOLS


def test_wishes_of_two_rounds_of_tools_become_one_create() -> None:
    call = with_a_tool_running()
    call.caller_says("u2", "r2")
    call.sees(done("r2", wants("c2")))
    call.caller_says("u3", "r3")
    assert AGAIN not in call.sees(ToolFinished("c1", "1"), ToolFinished("c2", "2")).model
    assert call.sees(done("r3")).model == [AGAIN]
    call.sees(created("r4", "tools"))
    assert call.sees(done("r4")).model == []


def test_the_alarm_does_not_ring_in_vain_while_the_caller_speaks() -> None:
    call = with_a_tool_running(limits=NO_WATCHDOG)
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"), ToolFinished("c1", "7"))
    call.sees(SpeechStarted("u3"))
    assert call.until(9_000).model == []  # ``until`` itself fails when the alarm rings without end
    call.sees(SpeechStopped("u3"), Committed("u3"))
    assert call.until(12_000).model == [AGAIN]


def test_without_create_response_the_server_owes_nothing() -> None:
    call = Script(create_response=False).live()
    call.caller_says("u1", "r1")
    call.sees(done("r1", wants("c1")), SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"))
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7"), AGAIN]


def test_a_create_refused_for_an_active_response_is_repeated_after_its_end() -> None:
    call = with_a_tool_running()
    call.sees(ToolFinished("c1", "7"), Committed("u2"))  # the idle timeout committed meanwhile
    call.sees(created("r2"))
    assert call.sees(ACTIVE, has_answer("c1")).model == []
    assert call.sees(done("r2")).model == [AGAIN]


def test_a_create_that_crosses_the_servers_own_answer_is_not_taken_for_it() -> None:
    call = with_a_tool_running()
    call.sees(ToolFinished("c1", "7"), TimeoutTriggered("u2"), Committed("u2"), created("r2"))
    assert call.engine.state.talk.responses.active is not None
    assert call.engine.state.talk.responses.active.asked is Asked.CALLER


def test_a_refused_create_whose_answers_were_seen_by_the_other_response_is_not_repeated() -> None:
    call = with_a_tool_running()
    call.sees(ToolFinished("c1", "7"), has_answer("c1"), Committed("u2"), created("r2"), ACTIVE)
    assert call.sees(done("r2")).model == []


def test_a_create_refused_for_a_response_nobody_announced_is_repeated_after_a_while_not_at_once() -> None:
    call = with_a_tool_running()
    call.sees(ToolFinished("c1", "7"))
    assert call.sees(ACTIVE).model == []
    assert call.until(2_999).model == []
    assert call.until(3_000).model == [AGAIN]


def test_a_cancel_that_met_no_response_is_nothing() -> None:
    assert live().sees(ModelError("response_cancel_not_active")) == []


def test_we_never_cancel_what_turn_detection_cancels_itself() -> None:
    call = live()
    call.sees(delta(400))
    cut = call.at(100).sees(SpeechStarted("u2"), done("r1", status=CANCELLED, reason="turn_detected"))
    assert not any(isinstance(message, CancelResponse) for message in cut.model)


def test_a_ghost_of_our_own_is_cancelled_by_id_once_it_is_created() -> None:
    call = with_a_tool_running()
    call.sees(ToolFinished("c1", "7"))
    assert call.sees(SpeechStarted("u2")).model == []  # a cancel now would be a no-op
    assert call.sees(created("r2", "tools")).model == [CancelResponse("r2")]
    assert call.sees(delta(400, "i2", "r2")).phone == []
    ended = done("r2", Item("i2", "message", "incomplete"), status=CANCELLED)
    assert call.sees(ended).model == [DeleteItem("i2")]
    call.sees(SpeechStopped("u2"), Committed("u2"), created("r3"))
    assert call.sees(delta(100, "i3", "r3")).audio_ms == 100


def test_a_barge_in_that_ended_before_our_create_leaves_it_alone() -> None:
    call = with_a_tool_running()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"), created("r2"), *spoke("r2"))
    call.sees(ToolFinished("c1", "7"))
    assert call.sees(created("r3", "tools")).model == []


def test_a_response_nobody_asked_for_is_cancelled_before_any_of_it_is_heard() -> None:
    call = live()
    call.sees(*spoke("r1"))
    assert call.sees(created("r2")).model == [CancelResponse("r2")]
    assert call.sees(delta(400, "i2", "r2")).phone == []
    ended = call.sees(done("r2", Item("i2", "message", "incomplete"), wants("c9"), status=CANCELLED))
    nobody = '{"error":"not run: nobody had asked for this response"}'
    assert ended.model == [DeleteItem("i2"), ToolOutput("c9", nobody)]
    assert call.engine.state.talk.responses.unasked == 1


def test_an_unasked_response_that_ends_before_its_cancel_runs_no_tool() -> None:
    call = live()
    call.sees(done("r1"), created("r2"))
    ended = call.sees(done("r2", wants("c9")))
    assert ended.tools == []
    assert [message.call_id for message in ended.model] == ["c9"]  # type: ignore[attr-defined]


def test_an_unasked_response_moves_neither_floor_nor_turns() -> None:
    call = live()
    call.sees(*spoke("r1"))
    call.hears_all()
    call.sees(created("r2"), done("r2", status=CANCELLED))
    assert call.engine.state.talk.floor is Floor.NOBODY
    assert len(call.engine.state.talk.timings.turns) == 1


def test_an_unasked_response_that_fails_is_not_asked_for() -> None:
    call = live()
    call.sees(done("r1"), created("r2"))
    assert call.sees(done("r2", status=FAILED)).model == []
    assert call.engine.state.talk.failed_responses == 0


def test_one_commit_pays_for_one_response() -> None:
    call = live()
    call.sees(done("r1"), SpeechStarted("u2"), SpeechStopped("u2"), Committed("u2"))
    assert call.sees(created("r2"), done("r2")).model == []
    assert call.sees(created("r3")).model == [CancelResponse("r3")]


def test_the_first_response_of_all_is_taken_as_asked() -> None:
    call = Script().live()
    assert call.sees(created("r1"), delta(100)).audio_ms == 100


def test_out_of_band_responses_take_no_part() -> None:
    call = with_a_tool_running()
    call.sees(created("x", "priming", in_conversation=False))
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7"), AGAIN]
    assert call.sees(done("x")).model == []


def test_a_response_created_twice_is_one() -> None:
    call = live()
    assert call.sees(created("r1"), delta(100)).audio_ms == 100
    assert call.engine.state.talk.responses.unasked == 0


def test_an_end_that_comes_after_the_next_beginning_still_answers_its_calls() -> None:
    call = live()
    call.caller_says("u2", "r2")
    ended = call.sees(done("r1", wants("c1", status="incomplete"), status=CANCELLED))
    assert [message.call_id for message in ended.model] == ["c1"]  # type: ignore[attr-defined]


def test_a_response_that_was_never_announced_has_its_calls_answered_not_run() -> None:
    call = live()
    ended = call.sees(done("stranger", wants("c1")))
    assert ended.tools == []
    assert [type(message) for message in ended.model] == [ToolOutput]


def test_a_lost_create_is_given_up_after_ten_seconds() -> None:
    call = with_a_tool_running(limits=NO_WATCHDOG)
    call.at(1_000).sees(ToolFinished("c1", "1"))  # this create is lost
    call.at(2_000).caller_says("u2", "r2")
    call.sees(done("r2", wants("c2")))
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2")]
    assert call.until(10_999).model == []
    assert call.until(11_000).model == [AGAIN]


# -- failures -----------------------------------------------------------------------------------


def test_a_failed_response_is_asked_for_once_more_and_then_the_model_is_lost() -> None:
    call = live()
    assert call.sees(done("r1", status=FAILED, error_code="server_error")).model == []
    assert call.until(249).model == []
    assert call.until(250).model == [CreateResponse("turn")]
    call.sees(created("r2", "turn"))
    assert call.sees(done("r2", status=FAILED)).end is EndReason.MODEL_LOST


def test_a_response_that_succeeds_wipes_the_failure_out() -> None:
    call = live()
    call.sees(done("r1", status=FAILED))
    call.until(250)
    call.sees(created("r2", "turn"), *spoke("r2"))
    call.caller_says("u2", "r3")
    assert call.sees(done("r3", status=FAILED)).end is None


def test_a_failure_of_the_account_ends_the_call_at_once() -> None:
    assert (
        live().sees(done("r1", status=FAILED, error_code="insufficient_quota")).end is EndReason.MODEL_REFUSED
    )


def test_an_error_beside_the_failed_response_it_belongs_to_is_not_a_second_failure() -> None:
    call = live()
    call.sees(SERVER_ERROR, done("r1", status=FAILED))
    assert call.until(250).model == [CreateResponse("turn")]
    assert call.engine.state.talk.failed_responses == 1


def test_an_error_instead_of_our_response_asks_again_for_the_same() -> None:
    call = Script(greets=True).live()
    assert call.sees(SERVER_ERROR).model == []
    assert call.until(250).model == [CreateResponse("greeting")]
    assert call.sees(SERVER_ERROR).end is EndReason.MODEL_LOST


def test_an_error_instead_of_the_owed_answer_asks_for_it_when_its_time_is_up() -> None:
    call = Script().live()
    call.sees(SpeechStarted(), SpeechStopped(), Committed("u1"), SERVER_ERROR)
    assert call.until(3_000).model == [CreateResponse("turn")]


def test_an_error_while_nothing_is_owed_makes_nobody_speak() -> None:
    call = live()
    call.sees(done("r1"))
    assert call.sees(SERVER_ERROR) == []


@pytest.mark.parametrize("code", ["invalid_api_key", "insufficient_quota", "account_deactivated"])
def test_errors_of_the_account_end_the_call(code: str) -> None:
    call = live()
    assert call.sees(ModelError(code)).end is EndReason.MODEL_REFUSED
    assert [note.fields["code"] for note in call.notes if note.kind == "model error"] == [code]


def test_an_expired_session_is_a_lost_model() -> None:
    assert live().sees(ModelError("session_expired")).end is EndReason.MODEL_LOST


@pytest.mark.parametrize(
    "error",
    [
        ModelError(
            "invalid_value", param="audio_end_ms", message="Audio content of 9ms is already shorter than 10ms"
        ),
        ModelError("input_audio_buffer_commit_empty"),
        ModelError("cannot_update_voice"),
        ModelError("something_new"),
    ],
)
def test_other_errors_are_noted_and_the_call_goes_on(error: ModelError) -> None:
    call = live()
    assert call.sees(error) == []
    assert call.notes[-1].fields["code"] == error.code
    assert "Audio content" not in repr(call.notes[-1])
    assert call.sees(delta(100)).audio_ms == 100


def test_no_greeting_follows_an_answer() -> None:
    call = Script(greets=True, limits={"greeting_guard_ms": 0}).live()
    call.sees(created("g", "greeting"), SpeechStarted("u1"), done("g", status=FAILED))
    call.sees(SpeechStopped("u1"), Committed("u1"), created("r1"))
    assert call.sees(delta(100), done("r1")).model == []
