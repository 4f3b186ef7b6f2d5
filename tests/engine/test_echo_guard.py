"""The guard against the agent hearing itself: what is doubted, what is believed, what is muted."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.events import ModelConnected, ModelLegLost, ResponseAsked, ToolFinished
from llcphone.engine.status import Floor
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import AppendAudio, CancelResponse, CreateResponse, DeleteItem, Truncate
from llcphone.twilio.media import CallerAudio, Clear
from tests.engine.script import ALL_TOOLS, ULAW, Ear, Script, created, delta, done, frame, wants
from tests.engine.setups import echo_plan, recovery_plan

TURN = CreateResponse("turn")


def guarded(after_ms: int = 600, **setup: object) -> Ear:
    """The agent speaks for four seconds in answer to the caller; the server only detects."""
    facts: dict[str, Any] = {"echo": echo_plan(after_ms=after_ms), "create_response": False}
    call = Script(**(facts | setup)).live()
    ear = Ear(call)
    ear.sees(SpeechStarted("u1"), SpeechStopped("u1"))
    assert ear.sees(InputCommitted("u1")).model == [TURN]
    ear.sees(created("r1", "turn"), delta(4_000))
    return ear


def test_speech_over_the_agent_that_stops_soon_was_no_barge_in() -> None:
    ear = guarded()
    assert ear.at(1_000).sees(SpeechStarted("e1")) == []
    assert ear.at(1_500).sees(SpeechStopped("e1")) == []
    assert ear.sees(InputCommitted("e1")).model == [DeleteItem("e1")]
    ear.plays_until(4_000)
    assert ear.heard_ms == 4_000
    assert ear.call.engine.state.talk.barge_ins == 0
    assert [note.kind for note in ear.call.notes].count("barge-in dismissed") == 1
    assert [line.item_id for line in ear.call.engine.state.talk.history.lines()] == ["u1"]


def test_speech_that_lasts_is_a_barge_in_and_the_response_is_cancelled_by_us() -> None:
    ear = guarded()
    ear.at(1_000).sees(SpeechStarted("u2"))
    assert ear.plays_until(1_599) == []
    out = ear.plays_until(1_600)
    assert out.phone == [Clear()]
    assert out.model == [CancelResponse("r1"), Truncate("i1", 1_600)]
    assert ear.call.engine.state.talk.floor is Floor.CALLER
    ear.sees(done("r1"), SpeechStopped("u2"))
    assert ear.sees(InputCommitted("u2")).model == [TURN]


def test_a_response_that_is_over_but_playing_is_cut_and_not_cancelled() -> None:
    ear = guarded()
    ear.sees(done("r1"))
    ear.at(1_000).sees(SpeechStarted("u2"))
    assert ear.plays_until(1_600).model == [Truncate("i1", 1_600)]


def test_speech_that_outlasts_the_agent_is_an_ordinary_turn() -> None:
    ear = guarded()
    ear.sees(done("r1"))
    ear.at(3_900).sees(SpeechStarted("u2"))
    ear.plays_until(4_010)
    assert ear.sees(SpeechStopped("u2")) == []
    assert ear.sees(InputCommitted("u2")).model == [TURN]
    assert ear.call.engine.state.talk.barge_ins == 0


def test_speech_while_the_agent_is_silent_is_never_doubted() -> None:
    ear = guarded()
    ear.sees(done("r1"))
    ear.at(5_000).sees(SpeechStarted("u2"), SpeechStopped("u2"))
    assert ear.sees(InputCommitted("u2")).model == [TURN]


def test_nothing_is_created_or_updated_while_it_is_in_doubt() -> None:
    ear = guarded(schedule=(ALL_TOOLS,))
    ear.at(1_000).sees(SpeechStarted("e1"), done("r1", wants("c1")))
    assert TURN not in ear.sees(ToolFinished("c1", "7")).model
    assert ear.plays_until(1_100).model == []
    assert ear.sees(SpeechStopped("e1")).model == []  # a response created now would see the echo
    assert ear.sees(InputCommitted("e1")).model == [DeleteItem("e1"), CreateResponse("tools")]


def test_a_create_on_its_way_when_doubt_ends_is_cancelled_by_id() -> None:
    ear = guarded()
    ear.sees(done("r1"), ResponseAsked())
    ear.at(1_000).sees(SpeechStarted("u2"))
    ear.plays_until(1_600)
    assert ear.sees(created("r2", "host")).model == [CancelResponse("r2")]


def test_doubt_ends_with_the_session() -> None:
    ear = guarded(recovery=recovery_plan())
    ear.at(1_000).sees(SpeechStarted("e1"), ModelLegLost(1))
    assert not ear.call.engine.state.talk.caller_has_floor
    ear.sees(ModelConnected(2, Dialect.GA), ULAW)
    ear.plays_until(4_000)
    assert ear.heard_ms == 4_000


def test_without_the_guard_a_barge_in_acts_at_once_and_the_server_cancels() -> None:
    call = Script().live()
    call.caller_says("u1", "r1")
    ear = Ear(call)
    ear.sees(delta(4_000))
    assert ear.at(1_000).sees(SpeechStarted("u2")).model == [Truncate("i1", 1_000)]


def test_where_the_host_answers_the_guard_does_not() -> None:
    call = Script(echo=echo_plan(after_ms=600, answer=False), create_response=False).live()
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"))
    assert call.sees(InputCommitted("u1")).model == []
    assert call.sees(ResponseAsked()).model == [TURN]


# -- mute -------------------------------------------------------------------------------------------


def muted(mute_ms: int = 300) -> Ear:
    call = Script(echo=echo_plan(mute_ms=mute_ms)).live()
    call.caller_says("u1", "r1")
    ear = Ear(call)
    ear.at(100).sees(delta(1_000))
    return ear


def through(ear: Ear) -> bool:
    return ear.sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_the_caller_is_not_sent_while_the_agent_begins() -> None:
    ear = muted()
    assert not through(ear)
    assert not through(ear.at(399))
    assert through(ear.at(400))
    assert ear.call.engine.state.gate.held_back == 2


def test_each_stretch_of_agent_audio_is_muted_anew_and_only_its_beginning() -> None:
    ear = muted()
    ear.at(500).sees(delta(500))  # the same stretch
    assert through(ear)
    ear.sees(done("r1"))
    assert through(ear.at(2_000))
    ear.call.caller_says("u2", "r2")
    ear.sees(delta(1_000, "i2", "r2"))
    assert not through(ear)
    assert through(ear.at(2_300))


def test_a_stretch_shorter_than_the_mute_ends_it() -> None:
    ear = muted(mute_ms=3_000)
    ear.sees(done("r1"))
    assert not through(ear.at(1_050))
    assert through(ear.at(1_110))


def test_the_greeting_guard_goes_before_the_mute() -> None:
    call = Script(greets=True, echo=echo_plan(mute_ms=300)).live()
    ear = Ear(call)
    ear.sees(created("g", "greeting"), delta(2_000, "i1", "g"))
    assert not through(ear.at(500))
    assert through(ear.at(700))


@pytest.mark.parametrize("speaks", [True, False])
def test_who_has_the_floor_is_not_muted(speaks: bool) -> None:
    call = Script(echo=echo_plan(mute_ms=300), interrupt_response=False).live()
    call.caller_says("u1", "r1")
    if speaks:
        call.sees(SpeechStarted("u2"))
    ear = Ear(call)
    ear.sees(delta(1_000))
    assert through(ear) is speaks
