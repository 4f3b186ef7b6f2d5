"""A session that nears its end is replaced in a quiet moment: what is told, when, and what if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llcphone.engine.commands import (
    CloseModel,
    ConnectModel,
    ConnectStandby,
    SendModel,
    SendStandby,
    SwitchModel,
)
from llcphone.engine.events import (
    EndReason,
    HangUpAsked,
    InterruptAsked,
    ModelConnected,
    ModelConnectFailed,
    ModelExpires,
    ModelLegLost,
    ModelSaid,
    StreamJoined,
    ToolFinished,
)
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    AudioDelta,
    CallerTranscript,
    InputCommitted,
    Item,
    ModelError,
    ResponseDone,
    ResponseStatus,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
)
from llcphone.realtime.messages import (
    AppendAudio,
    AskAside,
    AssistantText,
    CancelResponse,
    CreateResponse,
    DeleteItem,
    SystemText,
    ToolCall,
    ToolOutput,
    UpdateSession,
    UserAudio,
    UserText,
)
from llcphone.twilio.media import CallerAudio, Clear, StreamStopped
from tests.engine.script import (
    CANCELLED,
    LATER,
    MEDIUM,
    SESSION,
    STARTED,
    ULAW,
    Commands,
    Ear,
    Script,
    created,
    delta,
    done,
    frame,
    has_answer,
    item_done,
    speech,
    spoke,
    wants,
)
from tests.engine.setups import recovery_plan, renewal_plan

if TYPE_CHECKING:
    from llcphone.engine.call_setup import RenewalPlan

PLAN = renewal_plan(at_age_ms=60_000)
DUE = 60_000
STAND_BY = ConnectStandby(2, Dialect.GA)


def calling(plan: RenewalPlan = PLAN, **setup: Any) -> Script:
    """A live call in which nobody need speak."""
    patient = {"dead_stream_ms": 10**9, "idle_ms": 10**9}
    return Script(limits=patient, **{"renewal": plan, "recovery": recovery_plan()} | setup).live()


def answered(call: Script, number: int, *, words: bool = True) -> Ear:
    """The caller asks question ``number`` and hears the whole answer."""
    u, r, i = f"u{number}", f"r{number}", f"i{number}"
    ear = Ear(call)
    call.sees(CallerAudio(frame(number)), SpeechStarted(u))
    call.sees(SpeechStopped(u, call.engine.state.appended_bytes // 8), InputCommitted(u))
    if words:
        call.sees(CallerTranscript(u, f"Question {number}?", final=True))
    ear.sees(created(r), TranscriptDone(r, i, f"Answer {number}."), delta(400, i, r), item_done(i, r))
    ear.sees(done(r, Item(i, "message", "completed")))
    ear.at(call.now_ms + 500)
    return ear


def standing_by(call: Script, leg_number: int = 2) -> Commands:
    """The successor's leg opens and is configured."""
    return call.sees(ModelConnected(leg_number, Dialect.GA), ModelSaid(leg_number, ULAW))


def due(call: Script, at_ms: int = DUE) -> Commands:
    """Let time pass until the session is due."""
    return call.until(at_ms)


def switched(commands: Commands) -> bool:
    return any(isinstance(command, SwitchModel) for command in commands)


def outcomes(call: Script) -> list[tuple[str, str, int]]:
    return [(each.why.value, each.outcome, each.tries) for each in call.engine.policies.renewal.renewals]


def summary_of(text: str, status: ResponseStatus = ResponseStatus.COMPLETED) -> ResponseDone:
    words = Item("s1", "message", "completed", text=text)
    return ResponseDone("x1", status, items=(words,), in_conversation=False, purpose="summary")


# -- when ---------------------------------------------------------------------------------------


def test_at_its_age_a_session_gets_a_successor_and_notices_nothing() -> None:
    call = calling()
    assert due(call, DUE - 1) == []
    assert due(call) == [STAND_BY]
    connected = call.sees(ModelConnected(2, Dialect.GA))
    assert connected == [SendStandby(2, UpdateSession(SESSION, "setup-2"))]
    assert call.sees(ModelSaid(2, ULAW)) == []
    assert call.engine.state.session.leg_number == 1


def test_a_server_that_names_an_earlier_end_is_believed() -> None:
    call = calling(renewal_plan(at_age_ms=3_300_000, margin_ms=300_000))
    call.sees(ModelExpires(1, 1_800_000))
    assert due(call, 1_499_999) == []
    assert due(call, 1_500_000) == [STAND_BY]


def test_a_short_life_keeps_a_quarter_of_itself_as_margin() -> None:
    call = calling(renewal_plan())
    call.sees(ModelExpires(1, 40_000), ModelExpires(1, 39_000))
    assert due(call, 29_249) == []
    assert due(call, 30_000) == [STAND_BY]


def test_a_later_end_than_the_age_changes_nothing() -> None:
    call = calling()
    call.sees(ModelExpires(1, 3_600_000))
    assert due(call) == [STAND_BY]


def test_renewal_is_off_at_age_0() -> None:
    call = calling(renewal_plan(at_age_ms=0))
    call.sees(ModelExpires(1, 40_000))
    assert call.until(250_000) == []


# -- the switch ---------------------------------------------------------------------------------


def test_the_switch_is_one_step_that_tells_what_was_heard_and_asks_for_nothing() -> None:
    call = calling()
    answered(call, 1)
    call.sees(CallerAudio(frame(7)), CallerAudio(frame(8)))
    due(call)
    assert standing_by(call).model == []
    assert call.until(DUE + 499) == []
    assert call.until(DUE + 500) == [
        SwitchModel(2),
        SendModel(UserText("Question 1?")),
        SendModel(AssistantText("Answer 1.", "i1")),
        SendModel(AppendAudio(frame(7))),
        SendModel(AppendAudio(frame(8))),
    ]
    assert call.engine.state.session.leg_number == 2
    assert call.until(DUE + 9_000) == []
    assert outcomes(call) == [("limit", "switched", 1)]


def test_the_next_turn_is_heard_and_answered_by_the_successor_from_its_first_frame() -> None:
    call = calling()
    due(call)
    standing_by(call)
    call.at(DUE + 400).sees(CallerAudio(frame(1)))  # a word begins; turn detection has not noticed yet
    assert AppendAudio(frame(1)) in call.until(DUE + 600).model
    assert call.sees(ModelSaid(1, SpeechStarted("u9"))) == []  # the old leg notices it too late
    assert call.sees(CallerAudio(frame(2))).model == [AppendAudio(frame(2))]
    call.sees(SpeechStarted("u1"), SpeechStopped("u1", 40), InputCommitted("u1"), created("r1"))
    assert call.sees(delta(200)).audio_ms == 200
    assert call.engine.state.stale_events == 1


def test_a_settings_update_sent_while_the_successor_stood_by_is_told_in_the_switch() -> None:
    call = calling(schedule=(LATER,))
    due(call)
    call.sees(SpeechStarted("u1"))
    standing_by(call)
    call.sees(SpeechStopped("u1"), InputCommitted("u1"), CallerTranscript("u1", "Hm.", final=True))
    call.sees(created("r1"), *spoke("r1"))
    call.hears_all()
    told = call.until(DUE + 2_000).model
    assert told[0] == UpdateSession(MEDIUM, "due-eagerness")
    assert told[1] == UpdateSession(MEDIUM, "renewal")
    assert told[2:] == [UserText("Hm.")]


def test_an_update_sent_before_is_part_of_the_successors_settings() -> None:
    call = calling(schedule=(LATER,))
    answered(call, 1)
    due(call)
    told = call.sees(ModelConnected(2, Dialect.GA))
    assert told == [SendStandby(2, UpdateSession(SESSION | MEDIUM, "setup-2"))]
    call.sees(ModelSaid(2, ULAW))
    assert not any(isinstance(each, UpdateSession) for each in call.until(DUE + 999).model)


def test_after_the_switch_positions_count_in_the_successors_audio() -> None:
    call = calling()
    call.sees(*(CallerAudio(frame(number)) for number in range(200)))
    due(call)
    standing_by(call)
    told = call.until(DUE + 999).model
    assert told == [AppendAudio(frame(number)) for number in range(125, 200)]
    call.sees(SpeechStarted("u1"), CallerAudio(frame(1)), CallerAudio(frame(2)))
    call.at(DUE + 2_000).sees(SpeechStopped("u1", 1_500), InputCommitted("u1"), created("r1"))
    assert call.engine.state.talk.timings.turns[-1].caller_stopped_ms == DUE + 2_000 - 40


def test_an_old_tool_answer_that_was_never_acknowledged_does_not_bring_a_second_answer_later() -> None:
    call = calling()
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"))
    call.sees(done("r1", wants("c1")), ToolFinished("c1", "1"), created("r2", "tools"), *spoke("r2"))
    call.hears_all()
    due(call)
    standing_by(call)
    assert switched(call.until(DUE + 9_000))
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"), created("r3"))
    call.sees(done("r3", wants("c2")), SpeechStarted("u3"), ToolFinished("c2", "2"), has_answer("c2"))
    told = call.sees(SpeechStopped("u3"), InputCommitted("u3"), created("r4"), *spoke("r4"))
    told += call.until(DUE + 30_000)
    assert not any(isinstance(each, CreateResponse) for each in told.model)


def test_a_session_at_its_limit_leaves_nothing_out() -> None:
    call = calling(attrs.evolve(PLAN, keep_turns=1))
    for number in range(1, 5):
        answered(call, number)
    due(call)
    standing_by(call)
    told = call.until(DUE + 999).model
    asked = [each.text for each in told if isinstance(each, UserText)]
    assert asked == [f"Question {number}?" for number in range(1, 5)]


def test_a_tool_call_and_its_result_are_told_in_their_place() -> None:
    call = calling()
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    call.sees(CallerTranscript("u1", "Is it open?", final=True), created("r1"), done("r1", wants("c1")))
    call.sees(ToolFinished("c1", '"yes"'), created("r2", "tools"), *spoke("r2"))
    call.hears_all()
    due(call)
    standing_by(call)
    told = call.until(DUE + 999).model
    assert told == [
        UserText("Is it open?"),
        ToolCall("c1", "look_up", "{}"),
        ToolOutput("c1", '"yes"'),
    ]


# -- not now ------------------------------------------------------------------------------------


def test_nobody_is_switched_in_the_middle_of_anything() -> None:
    call = calling()
    ear = Ear(call)
    due(call)
    call.sees(SpeechStarted("u1"))
    standing_by(call)
    assert not switched(ear.at(DUE + 2_000).call.said), "the caller speaks"
    call.sees(SpeechStopped("u1"), InputCommitted("u1"), CallerTranscript("u1", "Well?", final=True))
    assert not switched(ear.at(DUE + 4_000).call.said), "an answer is owed"
    ear.sees(created("r1"))
    assert not switched(ear.at(DUE + 6_000).call.said), "a response is active"
    ear.sees(done("r1", wants("c1")))
    assert not switched(ear.at(DUE + 8_000).call.said), "a tool runs"
    ear.sees(ToolFinished("c1", "1"), created("r2", "tools"))
    ear.sees(TranscriptDone("r2", "i2", "All well."), delta(3_000, "i2", "r2"), item_done("i2", "r2"))
    ear.sees(done("r2", Item("i2", "message", "completed")))
    assert not switched(ear.at(DUE + 11_400).call.said), "the agent is being heard, or just was"
    ear.at(DUE + 11_500)
    assert ear.call.said.model[-4:] == [
        UserText("Well?"),
        ToolCall("c1", "look_up", "{}"),
        ToolOutput("c1", "1"),
        AssistantText("All well.", "i2"),
    ]
    assert switched(call.said)


def test_what_is_said_while_the_successor_waits_is_told_too() -> None:
    call = calling()
    due(call)
    call.sees(SpeechStarted("u1"))
    standing_by(call)
    answered(call, 1)
    assert UserText("Question 1?") in call.until(DUE + 5_000).model


def test_a_call_that_says_good_bye_is_not_renewed_any_more() -> None:
    call = calling()
    ear = Ear(call)
    due(call, DUE - 2_000)
    ear.at(call.now_ms)
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r1"))
    ear.sees(delta(4_000), item_done(), done("r1", Item("i1", "message", "completed")), HangUpAsked())
    ear.at(DUE + 1_000)
    assert not any(isinstance(each, ConnectStandby) for each in call.said)
    ear.at(DUE + 3_000)
    assert call.said.end is EndReason.AGENT_HUNG_UP


def test_nobody_on_the_line_needs_no_younger_session() -> None:
    call = Script(renewal=renewal_plan(at_age_ms=1_000), recovery=recovery_plan())
    call.configured()
    assert call.until(30_000) == []
    call.sees(StreamJoined(), STARTED)
    assert STAND_BY in call.said


# -- a successor that fails ---------------------------------------------------------------------


def test_a_successor_that_fails_is_tried_again_later_and_the_old_session_goes_on() -> None:
    call = calling()
    due(call)
    assert call.sees(ModelConnectFailed(2, "refused")) == [
        CloseModel(2),
        ConnectStandby(3, Dialect.GA, 1_000),
    ]
    again = call.sees(ModelConnectFailed(3, "http_429", retry_after_ms=7_000))
    assert again == [CloseModel(3), ConnectStandby(4, Dialect.GA, 7_000)]
    assert call.sees(CallerAudio(frame(1))).model == [AppendAudio(frame(1))]
    standing_by(call, 4)
    assert call.until(DUE + 999)[0] == SwitchModel(4)
    assert outcomes(call) == [("limit", "switched", 3)]


def test_a_successor_that_says_nothing_is_tried_again_after_ten_seconds() -> None:
    call = calling()
    due(call)
    assert call.until(DUE + 9_999) == []
    assert call.until(DUE + 10_000) == [CloseModel(2), ConnectStandby(3, Dialect.GA, 1_000)]


def test_a_successor_lost_while_it_stands_by_is_replaced() -> None:
    call = calling()
    due(call)
    call.sees(SpeechStarted("u1"))
    standing_by(call)
    assert call.sees(ModelLegLost(2, 1006)) == [CloseModel(2), ConnectStandby(3, Dialect.GA, 1_000)]


def test_after_so_many_tries_the_session_goes_on_to_its_end_and_is_then_a_lost_one() -> None:
    call = calling(attrs.evolve(PLAN, most_tries=2))
    due(call)
    call.sees(ModelConnectFailed(2, "refused"))
    assert call.sees(ModelConnectFailed(3, "refused")) == [CloseModel(3)]
    assert call.until(250_000) == []
    lost = call.sees(ModelError("session_expired"))
    assert lost == [CloseModel(1), ConnectModel(4, Dialect.GA)]
    assert outcomes(call) == [("limit", "given up", 2)]


@pytest.mark.parametrize(
    "refusal",
    [
        ModelConnectFailed(2, "http_401", fatal=True),
        ModelLegLost(2, 4000),
        ModelSaid(2, ModelError("invalid_value", event_id="setup-2")),
        ModelSaid(2, SessionUpdated("pcm16", "pcm16")),
    ],
    ids=repr,
)
def test_a_refusal_is_not_asked_for_again(refusal: Any) -> None:
    call = calling()
    due(call)
    call.sees(ModelConnected(2, Dialect.GA))
    assert call.sees(refusal) == [CloseModel(2)]
    assert call.until(DUE + 90_000) == []


def test_a_successor_that_speaks_unasked_is_silenced_before_and_after_the_switch() -> None:
    call = calling()
    due(call)
    standing_by(call)
    assert call.sees(ModelSaid(2, created("x9"))) == [SendStandby(2, CancelResponse("x9"))]
    assert switched(call.until(DUE + 999))
    assert call.sees(AudioDelta("x9", "j9", speech(200))) == []


# -- the old session dies first -----------------------------------------------------------------


def test_a_session_lost_while_its_successor_stands_by_is_replaced_in_the_same_step() -> None:
    call = calling()
    due(call)
    ear = Ear(call)
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    call.sees(CallerTranscript("u1", "Well?", final=True))
    ear.sees(created("r1"), TranscriptDone("r1", "i1", "We open at nine."), delta(1_000))
    standing_by(call)
    out = call.at(DUE + 200).sees(ModelError("session_expired"))
    assert SwitchModel(2) in out
    assert [type(each) for each in out.model] == [UserText, AssistantText, SystemText, CreateResponse]
    assert ConnectModel not in {type(each) for each in out}
    gap = call.engine.policies.recovery.gaps[0]
    assert (gap.restored_ms, gap.attempts, gap.outcome) == (DUE + 200, 0, "restored")
    assert outcomes(call) == [("limit", "took over", 1)]
    # What still plays is known to the new session as text only: that is not truncated.
    ear.at(DUE + 600)
    cut = call.sees(SpeechStarted("u2"))
    assert cut.phone[0] == Clear()
    assert cut.model[0] == DeleteItem("i1")


def test_a_session_lost_while_its_successor_is_being_opened_is_recovered_as_ever() -> None:
    call = calling()
    due(call)
    lost = call.sees(ModelLegLost(1, 1006))
    assert lost == [CloseModel(2), CloseModel(1), ConnectModel(3, Dialect.GA)]
    assert call.sees(ModelConnected(2, Dialect.GA)) == []
    assert outcomes(call) == [("limit", "dropped", 1)]


def test_an_end_that_comes_in_the_very_moment_of_the_switch_switches_once() -> None:
    call = calling()
    due(call)
    standing_by(call)
    out = call.at(DUE + 500).sees(ModelError("session_expired"))
    assert [each for each in out if isinstance(each, SwitchModel)] == [SwitchModel(2)]
    assert call.until(DUE + 5_000) == []
    assert outcomes(call) == [("limit", "took over", 1)]


def test_a_model_that_is_given_up_takes_its_successor_with_it() -> None:
    call = calling(recovery=recovery_plan(apology=(speech(200),)))
    due(call)
    out = call.sees(ModelError("insufficient_quota"))
    assert [each for each in out if isinstance(each, CloseModel)] == [CloseModel(2), CloseModel(1)]
    assert outcomes(call) == [("limit", "dropped", 1)]


def test_a_call_that_ends_takes_both_sessions_with_it() -> None:
    call = calling()
    due(call)
    standing_by(call)
    assert call.sees(StreamStopped()).end is EndReason.CALLER_HUNG_UP
    assert outcomes(call) == [("limit", "call ended", 1)]
    assert call.sees(ModelSaid(2, ULAW)) == []


# -- refresh, and the summary -------------------------------------------------------------------

REFRESH = renewal_plan(at_age_ms=0, refresh_age_ms=DUE, keep_turns=1)


def refreshing(plan: RenewalPlan = REFRESH, *, words: bool = True) -> Script:
    """Three answered turns, and a successor that stands by; the summary has just been asked for."""
    call = calling(plan)
    for number in (1, 2, 3):
        answered(call, number, words=words)
    due(call)
    standing_by(call)
    return call


def test_a_refresh_tells_the_summary_and_the_last_turns_only() -> None:
    call = refreshing()
    asked = call.until(DUE + 500)
    assert [type(each) for each in asked.model] == [AskAside]
    told = call.sees(created("x1", "summary", in_conversation=False), summary_of("They asked twice.")).model
    assert isinstance(told[0], SystemText)
    assert told[0].text.endswith("They asked twice.")
    assert told[1:3] == [UserText("Question 3?"), AssistantText("Answer 3.", "i3")]
    assert all(isinstance(each, AppendAudio) for each in told[3:])
    assert outcomes(call) == [("age", "switched", 1)]


def test_what_is_said_after_the_summary_was_asked_for_is_told_word_by_word() -> None:
    call = refreshing()
    call.until(DUE + 500)
    call.at(DUE + 600)
    answered(call, 4)
    call.at(DUE + 1_200)
    answered(call, 5)
    call.sees(summary_of("They asked thrice."))
    told = call.until(DUE + 9_000).model
    assert [each.text for each in told if isinstance(each, UserText)] == ["Question 4?", "Question 5?"]


@pytest.mark.parametrize("reply", [None, summary_of("Half of", ResponseStatus.INCOMPLETE), summary_of("")])
def test_without_a_summary_in_time_the_last_turns_are_told_alone(reply: ResponseDone | None) -> None:
    call = refreshing()
    call.until(DUE + 500)
    told = call.sees(reply) if reply is not None else call.until(DUE + 5_499)
    assert bool(told) is (reply is not None)
    told += call.until(DUE + 5_500)
    assert told.model[:2] == [UserText("Question 3?"), AssistantText("Answer 3.", "i3")]


def test_words_that_nobody_wrote_down_live_on_in_a_summary() -> None:
    call = calling()
    answered(call, 1, words=False)
    due(call)
    standing_by(call)
    assert [type(each) for each in call.until(DUE + 500).model] == [AskAside]
    told = call.sees(summary_of("They want a table.")).model
    assert isinstance(told[0], SystemText)
    assert told[1] == AssistantText("Answer 1.", "i1")
    # And if that session is lost as well, the next one is told it too.
    call.sees(ModelLegLost(2, 1006))
    again = call.sees(ModelConnected(3, Dialect.GA), ULAW).model
    assert isinstance(again[1], SystemText)
    assert again[1].text.endswith("They want a table.")


def test_a_turn_whose_audio_is_kept_needs_no_summary() -> None:
    call = calling()
    call.sees(CallerAudio(frame(1)), SpeechStarted("u1"), SpeechStopped("u1", 20), InputCommitted("u1"))
    call.sees(created("r1"), InterruptAsked(), done("r1", status=CANCELLED))
    due(call)
    standing_by(call)
    assert call.until(DUE + 999).model == [UserAudio(frame(1))]


def test_a_summary_may_be_turned_off() -> None:
    call = refreshing(attrs.evolve(REFRESH, summary=False))
    assert not any(isinstance(each, AskAside) for each in call.until(DUE + 999).model)
    assert outcomes(call) == [("age", "switched", 1)]


def test_the_summary_is_never_heard() -> None:
    call = refreshing()
    call.until(DUE + 500)
    heard = call.sees(
        created("x1", "summary", in_conversation=False),
        AudioDelta("x1", "s1", speech(200)),
        summary_of("Hm."),
    )
    assert heard.phone == []


def test_the_renewed_session_is_renewed_in_its_turn() -> None:
    call = calling()
    due(call)
    standing_by(call)
    assert switched(call.until(DUE + 500))
    assert call.until(2 * DUE - 1) == []
    assert call.until(2 * DUE) == [ConnectStandby(3, Dialect.GA)]
