"""Full tools and later eagerness: when they are due and in which moment they leave."""

from __future__ import annotations

from llcphone.engine.events import StreamJoined, ToolFinished
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import UpdateSession
from tests.engine.script import (
    ALL_TOOLS,
    CANCELLED,
    FULL_TOOLS,
    LATER,
    MEDIUM,
    STARTED,
    Commands,
    Script,
    created,
    delta,
    done,
    spoke,
    wants,
)

TOOLS_UPDATE = UpdateSession(FULL_TOOLS, "due-tools")
EAGERNESS_UPDATE = UpdateSession(MEDIUM, "due-eagerness")


def scheduled(**setup: object) -> Script:
    return Script(schedule=(ALL_TOOLS, LATER), **setup).live()


def updates(commands: Commands) -> list[object]:
    return [message for message in commands.model if isinstance(message, UpdateSession)]


def test_after_the_first_answer_both_leave_each_as_its_own_update() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    assert call.sees(*spoke("r1")).model == []  # not in the reader's step
    assert updates(call.until(0)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]
    assert updates(call.until(9_000)) == []


def test_the_greeting_makes_the_tools_due_but_not_the_eagerness() -> None:
    call = scheduled(greets=True)
    call.sees(created("g", "greeting"), *spoke("g"))
    assert updates(call.until(10)) == [TOOLS_UPDATE]
    call.until(3_000)
    call.caller_says("u1", "r1")
    call.sees(*spoke("r1"))
    assert updates(call.until(3_010)) == [EAGERNESS_UPDATE]


def test_priming_never_counts() -> None:
    call = scheduled(priming=True)
    call.sees(created("p", "priming", in_conversation=False), done("p", in_conversation=False))
    assert updates(call.until(3_000)) == []


def test_an_unasked_response_never_counts() -> None:
    call = scheduled(greets=True)
    call.sees(created("x", "elsewhere"))
    assert call.engine.state.talk.responses.unasked == 0  # the first of all is taken as asked
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(created("x"), done("x", status=CANCELLED))
    assert not call.engine.state.talk.schedule.waiting


def test_what_follows_a_tool_does_not_answer_caller_speech() -> None:
    call = scheduled(greets=True)
    call.sees(created("g", "greeting"), done("g", wants("c1")))
    call.sees(ToolFinished("c1", "1"), created("r2", "tools"), *spoke("r2"))
    assert updates(call.until(100)) == [TOOLS_UPDATE]


def test_an_interrupted_answer_counts_as_an_answer() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(delta(200), SpeechStarted("u2"), done("r1", status=CANCELLED))
    assert updates(call.until(100)) == []
    call.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"), *spoke("r2"))
    assert updates(call.until(100)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_updates_wait_while_the_caller_speaks() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(*spoke("r1"), SpeechStarted("u2"))
    assert updates(call.until(5_000)) == []
    call.sees(SpeechStopped("u2"))
    assert updates(call.until(5_100)) == []
    call.sees(InputCommitted("u2"))
    assert updates(call.until(5_200)) == []
    call.sees(created("r2"))
    assert updates(call.until(5_300)) == []
    call.sees(*spoke("r2"))
    assert updates(call.until(5_300)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_updates_wait_for_a_response_that_is_already_asked_for() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(done("r1", wants("c1", "fly")))  # answered at once: ours is on its way
    assert updates(call.until(100)) == []
    call.sees(created("r2", "tools"))
    assert updates(call.until(200)) == []
    call.sees(*spoke("r2"))
    assert updates(call.until(200)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_a_running_tool_does_not_hold_them_back() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(done("r1", wants("c1")))
    assert updates(call.until(100)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_an_answer_the_server_never_gives_holds_them_back_no_longer_than_its_bound() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(*spoke("r1"), SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"))
    assert updates(call.until(2_999)) == []
    assert updates(call.until(3_000)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_agent_audio_still_playing_does_not_hold_them_back() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(delta(2_000), done("r1"))
    assert updates(call.until(10)) == [TOOLS_UPDATE, EAGERNESS_UPDATE]


def test_a_greeting_generated_while_it_still_rings_brings_the_tools_before_the_first_turn() -> None:
    call = Script(schedule=(ALL_TOOLS, LATER), greets=True)
    call.configured()
    call.sees(created("g", "greeting"), *spoke("g"))
    assert updates(call.until(50)) == [TOOLS_UPDATE]
    call.sees(StreamJoined(), STARTED)
    assert updates(call.until(3_000)) == []


def test_no_later_update_carries_the_voice() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(done("r1"))
    assert all("voice" not in update.session for update in updates(call.until(10)))  # type: ignore[attr-defined]


def test_nothing_is_due_where_nothing_changes() -> None:
    call = Script().live()
    call.caller_says("u1", "r1")
    call.sees(done("r1"))
    assert updates(call.until(5_000)) == []


def test_an_unasked_answer_to_an_update_is_cancelled() -> None:
    call = scheduled()
    call.caller_says("u1", "r1")
    call.sees(done("r1"))
    call.until(10)
    call.sees(created("ghost"))
    assert call.engine.state.talk.responses.unasked == 1
    assert call.sees(delta(100, "i9", "ghost")).phone == []
