"""Tool calls of the backend that serves a Live session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from llcphone.audio import is_loud, silence_payload
from llcphone.engine.events import (
    EndReason,
    HangUpAsked,
    ModelConnected,
    ModelLegLost,
    ResultTold,
    ToolFinished,
)
from llcphone.engine.parts.tool_batches import INTERRUPTED, UNKNOWN
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import Item, ModelError, ResponseStatus
from llcphone.realtime.messages import CreateResponse, Speak, SystemText, ToolOutput
from tests.engine.live_script import LiveScript, Taped, calls, has_result, heard, opens, over
from tests.engine.script import ULAW, frame, speech
from tests.engine.setups import recovery_plan, tool_plan, tool_rule

if TYPE_CHECKING:
    from tests.engine.script import Commands

AGAIN = CreateResponse("tools")
NEWS = Speak("A result that the caller waits for has come. Tell the caller about it now.", "tools")
BOOKING = tool_plan((tool_rule("book", 8_000, irreversible=True),))


def error(text: str) -> str:
    return msgspec.json.encode({"error": text}).decode()


# -- answers --------------------------------------------------------------------------------------


def test_one_create_follows_when_all_calls_are_answered() -> None:
    call = LiveScript().joined()
    assert call.sees(calls("c1", "c2")).tools == ["c1", "c2"]
    assert call.sees(ToolFinished("c2", "2")).model == [ToolOutput("c2", "2")]
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1"), AGAIN]
    assert call.sees(has_result()).model == []
    assert call.said.model.count(AGAIN) == 1


def test_the_backend_is_continued_while_the_caller_or_the_agent_speaks() -> None:
    call = LiveScript().joined()
    call.sees(calls("c1"))
    call.lives_until(2_000)
    call.sees(heard("And tomorrow?", 500, 1_900), *opens("u1"))
    assert call.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1"), AGAIN]


def test_a_silent_tool_is_continued_as_well() -> None:
    call = LiveScript().joined()
    call.sees(calls("c1", name="note_down"))
    assert call.sees(ToolFinished("c1", "1")).model[-1] == AGAIN


def test_a_tool_that_does_not_exist_is_answered_at_once() -> None:
    call = LiveScript().joined()
    assert call.sees(calls("c1", name="fly")).model == [ToolOutput("c1", error(UNKNOWN)), AGAIN]


def test_a_tool_whose_time_is_over_is_answered_without_its_result() -> None:
    call = LiveScript(tool_plan=tool_plan((tool_rule("look_up", 3_000),))).joined()
    call.sees(calls("c1"))
    out = call.lives_until(3_000).model
    assert [type(each) for each in out if each == AGAIN or isinstance(each, ToolOutput)] == [
        ToolOutput,
        CreateResponse,
    ]
    assert call.sees(ToolFinished("c1", "1")).model == []


def test_a_late_result_is_told_as_text_and_spoken_of() -> None:
    rule = tool_rule("look_up", 3_000, goes_on=True, deliver=True)
    call = LiveScript(tool_plan=tool_plan((rule,))).joined()
    call.sees(calls("c1"))
    call.lives_until(3_000)
    call.sees(has_result())
    told = SystemText("The tool look_up was called with {}. Its result: 7")
    assert call.sees(ToolFinished("c1", "7")).model == [told, NEWS]


def test_an_unasked_result_is_told_and_not_spoken_of() -> None:
    call = LiveScript().joined()
    told = SystemText('The tool look_up was called with {"a":1}. Its result: 7')
    assert call.sees(ResultTold("look_up", '{"a":1}', "7")).model == [told]


def test_calls_of_a_response_that_failed_are_void() -> None:
    call = LiveScript().joined()
    out = call.sees(calls("c1", status=ResponseStatus.FAILED, error_code="server_error"))
    assert out.tools == []
    assert [message.purpose for message in out.model if isinstance(message, Speak)] == ["tools"]
    assert not [message for message in out.model if isinstance(message, ToolOutput)]
    assert call.engine.report()["failed_responses"] == 1


def test_an_account_that_is_empty_ends_the_call() -> None:
    call = LiveScript().joined()
    failed = calls(status=ResponseStatus.FAILED, error_code="insufficient_quota")
    assert call.sees(failed).end is EndReason.MODEL_REFUSED


def test_an_answer_that_is_refused_is_given_again_and_the_backend_continued_again() -> None:
    call = LiveScript().joined()
    call.sees(calls("c1"), ToolFinished("c1", "x" * 5_000))
    out = call.sees(ModelError("response_input_buffer_full", event_id="output-c1")).model
    assert [type(message) for message in out] == [ToolOutput, CreateResponse]
    assert call.sees(ModelError("function_call_outputs_required")).model == []


# -- what is still to come ------------------------------------------------------------------------


def test_the_call_does_not_end_before_the_voice_has_had_time_to_speak_of_a_result() -> None:
    call = LiveScript().joined()
    call.sees(calls("c1"), HangUpAsked())
    assert call.sees(ToolFinished("c1", "1")).end is None
    call.lives_until(1_000)
    assert call.sees(has_result()).end is None
    assert call.lives_until(2_999).end is None
    assert call.lives_until(3_000).end is EndReason.AGENT_HUNG_UP


def test_a_result_that_is_spoken_of_is_heard_before_the_call_ends() -> None:
    call = LiveScript().joined()
    call.sees(calls("c1"), HangUpAsked(), ToolFinished("c1", "1"), has_result(), *opens("u1"))
    assert call.sees(*over("u1")).end is None
    assert call.hears_all().end is EndReason.AGENT_HUNG_UP


def test_a_backend_that_never_comes_back_is_lost_with_its_session() -> None:
    call = LiveScript(recovery=recovery_plan()).joined()
    call.sees(calls("c1"), ToolFinished("c1", "1"))
    call.lives_until(11_980)
    assert not call.engine.policies.recovery.gaps
    call.lives_until(12_000)
    assert [(gap.cause, gap.owed) for gap in call.engine.policies.recovery.gaps] == [("stalled", "answer")]


# -- a lost session -------------------------------------------------------------------------------


def lost_with_a_tool_running() -> LiveScript:
    call = LiveScript(recovery=recovery_plan()).joined()
    call.sees(heard("When?", 0, 0), calls("c1"), *opens("u1"), *over("u1"))
    call.sees(ModelLegLost(1))
    return call


def test_a_result_for_an_older_session_is_told_as_text() -> None:
    call = lost_with_a_tool_running()
    call.sees(ModelConnected(2, Dialect.LIVE), ULAW)
    told = SystemText("The tool look_up was called with {}. Its result: 7")
    assert call.sees(ToolFinished("c1", "7")).model == [told, NEWS]


def test_a_result_that_comes_while_there_is_no_session_is_told_to_the_next() -> None:
    call = lost_with_a_tool_running()
    call.sees(ModelConnected(2, Dialect.LIVE))
    assert call.sees(ToolFinished("c1", "7")).model == []
    out = call.sees(ULAW).model
    assert SystemText("The tool look_up was called with {}. Its result: 7") in out
    assert [message for message in out if isinstance(message, Speak)] == [NEWS]
    assert call.lives_until(3_000).model.count(NEWS) <= 1


# -- irreversible tools ---------------------------------------------------------------------------


def booking(quiet_ms: int) -> tuple[LiveScript, Commands]:
    """The backend wants to book when the caller has been quiet for so long."""
    call = LiveScript(tool_plan=BOOKING).joined()
    call.lives_until(2_000 - quiet_ms)
    call.engine.hear(speech(20), call.now_ms)
    call.lives_until(2_000)
    return call, call.sees(calls("c1", name="book"))


def speaks_until(call: LiveScript, now_ms: int) -> Commands:
    out = call.sees()
    while call.now_ms < now_ms:
        call.engine.hear(speech(20), call.now_ms)
        call.engine.model_alive(call.now_ms)
        out += call.until(call.now_ms + 20)
    return out


def test_an_irreversible_tool_runs_at_once_when_the_caller_is_quiet() -> None:
    _, out = booking(quiet_ms=700)
    assert out.tools == ["c1"]


def test_an_irreversible_tool_waits_until_the_caller_was_quiet_for_a_while() -> None:
    call, out = booking(quiet_ms=200)
    assert out.tools == []
    assert call.lives_until(2_480).tools == []
    assert call.lives_until(2_500).tools == ["c1"]


def test_a_caller_who_speaks_on_puts_it_off() -> None:
    call, _ = booking(quiet_ms=200)
    assert speaks_until(call, 3_000).tools == []
    assert call.lives_until(3_660).tools == []
    assert call.lives_until(3_680).tools == ["c1"]


def test_a_caller_who_has_said_something_meanwhile_is_asked_again() -> None:
    call, _ = booking(quiet_ms=200)
    speaks_until(call, 4_000)
    call.sees(heard("No, wait, not tomorrow", 2_000, 3_000))
    out = speaks_until(call, 5_000)
    assert out.tools == []
    assert out.model[-2:] == [ToolOutput("c1", error(INTERRUPTED)), AGAIN]


def test_a_noise_without_words_does_not_stop_it_for_ever() -> None:
    call, _ = booking(quiet_ms=200)
    assert speaks_until(call, 4_980).tools == []
    assert speaks_until(call, 5_000).tools == ["c1"]


def test_other_tools_do_not_wait() -> None:
    call = LiveScript(tool_plan=BOOKING).joined()
    call.engine.hear(speech(20), call.now_ms)
    assert call.sees(calls("c1")).tools == ["c1"]


def test_a_call_that_waited_too_long_does_not_run_any_more() -> None:
    plan = tool_plan((tool_rule("book", 1_000, irreversible=True),))
    call = LiveScript(tool_plan=plan).joined()
    call.engine.hear(speech(20), call.now_ms)
    call.sees(calls("c1", name="book"))
    out = speaks_until(call, 6_000)
    out += call.lives_until(9_000)
    assert out.tools == []
    assert out.model.count(AGAIN) == 1


@pytest.mark.parametrize(
    ("payload", "loud"),
    [
        (speech(20), True),
        (silence_payload(20), False),
        (frame(0xFE), False),
        (frame(0x60), False),
        (b"", False),
    ],
)
def test_what_is_loud(payload: bytes, loud: bool) -> None:
    assert is_loud(payload) is loud
    assert is_loud(payload.rstrip(b"=")) is loud


def test_a_tape_decides_alike_though_its_audio_is_silent() -> None:
    call = LiveScript(tool_plan=BOOKING)
    tape = Taped(call)
    call.joined()
    call.lives_until(1_800)
    call.engine.hear(speech(20), call.now_ms)
    call.lives_until(2_000)
    call.sees(calls("c1", name="book"))
    speaks_until(call, 3_000)
    call.lives_until(4_000)
    assert call.said.tools == ["c1"]
    assert tape.replayed().difference is None


def test_an_item_that_is_no_call_is_left_alone() -> None:
    call = LiveScript().joined()
    out = call.sees(calls("c1", items=(Item("m1", "message", "completed"),)))
    assert out.model == []
