"""Events that overtake each other, or come twice, leave nobody waiting."""

from __future__ import annotations

from llcphone.engine.status import Floor
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from tests.engine.script import Script, created, delta, done, item_done


def test_a_turn_whose_beginning_comes_after_its_end_is_over() -> None:
    call = Script().live()
    call.sees(SpeechStopped("u1"), SpeechStarted("u1"), InputCommitted("u1"), created("r1"))
    assert not call.engine.state.talk.caller_has_floor
    assert call.sees(delta(200)).audio_ms == 200


def test_a_commit_that_comes_before_the_word_that_they_stopped_ends_the_turn() -> None:
    call = Script().live()
    call.sees(SpeechStarted("u1"), InputCommitted("u1"))
    assert call.engine.state.talk.floor is Floor.MODEL_THINKING
    call.sees(created("r1"), SpeechStopped("u1"))
    assert not call.engine.state.talk.caller_has_floor


def test_so_it_is_where_the_server_does_not_name_the_item_or_names_another() -> None:
    call = Script().live()
    call.sees(SpeechStarted(), InputCommitted("u1"), created("r1"), SpeechStopped("other"))
    assert not call.engine.state.talk.caller_has_floor


def test_a_turn_that_begins_meanwhile_is_not_ended_by_the_commit_of_the_one_before() -> None:
    call = Script().live()
    call.sees(SpeechStarted("u1"), SpeechStopped("u1"), SpeechStarted("u2"), InputCommitted("u1"))
    assert call.engine.state.talk.floor is Floor.CALLER


def test_a_response_that_has_ended_does_not_begin_again() -> None:
    call = Script().live()
    call.caller_says("u1", "r1")
    call.sees(delta(200), item_done(), done("r1"), created("r1"))
    assert call.engine.state.talk.responses.active is None


def test_a_server_that_uses_an_id_again_later_is_believed() -> None:
    call = Script().live()
    call.caller_says("u1", "r1")
    call.sees(delta(20), item_done(), done("r1"))
    call.at(5_000).sees(SpeechStarted("u1"))
    assert call.engine.state.talk.floor is Floor.CALLER
