"""A call that goes on in another process, event by event: what is kept of it, and what is made of that."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.call_setup import CallSetup
from llcphone.engine.events import Born, EndReason, ModelConnected, PhoneLegLost, StreamJoined
from llcphone.engine.policies.resume import INTERRUPTED
from llcphone.engine.resumed import KeptLine, Owed, Resumed, Speaker
from llcphone.engine.tape.codec import as_data, read
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    CallerTranscript,
    InputCommitted,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
)
from llcphone.realtime.messages import (
    AssistantText,
    CreateResponse,
    SystemText,
    ToolCall,
    ToolOutput,
    UpdateSession,
    UserText,
)
from llcphone.twilio.media import MarkEchoed
from tests.engine.script import (
    ALL_TOOLS,
    FULL_TOOLS,
    LATER,
    MEDIUM,
    SESSION,
    STARTED,
    ULAW,
    Ear,
    Script,
    created,
    delta,
    done,
    item_done,
    live,
    spoke,
    wants,
)

CALLER, AGENT, TOOL = Speaker.CALLER, Speaker.AGENT, Speaker.TOOL
WORDS = "one two three four five six seven eight nine ten"


def kept(call: Script) -> Resumed:
    return call.engine.kept(call.now_ms)


def speaks(call: Ear, text: str = WORDS, ms: int = 2_000) -> None:
    """The whole of an answer is generated at once."""
    call.sees(delta(ms), TranscriptDone("r1", "i1", text), item_done(), done("r1"))


def resumed(*lines: KeptLine, owed: Owed = Owed.NOTHING, **setup: Any) -> Script:
    """A call born with a conversation, up to its configured session and its stream."""
    call = Script(resumed=Resumed(lines, owed), greets=owed is Owed.GREETING, **setup)
    call.configured()
    call.sees(StreamJoined(), STARTED)
    return call


def told(call: Script) -> list[object]:
    return [message for message in call.said.model if not isinstance(message, UpdateSession)]


# -- what is kept -------------------------------------------------------------------------------


def test_before_anybody_has_spoken_a_greeting_is_owed() -> None:
    call = Script(greets=True).live()
    assert kept(call) == Resumed((), Owed.GREETING)
    call.sees(created("r1"), TranscriptDone("r1", "i1", WORDS))
    assert kept(call) == Resumed((), Owed.GREETING), "words run ahead of the voice"


def test_a_greeting_of_which_a_moment_was_heard_is_not_owed_again() -> None:
    call = Script(greets=True).live()
    ear = Ear(call)
    ear.sees(created("r1", "greeting"), delta(2_000))
    ear.at(60)
    assert kept(call).owed is not Owed.GREETING, "though none of its words is known"


def test_an_answer_is_kept_as_far_as_it_was_heard() -> None:
    ear = Ear(live())
    speaks(ear)
    ear.at(1_000)
    state = kept(ear.call)
    line = state.lines[-1]
    assert (line.speaker, line.text, state.owed) == (AGENT, "one two three four five", Owed.REST)
    assert line.heard_ms == pytest.approx(1_000, abs=20)


def test_an_answer_that_is_still_being_made_is_cut_by_the_pace_of_speech() -> None:
    ear = Ear(live())
    ear.sees(TranscriptDone("r1", "i1", WORDS * 20), delta(1_000))
    ear.at(1_000)
    assert len(kept(ear.call).lines[-1].text) < 30


def test_an_answer_heard_to_its_end_leaves_nothing_owed() -> None:
    ear = Ear(live())
    speaks(ear)
    ear.at(2_500)
    state = kept(ear.call)
    assert (state.lines[-1].text, state.owed) == (WORDS, Owed.NOTHING)


def test_a_barge_in_is_kept_where_it_cut_and_the_turn_is_owed_an_answer() -> None:
    ear = Ear(live())
    speaks(ear)
    ear.at(1_000).sees(SpeechStarted("u2"))
    state = kept(ear.call)
    assert (state.lines[-1].text, state.owed) == ("one two three four five", Owed.ANSWER)
    ear.sees(SpeechStopped("u2"), InputCommitted("u2", "i1"), CallerTranscript("u2", "Stop.", final=True))
    state = kept(ear.call)
    assert (state.lines[-1], state.owed) == (KeptLine("u2", CALLER, "Stop."), Owed.ANSWER)


def test_a_lost_telephone_leaves_the_answer_cut_where_it_was_heard() -> None:
    ear = Ear(live())
    speaks(ear)
    assert ear.at(1_000).sees(PhoneLegLost()).end is EndReason.PHONE_LOST
    state = kept(ear.call)
    assert (state.lines[-1].text, state.owed) == ("one two three four five", Owed.REST)


def test_a_running_tool_is_kept_without_a_result_and_owes_an_answer() -> None:
    call = live()
    call.sees(done("r1", wants("c1")))
    state = kept(call)
    assert (state.lines[-1].name, state.lines[-1].output, state.owed) == ("look_up", None, Owed.ANSWER)


def test_fillers_are_not_kept() -> None:
    ear = Ear(live())
    speaks(ear)
    ear.at(2_500)
    ear.call.engine.state.talk.history.place("filler 1", Speaker.SYSTEM, 0).text = "(filler)"
    assert all(line.speaker is not Speaker.SYSTEM for line in kept(ear.call).lines)


# -- going on -----------------------------------------------------------------------------------


def test_the_first_session_is_told_what_was_heard_and_the_agent_speaks_first() -> None:
    call = resumed(
        KeptLine("i1", AGENT, "Good morning!", 1_000),
        KeptLine("u1", CALLER, "When are you open?"),
        KeptLine("i2", AGENT, "From nine", 400),
        owed=Owed.REST,
    )
    *items, note, create = told(call)
    assert items == [
        AssistantText("Good morning!", "i1"),
        UserText("When are you open?"),
        AssistantText("From nine", "i2"),
    ]
    assert isinstance(note, SystemText)
    assert "line broke" in note.text
    assert create == CreateResponse("resume")


@pytest.mark.parametrize("owed", [Owed.NOTHING, Owed.ANSWER, Owed.REST])
def test_whatever_was_owed_there_is_one_response_and_no_greeting(owed: Owed) -> None:
    call = resumed(KeptLine("i1", AGENT, "Good morning!", 1_000), owed=owed)
    assert [each for each in told(call) if isinstance(each, CreateResponse)] == [CreateResponse("resume")]
    assert not any(isinstance(each, UserText) for each in told(call))


def test_a_call_in_which_nobody_had_spoken_is_greeted_even_if_its_agent_listens() -> None:
    call = resumed(owed=Owed.GREETING)
    assert told(call) == [UserText("Greet the caller."), CreateResponse("greeting")]
    assert call.engine.state.gate.guarding


def test_a_tool_whose_result_was_lost_is_told_as_interrupted_and_never_run_again() -> None:
    call = resumed(
        KeptLine("c1", TOOL, name="book", arguments="{}"),
        KeptLine("c2", TOOL, name="look_up", arguments="{}", output='"nine"'),
        owed=Owed.ANSWER,
    )
    assert told(call)[:4] == [
        ToolCall("c1", "book", "{}"),
        ToolOutput("c1", INTERRUPTED),
        ToolCall("c2", "look_up", "{}"),
        ToolOutput("c2", '"nine"'),
    ]
    assert call.said.tools == []


def test_updates_that_were_due_are_in_force_from_the_start_and_not_sent_again() -> None:
    lines = (
        KeptLine("i1", AGENT, "Good morning!", 1_000),
        KeptLine("u1", CALLER, "Hello."),
        KeptLine("i2", AGENT, "Yes?", 400),
    )
    call = resumed(*lines, schedule=(ALL_TOOLS, LATER))
    updates = [message for message in call.said.model if isinstance(message, UpdateSession)]
    assert [dict(each.session) for each in updates] == [SESSION | FULL_TOOLS | MEDIUM]
    call.sees(created("r1", "resume"), *spoke("r1"))
    assert not call.until(call.now_ms + 5_000).model


def test_only_the_greeting_was_heard_so_the_first_turn_is_still_to_come() -> None:
    call = resumed(
        KeptLine("i1", AGENT, "Good morning!", 1_000),
        schedule=(ALL_TOOLS, LATER),
    )
    updates = [message for message in call.said.model if isinstance(message, UpdateSession)]
    assert [dict(each.session) for each in updates] == [SESSION | FULL_TOOLS]


def test_a_call_that_dies_again_before_it_went_on_owes_what_it_owed() -> None:
    lines = (KeptLine("i1", AGENT, "From nine", 400),)
    call = Script(resumed=Resumed(lines, Owed.REST))
    call.sees(Born())
    assert kept(call) == Resumed(lines, Owed.REST)
    call.sees(ModelConnected(1, Dialect.GA), ULAW)
    assert kept(call) == Resumed(lines, Owed.REST)


def test_what_was_heard_before_and_after_is_one_conversation() -> None:
    call = resumed(KeptLine("i1", AGENT, "From nine", 400), owed=Owed.REST)
    call.at(1_000).sees(
        created("r9", "resume"), delta(200, "i9", "r9"), TranscriptDone("r9", "i9", "to five.")
    )
    call.sees(item_done("i9", "r9"), done("r9"), MarkEchoed("p1"))
    assert [line.text for line in kept(call).lines] == ["From nine", "to five."]


def test_a_resumed_call_can_be_put_on_tape_without_a_word_of_it() -> None:
    lines = (KeptLine("i1", AGENT, "From nine", 400), KeptLine("c1", TOOL, "", 0, "book", '{"a": 1}', None))
    setup = Script(resumed=Resumed(lines, Owed.REST)).setup
    data = as_data(setup, {})
    again = read(CallSetup, data)
    assert as_data(again, {}) == data
    assert again.resumed is not None
    assert [line.text for line in again.resumed.lines] == ["xxxx xxxx", ""]
