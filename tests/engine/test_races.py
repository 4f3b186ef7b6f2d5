"""The races of docs/vendor-facts.md (Responses and tools, Barge-in), one by one.

Each test tells one crossing on the wire. What they have in common: one sequencer decides, and
nothing that was cut, cancelled or unasked is ever heard.
"""

from __future__ import annotations

import pytest

from llcphone.engine.events import InterruptAsked, StreamJoined, ToolFinished, TurnCommitted
from llcphone.engine.status import Floor
from llcphone.realtime.dialects import Dialect, encode
from llcphone.realtime.events import InputCommitted, Item, ModelError, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import (
    AssistantText,
    CancelResponse,
    CreateResponse,
    DeleteItem,
    ToolOutput,
    Truncate,
    UpdateSession,
    UserText,
)
from llcphone.twilio.media import CallerAudio, Clear, MarkEchoed
from tests.engine.script import (
    ALL_TOOLS,
    CANCELLED,
    LATER,
    STARTED,
    Ear,
    Script,
    created,
    delta,
    done,
    frame,
    has_answer,
    item_done,
    live,
    spoke,
    wants,
)

AGAIN = CreateResponse("tools")
ACTIVE = ModelError("conversation_already_has_active_response")
NOT_ACTIVE = ModelError("response_cancel_not_active")
TOO_LONG = ModelError(
    "invalid_value", param="audio_end_ms", message="Audio content of 900ms is already shorter than 1000ms"
)
NO_AUDIO = ModelError("unsupported_content_type", message="Only model output audio messages can be truncated")


def creates(call: Script) -> list[CreateResponse]:
    """Every create that ever left."""
    return [message for message in call.said.model if isinstance(message, CreateResponse)]


def tool_running() -> Script:
    """The caller was answered by a tool call, and the tool runs."""
    call = live()
    call.sees(done("r1", wants("c1")))
    return call


# -- conversation_already_has_active_response --------------------------------------------------------


def test_two_wishes_at_once_are_one_create() -> None:
    call = live()
    call.sees(done("r1", wants("c1"), wants("c2")))
    call.sees(ToolFinished("c1", "1"), ToolFinished("c2", "2"))
    assert creates(call) == [AGAIN]


def test_a_create_never_leaves_beside_the_servers_own_answer() -> None:
    call = tool_running()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"))  # the server will answer
    call.sees(ToolFinished("c1", "7"))
    assert creates(call) == []
    call.sees(created("r2"), done("r2"))
    assert creates(call) == [AGAIN]


def test_a_create_that_crossed_the_servers_own_answer_is_repeated_once_after_its_end() -> None:
    call = tool_running()
    call.sees(ToolFinished("c1", "7"), SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"))
    call.sees(created("r2"), ACTIVE, has_answer("c1"))
    assert creates(call) == [AGAIN]
    call.sees(done("r2"), created("r3", "tools"), done("r3"))
    assert creates(call) == [AGAIN, AGAIN]


def test_a_refusal_that_comes_after_the_end_of_what_it_names_repeats_the_wish() -> None:
    call = tool_running()
    call.sees(ToolFinished("c1", "7"))
    call.sees(created("r2", "elsewhere"), done("r2", status=CANCELLED), ACTIVE)
    call.until(3_000)
    assert creates(call) == [AGAIN, AGAIN]


# -- response_cancel_not_active ----------------------------------------------------------------------


def test_while_the_server_interrupts_by_itself_we_never_cancel() -> None:
    call = live()
    call.sees(delta(2_000))
    call.at(500).sees(SpeechStarted("u2"), delta(200), done("r1", status=CANCELLED, reason="turn_detected"))
    assert not any(isinstance(message, CancelResponse) for message in call.said.model)


def test_a_cancel_that_came_too_late_is_nothing() -> None:
    call = live()
    call.sees(delta(400), InterruptAsked())
    assert call.sees(done("r1"), NOT_ACTIVE).model == []
    assert call.caller_says("u2", "r2").end is None
    assert call.sees(delta(100, "i2", "r2")).audio_ms == 100


# -- the ghost: a cancel before response.created -----------------------------------------------------


def test_a_create_of_ours_that_the_caller_overtook_is_cancelled_by_id_and_never_heard() -> None:
    call = tool_running()
    call.sees(ToolFinished("c1", "7"))
    assert call.sees(SpeechStarted("u2")).model == []  # nothing to cancel yet: it would be a no-op
    assert call.sees(created("r2", "tools")).model == [CancelResponse("r2")]
    assert call.sees(delta(400, "i2", "r2")).phone == []
    assert call.engine.state.talk.floor is Floor.CALLER


def test_a_ghost_whose_metadata_is_not_echoed_is_known_by_order() -> None:
    call = tool_running()
    call.sees(ToolFinished("c1", "7"), SpeechStarted("u2"))
    assert call.sees(created("r2")).model == [CancelResponse("r2")]


def test_the_answer_to_the_turn_that_overtook_it_is_heard() -> None:
    call = tool_running()
    call.sees(ToolFinished("c1", "7"), SpeechStarted("u2"), created("r2", "tools"), has_answer("c1"))
    call.sees(done("r2", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"), created("r3"))
    assert call.sees(delta(200, "i3", "r3")).audio_ms == 200
    call.sees(done("r3"))
    assert creates(call) == [AGAIN]


def test_a_ghost_of_the_greeting_is_silent_too() -> None:
    call = Script(greets=True, limits={"greeting_guard_ms": 0}).live()
    call.sees(SpeechStarted("u1"))
    assert call.sees(created("g", "greeting")).model == [CancelResponse("g")]
    assert call.sees(delta(400, "i1", "g")).phone == []


# -- calls of cancelled responses --------------------------------------------------------------------


def test_a_call_of_a_cancelled_response_does_not_run_but_is_answered() -> None:
    call = live()
    call.sees(delta(200), SpeechStarted("u2"))
    ended = call.sees(done("r1", wants("c1", "book"), status=CANCELLED))
    assert ended.tools == []
    assert [message.call_id for message in ended.model if isinstance(message, ToolOutput)] == ["c1"]


def test_a_call_that_was_cut_in_mid_arguments_does_not_run_though_its_response_completed() -> None:
    ended = live().sees(done("r1", wants("c1", "book", status="incomplete")))
    assert ended.tools == []
    assert [type(message) for message in ended.model][:1] == [ToolOutput]


def test_a_response_done_told_twice_runs_its_tools_once() -> None:
    call = live()
    first, second = call.sees(done("r1", wants("c1"))), call.sees(done("r1", wants("c1")))
    assert (first.tools, second.tools) == (["c1"], [])
    call.sees(ToolFinished("c1", "7"), ToolFinished("c1", "7"))
    assert creates(call) == [AGAIN]
    assert sum(isinstance(message, ToolOutput) for message in call.said.model) == 1


def test_a_response_done_told_twice_counts_as_one_turn() -> None:
    call = live(schedule=(LATER,))
    call.sees(*spoke("r1"), *spoke("r1"))
    assert sum(isinstance(m, UpdateSession) for m in call.until(10).model) == 1


# -- truncate ----------------------------------------------------------------------------------------


def test_nothing_is_truncated_before_its_first_delta() -> None:
    call = live()
    assert call.sees(SpeechStarted("u2")).model == []


def test_what_was_sent_and_not_heard_is_deleted_and_not_truncated_to_nothing() -> None:
    call = live()
    call.sees(delta(400))
    assert call.sees(SpeechStarted("u2")).model == [DeleteItem("i1")]


@pytest.mark.parametrize("refusal", [TOO_LONG, NO_AUDIO], ids=["too long", "no audio"])
def test_a_refused_truncate_ends_nothing_and_is_not_repeated(refusal: ModelError) -> None:
    call = live()
    ear = Ear(call)
    ear.sees(delta(2_000))
    assert ear.at(900).sees(SpeechStarted("u2")).model == [Truncate("i1", 900)]
    assert call.sees(refusal) == []
    call.sees(done("r1", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    assert call.sees(delta(100, "i2", "r2")).audio_ms == 100


def test_an_item_that_was_deleted_is_never_truncated() -> None:
    call = live()
    call.sees(delta(400))
    assert call.sees(SpeechStarted("u2")).model == [DeleteItem("i1")]
    cut = Item("i1", "message", "incomplete")
    late = call.sees(delta(400), item_done(), done("r1", cut, status=CANCELLED))
    assert late.model == []  # and not deleted twice
    assert call.at(300).sees(SpeechStopped("u2"), SpeechStarted("u3")).model == []


def test_a_second_barge_in_on_the_same_item_truncates_it_once() -> None:
    call = live()
    ear = Ear(call)
    ear.sees(delta(2_000))
    ear.at(500).sees(SpeechStarted("u2"), SpeechStopped("u2"), SpeechStarted("u3"))
    assert [m for m in call.said.model if isinstance(m, Truncate)] == [Truncate("i1", 500)]


def test_an_echo_of_a_cleared_mark_after_the_truncate_changes_nothing() -> None:
    call = live()
    ear = Ear(call)
    ear.sees(delta(2_000))
    ear.at(500).sees(SpeechStarted("u2"))
    assert ear.cleared_marks
    call.sees(*(MarkEchoed(name) for name in ear.cleared_marks))
    assert call.engine.state.talk.playout.heard_ms("i1", 600) == 500


# -- late deltas -------------------------------------------------------------------------------------


def test_deltas_that_come_after_the_cancel_are_dropped_whenever_they_come() -> None:
    call = live()
    call.sees(delta(400), SpeechStarted("u2"))
    assert call.sees(delta(200)).phone == []
    call.sees(done("r1", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    assert call.sees(delta(200), delta(300, "i2", "r2"), delta(200)).audio_ms == 300
    assert call.engine.state.talk.late_deltas == 3


def test_a_new_item_of_a_cut_response_is_dropped_as_well() -> None:
    call = live()
    call.sees(delta(400), SpeechStarted("u2"))
    assert call.sees(delta(200, "i9", "r1")).phone == []


# -- updates -----------------------------------------------------------------------------------------


def test_a_second_response_that_an_update_provokes_is_cancelled_unheard() -> None:
    call = live(schedule=(ALL_TOOLS, LATER))
    call.sees(done("r1"))
    call.until(10)
    assert call.sees(created("ghost")).model == [CancelResponse("ghost")]
    assert call.sees(delta(400, "i9", "ghost")).phone == []
    ended = call.sees(done("ghost", Item("i9", "message", "incomplete"), status=CANCELLED))
    assert ended.model == [DeleteItem("i9")]
    assert call.engine.state.talk.responses.unasked == 1
    call.caller_says("u2", "r2")
    assert call.sees(delta(100, "i2", "r2")).audio_ms == 100


def test_a_provoked_response_that_crosses_the_callers_turn_does_not_take_its_answers_place() -> None:
    call = live(schedule=(LATER,))
    call.sees(done("r1"))
    call.until(10)
    assert call.sees(created("ghost"), SpeechStarted("u2")).model == [CancelResponse("ghost")]
    call.sees(done("ghost", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"))
    assert call.sees(created("r2"), delta(100, "i2", "r2")).audio_ms == 100


def test_no_update_leaves_between_the_callers_turn_and_its_answer() -> None:
    call = live(schedule=(ALL_TOOLS, LATER))
    call.sees(*spoke("r1"), SpeechStarted("u2"))
    for event in (SpeechStopped("u2"), InputCommitted("u2"), created("r2"), delta(200)):
        call.sees(event)
        assert not any(isinstance(m, UpdateSession) for m in call.until(call.now_ms + 50).model)
    call.sees(*spoke("r2"))
    assert len([m for m in call.until(call.now_ms).model if isinstance(m, UpdateSession)]) == 2


# -- the greeting and the caller's "hello?" ----------------------------------------------------------


@pytest.mark.parametrize("replayed", [True, False], ids=["made before the stream", "made live"])
def test_a_hello_during_the_guard_is_counted_and_not_sent_and_the_greeting_is_interruptible_after(
    replayed: bool,
) -> None:
    call = Script(greets=True)
    call.configured()
    ear = Ear(call)
    ear.sees(*() if replayed else (StreamJoined(), STARTED))
    ear.sees(created("g", "greeting"), delta(3_000, "i1", "g"), done("g"))
    ear.sees(*(StreamJoined(), STARTED) if replayed else ())
    for at_ms in range(0, 700, 20):
        assert ear.at(at_ms).sees(CallerAudio(frame())).model == []
    assert (call.engine.state.frames, call.engine.state.gate.held_back) == (35, 35)
    assert len(ear.at(700).sees(CallerAudio(frame())).model) == 1
    out = ear.at(1_000).sees(SpeechStarted("u1"))
    assert out.phone == [Clear()]
    assert out.model == [Truncate("i1", 1_000)]
    assert ear.heard_ms == 1_000


# -- manual turns ------------------------------------------------------------------------------------


def test_a_commit_that_crosses_our_own_create_is_answered_once_and_last() -> None:
    session = {"turn_detection": None}
    call = Script(session=session, create_response=False, interrupt_response=False).live()
    call.sees(*(CallerAudio(frame()) for _ in range(20)), TurnCommitted())
    call.sees(*(CallerAudio(frame()) for _ in range(20)), TurnCommitted())
    assert call.sees(created("r1", "turn")).model == [CancelResponse("r1")]
    assert call.sees(delta(200)).phone == []
    assert call.sees(done("r1", status=CANCELLED)).model == [CreateResponse("turn")]
    assert call.sees(created("r2", "turn"), delta(200, "i2", "r2")).audio_ms == 200


# -- seeding history ---------------------------------------------------------------------------------


def test_what_the_agent_said_is_told_to_a_fresh_session_as_text_never_as_audio() -> None:
    for dialect, kind in ((Dialect.GA, b'"output_text"'), (Dialect.FLAT, b'"text"')):
        wire = encode(AssistantText("Good morning!"), dialect)
        assert kind in wire
        assert b"audio" not in wire
    assert b'"input_text"' in encode(UserText("Hello?"), Dialect.GA)
