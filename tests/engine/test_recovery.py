"""A lost model session is survived: what the caller hears, what the next session is told."""

from __future__ import annotations

import base64

import pytest

from llcphone.engine.call_setup import MachinePolicy, RecoveryPlan
from llcphone.engine.commands import CloseModel, ConnectModel, EndCall, RememberDialect, RunTool
from llcphone.engine.events import (
    Born,
    EndReason,
    HangUpAsked,
    MachineDetected,
    ModelConnected,
    ModelConnectFailed,
    ModelLegLost,
    StreamJoined,
    ToolFinished,
)
from llcphone.engine.policies.recovery import Gap
from llcphone.engine.resumed import Owed, Speaker
from llcphone.engine.status import Floor
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    AudioDone,
    CallerTranscript,
    InputCommitted,
    ModelError,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
)
from llcphone.realtime.messages import (
    AppendAudio,
    AssistantText,
    CreateResponse,
    DeleteItem,
    SystemText,
    ToolCall,
    ToolOutput,
    UpdateSession,
    UserAudio,
    UserText,
)
from llcphone.twilio.media import CallerAudio, Clear, MarkEchoed, Media, StreamStopped
from tests.engine.script import (
    ALL_TOOLS,
    CANCELLED,
    FAILED,
    FULL_TOOLS,
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
    wants,
)
from tests.engine.setups import dial_plan, recovery_plan

FILLER = base64.b64encode(b"\x33" * 800)
APOLOGY = base64.b64encode(b"\x44" * 1600)
PLAN = recovery_plan(filler=(FILLER,), apology=(APOLOGY,))
LOST = ModelLegLost(1, 1006)
CUE = UserText("Greet the caller.")
WORDLESS = "Some of what the caller said earlier"


def calling(plan: RecoveryPlan = PLAN, **setup: object) -> Script:
    """A live call that is to survive its model."""
    return Script(recovery=plan, **setup).live()


def answering(plan: RecoveryPlan = PLAN, **setup: object) -> Script:
    """The same, whose caller has asked and whose answer ``r1`` has begun."""
    call = calling(plan, **setup)
    call.caller_says("u1", "r1")
    return call


def reborn(call: Script) -> Commands:
    """The next session is there: what it is told behind its settings."""
    told = call.sees(ModelConnected(call.engine.state.session.leg_number, Dialect.GA), ULAW)
    assert isinstance(told.model[0], UpdateSession)
    return Commands(each for each in told[1:] if not isinstance(each, RememberDialect))


def hears(call: Script, *numbers: int) -> Commands:
    """The caller's frames of these numbers."""
    return call.sees(*(CallerAudio(frame(number)) for number in numbers))


def appended(commands: Commands) -> list[bytes]:
    return [message.payload for message in commands.model if isinstance(message, AppendAudio)]


def creates(commands: Commands) -> list[str]:
    return [message.purpose for message in commands.model if isinstance(message, CreateResponse)]


def lost_leg(call: Script) -> ModelLegLost:
    """The present leg ends."""
    return ModelLegLost(call.engine.state.session.leg_number, 1006)


def played(commands: Commands, what: bytes) -> bool:
    return any(isinstance(message, Media) and message.payload == what for message in commands.phone)


# -- nobody waits -------------------------------------------------------------------------------


def test_a_loss_while_nobody_waits_is_silent_and_asks_for_nothing() -> None:
    call = calling()
    assert call.at(1_000).sees(LOST) == [CloseModel(1), ConnectModel(2, Dialect.GA)]
    assert call.until(2_000) == []
    assert reborn(call) == []
    assert call.until(9_000) == []
    assert call.engine.policies.recovery.gaps == [
        Gap(1_000, "closed_1006", "nothing", 1, "restored", restored_ms=2_000, spoke_ms=None)
    ]


def test_an_answer_that_was_heard_is_told_and_not_asked_for_again() -> None:
    ear = Ear(calling())
    hears(ear.call, 1, 2)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1", 40), InputCommitted("u1"), created("r1"))
    ear.sees(TranscriptDone("r1", "i1", "We open at nine."), delta(1_000), item_done(), done())
    ear.at(2_000)
    ear.sees(LOST)
    told = reborn(ear.call)
    assert [type(message) for message in told.model] == [SystemText, AssistantText]
    assert told.model[-1] == AssistantText("We open at nine.", "i1")
    assert creates(told) == creates(ear.call.until(9_000)) == []


def test_what_plays_plays_on_while_the_session_is_replaced() -> None:
    ear = Ear(answering())
    ear.sees(delta(3_000), item_done(), done())
    ear.at(500).sees(LOST)
    ear.at(900)
    ear.takes(reborn(ear.call))
    ear.at(4_000)
    assert ear.heard_ms == 3_000
    assert not ear.cleared_marks


def test_a_gap_so_long_that_the_caller_may_have_spoken_is_filled() -> None:
    call = calling()
    call.at(1_000).sees(LOST)
    assert not call.until(3_499).phone
    assert played(call.until(4_000), FILLER)


# -- in the middle of an answer -----------------------------------------------------------------


def broken_answer() -> Ear:
    """An answer that broke off after a second of sound, with more words than sound; 200 ms were heard."""
    ear = Ear(answering())
    ear.sees(TranscriptDelta("r1", "i1", "We open at nine and close "), delta(1_000))
    ear.sees(TranscriptDelta("r1", "i1", "at five, except on Sunday, when we stay in bed."))
    ear.at(200)
    ear.sees(LOST)
    return ear


def test_an_answer_that_broke_off_is_told_as_far_as_it_has_become_sound_and_goes_on() -> None:
    call = broken_answer().call
    told = reborn(call)
    assert [type(message) for message in told.model[-3:]] == [AssistantText, SystemText, CreateResponse]
    heard = told.model[-3]
    assert isinstance(heard, AssistantText)
    assert heard.text == "We open at nine and"  # 18 characters a second, and a margin
    assert creates(told) == ["resume"]


def test_words_that_were_spoken_to_the_end_of_their_item_are_told_whole() -> None:
    call = answering()
    call.sees(delta(200), AudioDone("r1", "i1"), TranscriptDone("r1", "i1", "Long words for a short sound."))
    call.sees(delta(400, "i2"), TranscriptDelta("r1", "i2", "And so on and so on"), LOST)
    texts = [message.text for message in reborn(call).model if isinstance(message, AssistantText)]
    assert texts[0] == "Long words for a short sound."
    assert "And so on and so on".startswith(texts[1])


def test_the_filler_waits_until_what_plays_has_been_played() -> None:
    ear = broken_answer()
    assert not played(ear.plays_until(1_399), FILLER)
    assert played(ear.plays_until(1_400), FILLER)
    ear.at(1_450)
    assert ear.heard_ms == 1_000


def test_a_session_that_is_back_before_the_silence_needs_no_filler() -> None:
    ear = broken_answer()
    ear.takes(reborn(ear.call))
    ear.at(600).sees(created("r2", "resume"), delta(400, "i2", "r2"))
    assert not played(ear.plays_until(5_000), FILLER)
    assert ear.heard_ms == 1_400


def test_the_rest_of_the_answer_does_not_wait_for_the_fillers_end() -> None:
    ear = broken_answer()
    ear.at(1_420)
    ear.takes(reborn(ear.call))
    spoken = ear.sees(created("r2", "resume"), delta(400, "i2", "r2"))
    assert spoken.phone[0] == Clear()
    ear.at(1_820)
    assert ear.heard_ms == 1_400
    gap = ear.call.engine.policies.recovery.gaps[0]
    assert (gap.at_ms, gap.restored_ms, gap.spoke_ms) == (200, 1_420, 1_420)


def test_the_filler_comes_again_while_the_caller_waits_on() -> None:
    ear = broken_answer()
    for now_ms in range(200, 8_101, 100):
        ear.at(now_ms)
    assert ear.played.count(b"\x33") == 2 * 800


def test_a_resumed_answer_that_ends_without_a_sound_is_asked_for_again() -> None:
    ear = broken_answer()
    ear.takes(reborn(ear.call))
    ear.sees(created("r2", "resume"), done("r2", status=CANCELLED))
    assert creates(ear.plays_until(450)) == ["resume"]
    assert ear.call.engine.state.pending.owed is Owed.REST
    ear.sees(created("r3", "resume"), delta(400, "i3", "r3"), done("r3"))
    assert ear.call.engine.state.pending.owed is Owed.NOTHING
    assert not played(ear.plays_until(7_000), FILLER)


def test_an_answer_that_the_caller_had_cut_off_is_not_gone_on_with() -> None:
    ear = Ear(answering())
    ear.sees(TranscriptDelta("r1", "i1", "We open at nine and close at five"), delta(2_000))
    ear.at(600).sees(SpeechStarted("u2"))
    ear.sees(LOST)
    told = reborn(ear.call)
    assert told.model[-1] == AssistantText("We open", "i1")
    assert creates(told) == []


def test_a_caller_who_takes_the_floor_waits_for_no_rest_of_an_answer() -> None:
    ear = broken_answer()
    ear.takes(reborn(ear.call))
    ear.at(300).sees(SpeechStarted("u2"))
    assert not played(ear.plays_until(9_000), FILLER)


def test_a_response_that_nobody_asked_for_is_not_owed() -> None:
    ear = Ear(answering())
    ear.sees(delta(100), item_done(), done())
    ear.at(500).sees(created("r9"))
    ear.sees(LOST)
    assert creates(reborn(ear.call)) == []


def test_a_barge_in_over_audio_of_the_lost_session_tells_the_new_one_where_it_ended() -> None:
    ear = Ear(answering())
    ear.sees(
        TranscriptDone("r1", "i1", "We open at nine and close at five."), delta(2_000), item_done(), done()
    )
    ear.sees(LOST)
    ear.at(100).takes(reborn(ear.call))
    cut = ear.at(1_000).sees(SpeechStarted("u2"))
    assert cut.model == [DeleteItem("i1"), AssistantText("We open at nine")]
    assert cut.phone[0] == Clear()


# -- before the first sound of an answer --------------------------------------------------------


def test_a_turn_that_was_not_answered_is_told_as_audio_and_answered_once() -> None:
    call = calling()
    hears(call, 1, 2, 3)
    call.sees(SpeechStarted("u1"))
    hears(call, 4, 5)
    call.sees(SpeechStopped("u1", 100), InputCommitted("u1"), LOST)
    told = reborn(call)
    turn = base64.b64encode(b"".join(base64.b64decode(frame(n)) for n in (1, 2, 3, 4, 5)))
    assert told.model == [UserAudio(turn), CreateResponse("resume")]
    assert appended(told) == []
    call.sees(created("r1", "resume"), delta(400), done())
    assert creates(call.until(20_000)) == []


def test_words_of_an_answer_that_nobody_heard_are_not_told() -> None:
    call = answering()
    call.sees(TranscriptDelta("r1", "i1", "We open"), LOST)
    assert not any(isinstance(message, AssistantText) for message in reborn(call).model)


def test_a_turn_whose_words_are_known_is_told_in_words() -> None:
    call = calling()
    hears(call, 1, 2)
    call.sees(SpeechStarted("u1"), SpeechStopped("u1", 40), InputCommitted("u1"))
    call.sees(CallerTranscript("u1", "When do you open?", final=True), LOST)
    assert reborn(call).model == [UserText("When do you open?"), CreateResponse("resume")]


def test_older_turns_that_nobody_wrote_down_are_said_to_be_missing() -> None:
    ear = Ear(answering())
    ear.sees(TranscriptDone("r1", "i1", "At nine."), delta(400), item_done(), done("r1"))
    call = ear.at(500).call
    hears(call, 7)
    call.sees(SpeechStarted("u2"), SpeechStopped("u2", 20), InputCommitted("u2"), LOST)
    told = reborn(call).model
    assert [type(message) for message in told] == [SystemText, AssistantText, UserAudio, CreateResponse]
    assert isinstance(told[0], SystemText)
    assert told[0].text.startswith(WORDLESS)


def test_the_filler_comes_within_half_a_second_when_an_answer_is_due() -> None:
    call = answering()
    call.at(1_000).sees(LOST)
    assert not call.until(1_399).phone
    assert played(call.until(1_500), FILLER)


def test_a_filler_stands_in_the_history_as_the_systems_and_is_never_told() -> None:
    call = answering()
    call.sees(LOST)
    call.until(500)
    lines = [line for line in call.engine.state.talk.history.lines() if line.speaker is Speaker.SYSTEM]
    assert [line.text for line in lines] == ["(filler)"]
    assert "filler" not in repr(reborn(call).model)


# -- while the caller speaks --------------------------------------------------------------------


def test_a_turn_that_was_being_spoken_is_sent_again_in_order_with_what_was_said_in_the_gap() -> None:
    call = calling()
    hears(call, 1, 2)
    call.sees(SpeechStarted("u1"))
    hears(call, 3, 4)
    call.sees(LOST)
    assert hears(call, 5, 6) == []
    told = reborn(call)
    assert appended(told) == [frame(n) for n in range(1, 7)]
    assert creates(told) == []
    assert appended(hears(call, 7)) == [frame(7)]


def test_a_caller_who_speaks_again_before_the_answer_is_heard_to_the_end() -> None:
    call = calling()
    hears(call, 1)
    call.sees(SpeechStarted("u1"), SpeechStopped("u1", 20), InputCommitted("u1"))
    hears(call, 2)
    call.sees(SpeechStarted("u2"), LOST)
    told = reborn(call)
    assert [type(message) for message in told.model] == [UserAudio, AppendAudio]
    assert appended(told) == [frame(2)]


def test_the_next_session_counts_its_audio_from_its_own_beginning() -> None:
    call = calling()
    hears(call, 1, 2, 3, 4, 5)
    call.sees(LOST)
    reborn(call)
    call.sees(SpeechStarted("u7"))
    hears(call, 6, 7)
    call.sees(SpeechStopped("u7", 120), InputCommitted("u7"), ModelLegLost(2, 1006))
    told = reborn(call)
    turn = base64.b64encode(b"".join(base64.b64decode(frame(n)) for n in range(1, 7)))
    assert told.model[0] == UserAudio(turn)
    assert appended(told) == [frame(7)]  # it came after the turn's end


def test_turn_detection_of_the_next_session_hears_the_turn_and_it_is_answered_once() -> None:
    call = calling()
    call.sees(SpeechStarted("u1"))
    hears(call, 1)
    call.sees(LOST)
    reborn(call)
    call.sees(SpeechStarted("u7"), SpeechStopped("u7", 40), InputCommitted("u7"), created("r7"))
    call.sees(delta(400, "i7", "r7"), done("r7"))
    assert creates(call.until(20_000)) == []
    assert call.engine.state.talk.floor is not Floor.CALLER


def test_a_turn_that_the_next_session_does_not_hear_leaves_nobody_waiting_for_ever() -> None:
    for turn in ([SpeechStarted("u1")], [SpeechStarted("u1"), SpeechStopped("u1", 0)]):
        call = calling()
        call.sees(*turn, LOST)
        reborn(call)
        call.sees(HangUpAsked())
        assert call.engine.ended is EndReason.AGENT_HUNG_UP


def test_a_turn_lost_twice_is_sent_twice_and_nothing_of_it_is_lost() -> None:
    call = calling()
    call.sees(SpeechStarted("u1"))
    hears(call, 1, 2)
    call.sees(LOST)
    hears(call, 3)
    assert appended(reborn(call)) == [frame(1), frame(2), frame(3)]
    hears(call, 4)
    call.sees(ModelLegLost(2, 1011))
    hears(call, 5)
    assert appended(reborn(call)) == [frame(n) for n in range(1, 6)]


def test_what_the_caller_says_while_nobody_listens_is_kept_within_bounds() -> None:
    call = calling(recovery_plan(limit_ms=60_000))
    call.sees(LOST)
    hears(call, *range(3_000))
    told = reborn(call)
    assert len(appended(told)) == 1_500
    assert appended(told)[-1] == frame(2_999)
    assert call.engine.state.gate.held_back == 1_500
    assert len(call.engine.state.caller_audio) <= 1_500


# -- tools --------------------------------------------------------------------------------------


def asking_a_tool() -> Script:
    call = answering()
    call.sees(done("r1", wants("c1")))
    return call


def test_a_tool_that_runs_on_is_told_as_called_and_its_result_is_delivered_once() -> None:
    call = asking_a_tool()
    call.sees(LOST)
    told = reborn(call)
    assert ToolCall("c1", "look_up", "{}") in told.model
    assert creates(told) == []
    result = call.sees(ToolFinished("c1", '"nine"'), has_answer("c1"))
    assert result.model == [ToolOutput("c1", '"nine"'), CreateResponse("tools")]


def test_a_result_that_came_in_the_gap_is_told_with_its_call_and_answered_once() -> None:
    call = asking_a_tool()
    call.sees(LOST)
    assert call.sees(ToolFinished("c1", '"nine"')).model == []
    assert call.until(100).model == []
    told = reborn(call).model
    assert told[-3:] == [ToolCall("c1", "look_up", "{}"), ToolOutput("c1", '"nine"'), CreateResponse("tools")]
    call.sees(has_answer("c1"), created("r2", "tools"), delta(100, "i2", "r2"), done("r2"))
    assert creates(call.until(20_000)) == []


def test_a_result_that_came_in_the_gap_and_a_turn_that_waits_are_answered_together() -> None:
    call = asking_a_tool()
    call.sees(SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"), LOST)
    call.sees(ToolFinished("c1", "1"))
    assert creates(reborn(call)) == ["tools"]
    assert creates(call.sees(has_answer("c1"), created("r2", "tools"), delta(100), done("r2"))) == []


def test_a_result_that_was_delivered_and_not_yet_spoken_of_is_spoken_of() -> None:
    call = asking_a_tool()
    call.sees(ToolFinished("c1", '"nine"'), has_answer("c1"), LOST)
    told = reborn(call).model
    assert told[-3:] == [
        ToolCall("c1", "look_up", "{}"),
        ToolOutput("c1", '"nine"'),
        CreateResponse("resume"),
    ]


def test_the_turn_that_asked_for_a_tool_is_still_told_while_it_runs() -> None:
    call = calling()
    hears(call, 1)
    call.sees(SpeechStarted("u1"), SpeechStopped("u1", 20), InputCommitted("u1"), created("r1"))
    call.sees(done("r1", wants("c1")), LOST)
    told = reborn(call).model
    assert [type(message) for message in told] == [UserAudio, ToolCall]


def test_a_tool_is_run_once() -> None:
    call = asking_a_tool()
    call.sees(LOST)
    reborn(call)
    assert sum(isinstance(command, RunTool) for command in call.said) == 1


# -- the greeting -------------------------------------------------------------------------------


def greeting() -> Script:
    """A call whose greeting was asked for and has begun."""
    call = calling(greets=True)
    call.sees(created("r1", "greeting"))
    return call


def test_a_greeting_of_which_nothing_was_heard_is_given_once() -> None:
    call = greeting()
    call.sees(TranscriptDelta("r1", "i1", "Good mor"), LOST)
    told = reborn(call)
    assert told.model == [CUE, CreateResponse("greeting")]
    call.sees(created("r2", "greeting"), delta(400, "i2", "r2"), done("r2"))
    assert creates(call.until(20_000)) == []


def test_a_greeting_that_was_heard_is_never_given_again() -> None:
    ear = Ear(greeting())
    ear.sees(TranscriptDone("r1", "i1", "Good morning!"), delta(800), item_done(), done())
    ear.at(1_000).sees(LOST)
    told = reborn(ear.call)
    assert told.model == [AssistantText("Good morning!", "i1")]
    assert creates(ear.call.until(20_000)) == []


def test_a_greeting_that_broke_off_goes_on_where_it_was() -> None:
    ear = Ear(greeting())
    ear.sees(TranscriptDelta("r1", "i1", "Good mor"), delta(400), LOST)
    told = reborn(ear.call)
    assert CUE not in told.model
    assert creates(told) == ["resume"]


def test_a_greeting_that_fails_after_it_was_heard_in_part_is_not_begun_again() -> None:
    call = greeting()
    call.sees(delta(400), done("r1", status=FAILED))
    assert creates(call.until(250)) == ["tools"]


def test_the_listening_guard_does_not_begin_again() -> None:
    call = greeting()
    assert call.engine.state.gate.guarding
    call.sees(delta(400), LOST)
    assert hears(call, 1) == []
    assert appended(reborn(call)) == [frame(1)]
    assert appended(hears(call, 2)) == [frame(2)]
    assert not call.engine.state.gate.guarding


# -- before anybody is on the line --------------------------------------------------------------


def test_a_session_lost_before_the_stream_starts_is_made_again_and_greets_once() -> None:
    call = Script(recovery=PLAN, greets=True)
    call.configured()
    call.sees(created("r1", "greeting"), TranscriptDone("r1", "i1", "Hello!"), delta(400))
    assert call.at(2_000).sees(LOST) == [CloseModel(1), ConnectModel(2, Dialect.GA)]
    assert not call.until(3_000).phone
    assert reborn(call).model == [CUE, CreateResponse("greeting")]
    call.sees(created("r2", "greeting"), delta(600, "i2", "r2"), done("r2"), StreamJoined())
    assert call.sees(STARTED).audio_ms == 600
    assert call.engine.state.gate.guarding


def test_a_caller_who_joins_in_the_middle_of_a_gap_hears_the_filler() -> None:
    call = Script(recovery=PLAN, greets=True)
    call.configured()
    call.at(1_000).sees(LOST)
    call.at(1_200).sees(StreamJoined(), STARTED)
    assert played(call.until(1_600), FILLER)


def test_a_greeting_that_is_held_whole_survives_its_session() -> None:
    call = Script(recovery=PLAN, greets=True)
    call.configured()
    call.sees(
        TranscriptDone("r1", "i1", "Hello!"), created("r1", "greeting"), delta(400), item_done(), done()
    )
    call.sees(LOST)
    assert creates(reborn(call)) == []
    call.sees(StreamJoined())
    assert call.sees(STARTED).audio_ms == 400


def test_a_session_that_cannot_be_made_again_before_the_stream_is_looked_for_when_it_joins() -> None:
    call = Script(recovery=PLAN)
    call.configured()
    call.at(1_000).sees(LOST)
    assert call.until(11_000) == [CloseModel(2)]
    assert call.at(15_000).sees(StreamJoined()) == [ConnectModel(3, Dialect.GA)]


# -- people and machines we ring ----------------------------------------------------------------


def test_a_callee_who_says_nothing_is_spoken_to_although_the_model_was_lost_when_patience_ran_out() -> None:
    call = calling(dial=dial_plan(patience_ms=1_500))
    call.at(1_000).sees(LOST)
    call.until(1_800)
    reborn(call)
    assert call.until(2_500).model == [CUE, CreateResponse("greeting")]


def test_a_message_that_broke_off_is_gone_on_with_by_a_model_that_knows_it_speaks_to_a_machine() -> None:
    plan = dial_plan(machine=MachinePolicy.LEAVE_MESSAGE, message_cue="A machine. Leave a message.")
    call = calling(dial=plan)
    hears(call, 1, 2)
    call.sees(MachineDetected("machine_end_beep"), created("r1", "message"))
    call.sees(TranscriptDelta("r1", "i1", "Please call"), delta(800), LOST)
    told = reborn(call)
    assert UserText("A machine. Leave a message.") in told.model
    assert creates(told) == ["resume"]
    assert appended(told) == []  # a machine is no caller


# -- twice in a row -----------------------------------------------------------------------------


def test_an_answer_that_breaks_twice_before_it_speaks_again_is_still_gone_on_with() -> None:
    ear = broken_answer()
    reborn(ear.call)
    ear.sees(created("r2", "resume"), ModelLegLost(2, 1006))
    told = reborn(ear.call)
    assert [type(message) for message in told.model[-3:]] == [AssistantText, SystemText, CreateResponse]
    assert [gap.owed for gap in ear.call.engine.policies.recovery.gaps] == ["rest of an answer"] * 2


def test_a_leg_that_dies_before_it_is_configured_is_dialled_again_within_the_same_gap() -> None:
    call = calling()
    call.sees(LOST)
    assert call.sees(ModelConnectFailed(2, "refused")) == [ConnectModel(3, Dialect.GA, 250)]
    assert call.at(300).sees(ModelConnected(3, Dialect.GA), ModelLegLost(3, 1006))[-1] == ConnectModel(
        4, Dialect.GA, 500
    )
    call.at(900)
    reborn(call)
    (gap,) = call.engine.policies.recovery.gaps
    assert (gap.attempts, gap.restored_ms) == (3, 900)


def test_an_attempt_that_hangs_is_replaced_before_the_limit() -> None:
    call = calling()
    call.sees(LOST)
    assert call.until(2_999).model == []
    assert call.until(3_000)[-2:] == [CloseModel(2), ConnectModel(3, Dialect.GA)]


def test_what_the_lost_session_still_says_is_dropped() -> None:
    call = answering()
    call.sees(LOST)
    leg_number = call.engine.state.session.leg_number
    assert call.sees(ModelLegLost(1, 1006)) == []
    assert call.engine.state.session.leg_number == leg_number
    assert call.engine.state.stale_events == 1


# -- what the next session is configured with ---------------------------------------------------


def test_eagerness_and_tools_that_were_upgraded_are_in_the_next_sessions_first_update() -> None:
    call = answering(schedule=(ALL_TOOLS, LATER))
    call.sees(delta(200), item_done(), done(), MarkEchoed("p1"))
    call.until(10)
    call.until(20)
    assert sum(isinstance(message, UpdateSession) for message in call.said.model) == 3
    call.sees(LOST)
    update = call.sees(ModelConnected(2, Dialect.GA)).model
    assert update == [UpdateSession({**SESSION, **FULL_TOOLS, **MEDIUM}, "setup-2")]
    call.sees(ULAW)
    call.until(20_000)
    assert sum(isinstance(message, UpdateSession) for message in call.said.model) == 4


def test_nothing_is_said_to_a_session_before_it_is_configured() -> None:
    call = asking_a_tool()
    call.sees(LOST)
    between = call.sees(ModelConnected(2, Dialect.GA), ToolFinished("c1", "1"))
    assert between.model == [UpdateSession(SESSION, "setup-2")]


def test_the_dialect_that_was_found_out_is_kept() -> None:
    for dialect in Dialect:
        call = Script(recovery=PLAN, dialect=None)
        call.sees(Born(), ModelConnected(1, dialect), ULAW, StreamJoined(), STARTED)
        assert call.sees(ModelLegLost(1, 1006)) == [CloseModel(1), ConnectModel(2, dialect)]


def test_a_model_that_went_deaf_in_the_callers_turn_loses_it_to_the_next_session() -> None:
    call = calling(limits={"dead_stream_ms": 10**6})
    hears(call, 1)
    call.at(1_000).sees(SpeechStarted("u1"))
    hears(call, 2, 3)
    assert call.until(15_999) == []
    lost = call.until(16_000)
    assert lost[:2] == [CloseModel(1), ConnectModel(2, Dialect.GA)]
    assert appended(reborn(call)) == [frame(1), frame(2), frame(3)]


def test_a_turn_that_goes_on_and_on_is_moved_only_once() -> None:
    call = calling(limits={"dead_stream_ms": 10**6})
    call.sees(SpeechStarted("u1"))
    call.until(15_000)
    reborn(call)
    call.sees(SpeechStarted("u7"))
    call.until(120_000)
    assert len(call.engine.policies.recovery.gaps) == 1
    call.sees(SpeechStopped("u7"), InputCommitted("u7"), created("r7"), delta(100, "i7", "r7"), done("r7"))
    call.sees(SpeechStarted("u8"))
    call.until(140_000)
    assert len(call.engine.policies.recovery.gaps) == 2


# -- stalls, expiry, failures -------------------------------------------------------------------


def test_an_answer_that_is_due_and_does_not_come_is_a_lost_session_after_four_seconds() -> None:
    call = calling()
    call.at(1_000).sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    assert call.until(4_999) == []
    lost = call.until(5_000)
    assert lost[:2] == [CloseModel(1), ConnectModel(2, Dialect.GA)]
    assert played(lost, FILLER)  # the silence has lasted long enough
    assert call.engine.policies.recovery.gaps[0].cause == "stalled"


def test_an_answer_that_stops_in_the_middle_is_lost_four_seconds_after_its_last_sound() -> None:
    ear = Ear(answering())
    ear.sees(delta(2_000))
    assert not ear.plays_until(5_999).model
    assert ear.call.engine.state.session.ready
    ear.at(6_001)
    assert ear.call.engine.policies.recovery.gaps[0].owed == "rest of an answer"


def test_a_silent_model_is_no_stall_while_nothing_is_due() -> None:
    ear = Ear(answering())
    ear.sees(delta(400), item_done(), done())
    ear.at(60_000)
    assert ear.call.engine.policies.recovery.gaps == []


def test_a_tool_that_takes_its_time_is_no_stall() -> None:
    call = asking_a_tool()
    call.until(60_000)
    assert call.engine.policies.recovery.gaps == []


def test_a_session_that_expires_is_replaced() -> None:
    call = answering()
    assert ConnectModel(2, Dialect.GA) in call.sees(ModelError("session_expired"))
    assert call.sees(ModelLegLost(1, 1001)) == []
    assert call.engine.policies.recovery.gaps[0].cause == "session_expired"


def test_two_responses_that_fail_in_a_row_are_a_lost_session_that_still_owes_the_answer() -> None:
    call = answering()
    call.sees(done("r1", status=FAILED))
    assert creates(call.until(250)) == ["turn"]
    lost = call.sees(created("r2", "turn"), done("r2", status=FAILED))
    assert CloseModel(1) in lost
    assert call.engine.policies.recovery.gaps[0].owed == "answer"
    assert creates(reborn(call)) == ["resume"]
    call.sees(created("r3", "resume"), done("r3", status=FAILED))
    assert len(call.engine.policies.recovery.gaps) == 1  # the next session may fail once as well


# -- giving up ----------------------------------------------------------------------------------


def test_what_cannot_be_restored_within_the_limit_is_apologised_for_and_ends() -> None:
    ear = Ear(answering())
    ear.at(1_000).sees(LOST)
    ear.plays_until(8_999)
    assert ear.call.engine.ended is None
    sorry = ear.plays_until(9_050)
    assert played(sorry, APOLOGY)
    assert CloseModel(ear.call.engine.state.session.leg_number) in ear.call.said
    assert ear.plays_until(9_400).end is EndReason.MODEL_LOST
    assert ear.played.count(b"\x44") == 1_600


@pytest.mark.parametrize(
    "refusal",
    [ModelConnectFailed(2, "http_401", fatal=True), ModelConnectFailed(2, "http_429", retry_after_ms=9_000)],
    ids=["a bad key", "busy for longer than the limit"],
)
def test_a_refusal_that_cannot_mend_in_time_is_apologised_for_at_once(refusal: ModelConnectFailed) -> None:
    ear = Ear(calling())
    ear.at(1_000).sees(LOST)
    sorry = ear.at(1_100).sees(refusal)
    assert played(sorry, APOLOGY)
    assert not any(isinstance(command, ConnectModel) for command in sorry)
    assert ear.plays_until(2_000).end in (EndReason.MODEL_REFUSED, EndReason.MODEL_LOST)


def test_a_key_that_is_refused_in_mid_call_is_apologised_for() -> None:
    ear = Ear(answering())
    assert played(ear.sees(ModelError("insufficient_quota")), APOLOGY)
    assert ear.plays_until(1_000).end is EndReason.MODEL_REFUSED
    assert ear.call.engine.policies.recovery.gaps == []


def test_an_apology_waits_for_what_plays_and_for_no_tool() -> None:
    ear = Ear(answering())
    ear.sees(delta(1_000), item_done(), done("r1", wants("c1")))
    ear.sees(ModelError("invalid_api_key"), ToolFinished("c1", "1"))
    assert ear.plays_until(1_250).end is EndReason.MODEL_REFUSED
    assert ear.heard_ms == 1_000
    assert ear.played.endswith(b"\x44" * 1_600)


def test_a_set_up_that_fails_with_the_caller_on_the_line_is_apologised_for() -> None:
    ear = Ear(Script(recovery=PLAN))
    ear.sees(Born(), StreamJoined(), STARTED)
    assert played(ear.plays_until(9_010), APOLOGY)
    assert ear.plays_until(9_300).end is EndReason.MODEL_UNREACHABLE


def test_a_set_up_that_is_refused_before_the_stream_is_apologised_for_when_it_starts() -> None:
    ear = Ear(Script(recovery=PLAN))
    assert ear.sees(Born(), ModelConnectFailed(1, "http_401", fatal=True)).end is None
    ear.at(300).sees(StreamJoined())
    assert played(ear.sees(STARTED), APOLOGY)
    assert ear.plays_until(600).end is EndReason.MODEL_REFUSED


def test_nobody_waits_for_ever_for_a_stream_that_would_hear_an_apology() -> None:
    call = Script(recovery=PLAN)
    call.sees(Born(), ModelConnectFailed(1, "http_401", fatal=True))
    assert call.until(60_000).end is EndReason.MODEL_REFUSED


def test_without_an_apology_a_set_up_that_fails_just_ends() -> None:
    call = Script(recovery=recovery_plan())
    assert call.sees(Born(), ModelConnectFailed(1, "http_401", fatal=True)).end is EndReason.MODEL_REFUSED


def test_the_record_can_tell_a_gap_that_was_closed_from_one_in_which_the_call_ended() -> None:
    call = calling()
    call.sees(LOST, ModelConnectFailed(2, "refused"), StreamStopped())
    assert call.engine.policies.recovery.gaps == [Gap(0, "closed_1006", "nothing", 2, "call ended")]
    call = calling()
    call.sees(LOST, ModelConnectFailed(2, "http_401", fatal=True))
    assert call.engine.policies.recovery.gaps == [Gap(0, "closed_1006", "nothing", 1, "given up")]


def test_a_caller_who_hangs_up_during_the_apology_does_not_hide_why_the_call_ended() -> None:
    call = calling()
    call.sees(ModelError("invalid_api_key"))
    assert call.sees(StreamStopped()).end is EndReason.MODEL_REFUSED


def test_the_caller_cannot_stop_the_apology_and_nothing_reaches_a_model_any_more() -> None:
    call = calling()
    call.sees(ModelError("invalid_api_key"))
    assert hears(call, 1, 2) == []
    assert call.sees(SpeechStarted("u1"), ULAW) == []


def test_sessions_that_keep_dying_are_replaced_with_growing_pauses_until_the_limit() -> None:
    ear = Ear(calling())
    pauses = []
    while ear.call.engine.policies.recovery.given_up is None:
        dials = [each for each in ear.sees(lost_leg(ear.call)) if isinstance(each, ConnectModel)]
        pauses += [each.after_ms for each in dials]
        ear.at(ear.now_ms + (pauses[-1] if dials else 0) + 350)
        if dials:
            ear.takes(reborn(ear.call))
    assert pauses == [0, 250, 500, 1_000, 2_000, 1_500]
    assert 6_500 < ear.now_ms < 8_500
    ear.at(10_000)
    assert ear.call.engine.ended is EndReason.MODEL_LOST


def test_a_session_that_was_well_for_a_while_begins_the_count_anew() -> None:
    call = calling()
    for number in range(10):
        call.at(number * 20_000).sees(lost_leg(call))
        reborn(call)
        for late in range(15):
            hears(call.at(number * 20_000 + late * 1_000), 1)
    assert call.engine.ended is call.engine.policies.recovery.given_up is None


def test_a_call_may_lose_many_sessions_that_did_their_work() -> None:
    call = calling(recovery_plan(most=2))
    for leg_number in range(1, 10):
        call.sees(ModelLegLost(leg_number, 1006))
        reborn(call)
        response = f"r{leg_number}"
        call.caller_says(f"u{leg_number}", response)
        call.sees(delta(100, f"i{leg_number}", response), done(response))
    assert call.engine.ended is None
    assert len(call.engine.policies.recovery.gaps) == 9


def test_with_recovery_off_a_lost_model_ends_the_call() -> None:
    call = calling(recovery_plan(enabled=False))
    assert call.sees(LOST) == [EndCall(EndReason.MODEL_LOST)]


def test_the_given_up_call_still_ends_when_the_apology_is_never_echoed() -> None:
    call = calling()
    call.sees(ModelError("invalid_api_key"))
    assert call.until(10_000).end is EndReason.MODEL_REFUSED


# -- hanging up ---------------------------------------------------------------------------------


def test_a_loss_after_good_bye_is_not_mended_and_the_last_word_is_heard() -> None:
    ear = Ear(answering())
    ear.sees(delta(1_000), item_done(), done(), HangUpAsked())
    assert ear.at(300).sees(LOST) == [CloseModel(1)]
    assert ear.plays_until(1_001).end is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 1_000


def test_a_good_bye_that_is_still_owed_is_said_before_the_call_ends() -> None:
    ear = Ear(answering())
    ear.sees(HangUpAsked())
    ear.at(100).sees(LOST)
    ear.at(200)
    ear.takes(reborn(ear.call))
    ear.sees(created("r2", "resume"), delta(500, "i2", "r2"), item_done("i2", "r2"), done("r2"))
    assert ear.plays_until(701).end is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 500


def test_a_good_bye_that_cannot_be_said_any_more_ends_the_call_all_the_same() -> None:
    ear = Ear(answering())
    ear.sees(HangUpAsked())
    ear.at(100).sees(LOST)
    assert ear.plays_until(9_000).end is EndReason.AGENT_HUNG_UP


# -- no busy loop -------------------------------------------------------------------------------


def test_a_gap_costs_a_handful_of_ticks() -> None:
    ear = broken_answer()
    before = len(ear.call.tape)
    ear.at(8_100)
    assert len(ear.call.tape) - before < 40
