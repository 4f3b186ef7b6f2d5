"""What other rooms may read of a live engine: frozen values, one moment each."""

from __future__ import annotations

import attrs
import pytest

from llcphone.engine.events import EndAsked, EndReason, HangUpAsked
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import DialState, Floor
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import SpeechStarted, TranscriptDone
from tests.engine.script import Ear, Script, created, delta, done
from tests.engine.setups import dial_plan


def test_a_call_that_rings_us_from_birth_to_its_end() -> None:
    call = Script()
    assert call.engine.status().started_ms is None
    call.live()
    now = call.engine.status()
    assert (now.started_ms, now.ready_ms, now.model_ready, now.ending) == (0, 0, True, False)
    assert (now.floor, now.dial, now.dialect) == (Floor.NOBODY, None, Dialect.GA)
    call.sees(SpeechStarted("u1"))
    assert (now.floor, call.engine.status().floor) == (Floor.NOBODY, Floor.CALLER)
    call.sees(EndAsked(EndReason.DRAINED))
    assert call.engine.status().ended is EndReason.DRAINED
    assert call.engine.status().ending


def test_a_call_that_hangs_up_is_ending_before_it_has_ended() -> None:
    call = Script().live().at(100)
    call.sees(created("r1"), delta(1_000), HangUpAsked())
    now = call.engine.status()
    assert (now.ending, now.ended) == (True, None)


def test_the_telephone_of_an_outbound_call() -> None:
    call = Script(dial=dial_plan(at_once=True))
    call.configured()
    dial = call.engine.status().dial
    assert dial is not None
    assert (dial.state, dial.answered_ms, dial.answered_by) == (DialState.DIALLING, None, "")


def test_lines_are_told_as_far_as_they_are_heard() -> None:
    ear = Ear(call := Script().live())
    ear.sees(created("r1"), delta(1_000), TranscriptDone("r1", "i1", "One two three four five"), done("r1"))
    ear.at(500)
    (line,) = call.engine.lines(500)
    assert (line.speaker, line.sounds, line.heard_whole) == (Speaker.AGENT, True, False)
    assert line.text.startswith(line.heard)
    assert 0 < len(line.heard) < len(line.text)
    ear.at(2_000)
    (line,) = call.engine.lines(2_000)
    assert (line.heard, line.heard_whole) == (line.text, True)


def test_a_status_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Script().engine.status().born_ms = 1  # type: ignore[misc]
