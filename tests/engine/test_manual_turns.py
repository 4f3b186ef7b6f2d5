"""Manual turns: what the program around the call asks, and what the wire is told for it."""

from __future__ import annotations

from typing import Any

from llcphone.engine.events import (
    InterruptAsked,
    ModelConnected,
    ModelLegLost,
    ResponseAsked,
    ToolFinished,
    TurnCleared,
    TurnCommitted,
)
from llcphone.engine.parts.responses import Asked
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, ModelError
from llcphone.realtime.messages import (
    AppendAudio,
    CancelResponse,
    ClearInput,
    CommitInput,
    CreateResponse,
    ToolOutput,
    Truncate,
)
from llcphone.twilio.media import CallerAudio, Clear
from tests.engine.script import (
    LATER,
    ULAW,
    Commands,
    Ear,
    Script,
    created,
    delta,
    done,
    frame,
    has_answer,
    spoke,
    wants,
)
from tests.engine.setups import recovery_plan

TURN = CreateResponse("turn")
TOO_SHORT = ModelError("input_audio_buffer_commit_empty")


def manual(**setup: object) -> Script:
    facts: dict[str, Any] = {
        "session": {"turn_detection": None},
        "create_response": False,
        "interrupt_response": False,
    }
    return Script(**(facts | setup)).live()


def speaks(call: Script, ms: int, first: int = 0) -> Commands:
    """The caller is heard for so long."""
    return call.sees(*(CallerAudio(frame(first + n)) for n in range(ms // 20)))


def asked(call: Script, ms: int = 400, response: str = "r1") -> Script:
    """The caller spoke, the turn was committed, and its answer begins."""
    speaks(call, ms)
    call.sees(TurnCommitted(), InputCommitted(f"u-{response}"), created(response, "turn"))
    return call


def test_a_turn_is_a_commit_and_then_a_create() -> None:
    call = manual()
    speaks(call, 400)
    assert call.sees(TurnCommitted()).model == [CommitInput(), TURN]


def test_its_answer_counts_as_one_to_the_caller() -> None:
    call = asked(manual(schedule=(LATER,)))
    assert call.engine.state.talk.responses.active is not None
    assert call.engine.state.talk.responses.active.asked is Asked.CALLER
    call.sees(*spoke("r1"))
    assert call.engine.state.talk.schedule.waiting
    assert [turn.asked for turn in call.engine.state.talk.timings.turns] == ["caller"]


def test_less_than_a_hundred_ms_is_not_sent_because_it_would_be_refused() -> None:
    call = manual()
    speaks(call, 80)
    assert call.sees(TurnCommitted()).model == []
    assert call.notes[-1].kind == "turn too short"
    speaks(call, 20)
    assert call.sees(TurnCommitted()).model == [CommitInput(), TURN]
    assert call.sees(TurnCommitted()).model == []  # it counts from the last commit


def test_what_was_cleared_is_no_part_of_the_turn() -> None:
    call = manual()
    speaks(call, 400)
    assert call.sees(TurnCleared()).model == [ClearInput()]
    speaks(call, 80)
    assert call.sees(TurnCommitted()).model == []


def test_an_answer_may_wait_until_it_is_asked_for() -> None:
    call = manual()
    speaks(call, 400)
    assert call.sees(TurnCommitted(respond=False)).model == [CommitInput()]
    assert call.sees(InputCommitted("u1")).model == []
    assert call.sees(ResponseAsked()).model == [TURN]


def test_the_agent_may_be_asked_to_speak_of_itself() -> None:
    call = manual()
    assert call.sees(ResponseAsked()).model == [CreateResponse("host")]
    call.sees(created("r1", "host"), done("r1"))
    assert call.engine.state.talk.timings.turns[0].asked == "host"


def test_speaking_of_itself_waits_for_the_response_that_is_active() -> None:
    call = asked(manual())
    assert call.sees(ResponseAsked()).model == []
    assert call.sees(done("r1")).model == [CreateResponse("host")]


def test_an_interruption_clears_cancels_and_truncates_in_this_order() -> None:
    call = asked(manual())
    ear = Ear(call)
    ear.sees(delta(2_000))
    out = ear.at(500).sees(InterruptAsked())
    assert out.phone == [Clear()]
    assert out.model == [CancelResponse("r1"), Truncate("i1", 500)]
    assert call.sees(delta(200)).phone == []


def test_a_turn_committed_over_the_agent_interrupts_it_and_is_answered_after_its_end() -> None:
    call = asked(manual())
    ear = Ear(call)
    ear.sees(delta(2_000))
    ear.at(500)
    speaks(call, 400)
    out = call.sees(TurnCommitted())
    assert out.model == [CancelResponse("r1"), Truncate("i1", 500), CommitInput()]
    assert call.sees(done("r1")).model == [TURN]


def test_a_turn_committed_before_our_create_was_taken_cancels_it_by_id() -> None:
    call = manual()
    speaks(call, 400)
    call.sees(TurnCommitted())
    speaks(call, 400)
    assert call.sees(TurnCommitted()).model == [CommitInput()]
    assert call.sees(created("r1", "turn")).model == [CancelResponse("r1")]
    assert call.sees(delta(400)).phone == []
    assert call.sees(done("r1")).model == [TURN]


def test_an_interruption_with_nothing_to_interrupt_is_nothing() -> None:
    assert manual().sees(InterruptAsked()) == []


def test_a_tools_answer_and_a_turn_are_answered_by_one_response() -> None:
    call = asked(manual())
    call.sees(done("r1", wants("c1")))
    speaks(call, 400)
    call.sees(TurnCommitted(respond=False))
    call.sees(created("x", "elsewhere"))
    assert call.sees(ToolFinished("c1", "7")).model == [ToolOutput("c1", "7")]
    call.sees(has_answer("c1"), ResponseAsked())
    assert call.sees(done("x")).model == [TURN]
    call.sees(created("r2", "turn"))
    assert call.sees(done("r2")).model == []


def test_a_refused_commit_takes_its_answer_back_before_it_was_created() -> None:
    call = manual()
    speaks(call, 400)
    call.sees(TurnCommitted(), TOO_SHORT)
    assert call.sees(created("r1", "turn")).model == [CancelResponse("r1")]
    assert call.sees(delta(400)).phone == []


def test_a_refused_commit_takes_its_answer_back_before_it_was_heard() -> None:
    call = manual()
    speaks(call, 400)
    call.sees(TurnCommitted(), created("r1", "turn"))
    assert call.at(1_000).sees(TOO_SHORT).model == [CancelResponse("r1")]
    assert call.sees(delta(400)).phone == []


def test_a_refused_commit_takes_back_the_wish() -> None:
    call = asked(manual())
    speaks(call, 400)
    call.sees(TurnCommitted(), TOO_SHORT)
    assert call.sees(done("r1")).model == []


def test_a_refusal_that_comes_when_the_answer_is_heard_leaves_it_alone() -> None:
    call = manual()
    speaks(call, 400)
    call.sees(TurnCommitted(), created("r1", "turn"), delta(400))
    assert call.at(1_000).sees(TOO_SHORT) == []


def test_a_turn_committed_while_the_session_is_replaced_is_committed_to_the_next_one() -> None:
    call = manual(recovery=recovery_plan())
    speaks(call, 200)
    call.sees(ModelLegLost(1))
    speaks(call, 200, first=10)
    assert call.sees(TurnCommitted()).model == []
    out = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert out[1:] == [*(AppendAudio(frame(n)) for n in range(20)), CommitInput(), TURN]


def test_a_long_turn_is_kept_from_its_beginning_for_the_next_session() -> None:
    call = manual(recovery=recovery_plan())
    speaks(call, 4_000)
    call.sees(ModelLegLost(1))
    out = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert out[1:] == [AppendAudio(frame(n)) for n in range(200)]


def test_a_cleared_buffer_is_not_told_to_the_next_session() -> None:
    call = manual(recovery=recovery_plan())
    speaks(call, 400)
    call.sees(TurnCleared(), ModelLegLost(1))
    assert call.sees(ModelConnected(2, Dialect.GA), ULAW).model[1:] == []


def test_with_detected_turns_nobody_answers_but_the_host_where_the_server_does_not() -> None:
    call = Script(create_response=False).live()
    call.caller_says("u1", "r0")
    call.sees(*spoke("r0"))
    assert call.sees(ResponseAsked()).model == [TURN]
