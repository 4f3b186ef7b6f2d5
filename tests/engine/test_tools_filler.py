"""A filler while a tool works: after a silence, never before the answer, never over the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llcphone.audio import silence_payload
from llcphone.engine.events import HangUpAsked, ModelConnected, ModelLegLost, ToolFinished
from llcphone.engine.resumed import Speaker
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CreateResponse, ToolCall, ToolOutput
from llcphone.twilio.media import Clear
from tests.engine.script import (
    ULAW,
    Ear,
    Script,
    created,
    delta,
    done,
    has_answer,
    item_done,
    live,
    spoke,
    wants,
)
from tests.engine.setups import recovery_plan, tool_plan, tool_rule

if TYPE_CHECKING:
    from llcphone.engine.call_setup import ToolPlan

CLIP_MS = 400
CLIP = (silence_payload(200), silence_payload(200))
PATIENT = {"dead_stream_ms": 600_000}
"""These callers send no frames."""
PLAN = tool_plan(filler_after_ms=1_000, filler_every_ms=3_000, filler=CLIP)


def working(tool: str = "look_up", plan: ToolPlan = PLAN, **setup: Any) -> Ear:
    """A tool runs since 0 ms, and nothing was said before it."""
    call = live(tool_plan=plan, limits=PATIENT, **setup)
    ear = Ear(call)
    ear.takes(call.sees(done("r1", wants("c1", tool))))
    return ear


def hears_until(ear: Ear, now_ms: int) -> Ear:
    """Time passes in small steps, so that what is sent meanwhile is played when it comes."""
    for at_ms in range(ear.now_ms, now_ms, 10):
        ear.at(at_ms)
    return ear.at(now_ms)


def fillers(call: Script) -> int:
    return sum(note.kind == "filler" for note in call.notes)


def test_after_a_silence_the_caller_hears_it() -> None:
    ear = working()
    assert hears_until(ear, 990).call.said.audio_ms == 0
    assert hears_until(ear, 1_010).call.said.audio_ms == CLIP_MS


def test_it_is_off_by_default() -> None:
    ear = working(plan=tool_plan())
    hears_until(ear, 60_000)
    assert ear.call.said.audio_ms == 0


def test_a_tool_that_is_quick_needs_none() -> None:
    ear = working()
    hears_until(ear, 900).sees(ToolFinished("c1", "1"), has_answer("c1"), created("r2", "tools"), done("r2"))
    hears_until(ear, 60_000)
    assert ear.call.said.audio_ms == 0


def test_it_comes_again_after_a_longer_silence() -> None:
    ear = working()
    hears_until(ear, 1_000 + CLIP_MS + 2_990)
    assert fillers(ear.call) == 1
    hears_until(ear, 1_000 + CLIP_MS + 3_010)
    assert fillers(ear.call) == 2


def test_the_next_wait_begins_anew() -> None:
    ear = working()
    hears_until(ear, 2_000).sees(ToolFinished("c1", "1"), has_answer("c1"), created("r2", "tools"))
    ear.sees(done("r2", wants("c2")))
    hears_until(ear, 2_990)
    assert fillers(ear.call) == 1
    hears_until(ear, 3_010)
    assert fillers(ear.call) == 2


def test_it_comes_once_if_it_is_not_to_be_repeated() -> None:
    ear = working(plan=tool_plan(filler_after_ms=1_000, filler_every_ms=0, filler=CLIP))
    hears_until(ear, 60_000)
    assert fillers(ear.call) == 1


def test_the_silence_begins_when_the_agents_own_words_were_heard() -> None:
    call = live(tool_plan=PLAN, limits=PATIENT)
    ear = Ear(call)
    ear.sees(delta(1_500), item_done(), done("r1", wants("c1")))
    hears_until(ear, 2_490)
    assert fillers(call) == 0
    hears_until(ear, 2_510)
    assert fillers(call) == 1


def test_nobody_waits_for_a_silent_tool() -> None:
    ear = working("note_down")
    hears_until(ear, 60_000)
    assert fillers(ear.call) == 0


def test_it_waits_while_the_caller_speaks_and_for_the_answer_to_them() -> None:
    ear = working()
    hears_until(ear, 500).sees(SpeechStarted("u2"))
    hears_until(ear, 4_000)
    ear.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    hears_until(ear, 8_000)
    assert fillers(ear.call) == 0
    ear.sees(*spoke("r2"))
    hears_until(ear, 9_100)
    assert fillers(ear.call) == 1


def test_barge_in_clears_it() -> None:
    ear = working()
    hears_until(ear, 1_100)
    commands = ear.sees(SpeechStarted("u2"))
    assert commands.phone == [Clear()]
    assert commands.model == []  # the model never knew of it: nothing is truncated
    assert not ear.queue


def test_the_answer_does_not_wait_for_its_end() -> None:
    ear = working()
    hears_until(ear, 1_100)
    told = ear.sees(ToolFinished("c1", "1"))
    assert told.model == [ToolOutput("c1", "1"), CreateResponse("tools")]
    answer = ear.sees(has_answer("c1"), created("r2", "tools"), delta(200, "i2", "r2"))
    assert answer.phone[0] == Clear()
    assert answer.audio_ms == 200
    ear.sees(item_done("i2", "r2"), done("r2"))
    hears_until(ear, 1_310)
    assert ear.heard_ms == 200


def test_an_answer_after_its_end_clears_nothing() -> None:
    ear = working()
    hears_until(ear, 2_000)
    answer = ear.sees(ToolFinished("c1", "1"), created("r2", "tools"), delta(200, "i2", "r2"))
    assert Clear() not in answer.phone


def test_it_stands_in_the_transcript_as_the_systems_and_is_not_told_to_the_model() -> None:
    ear = working(recovery=recovery_plan())
    hears_until(ear, 1_100)
    lines = [line for line in ear.call.engine.state.talk.history.lines() if line.speaker is Speaker.SYSTEM]
    assert [line.text for line in lines] == ["(filler)"]
    ear.sees(ModelLegLost(1))
    told = ear.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert ToolCall("c1", "look_up", "{}") in told
    assert "(filler)" not in str(told)


@pytest.mark.parametrize("plan", [PLAN, tool_plan(filler_after_ms=1_000)], ids=["clip", "no clip"])
def test_it_ends_with_the_tools_own_deadline(plan: ToolPlan) -> None:
    rules = (tool_rule("look_up", 500),)
    ear = working(plan=attrs.evolve(plan, rules=rules))
    hears_until(ear, 20_000)
    assert fillers(ear.call) == 0


def test_a_call_that_hangs_up_plays_none() -> None:
    ear = working()
    ear.sees(delta(3_000, "i9", "r1"), HangUpAsked())
    hears_until(ear, 2_900)
    assert fillers(ear.call) == 0


def test_while_a_session_is_restored_the_recovery_speaks_for_itself() -> None:
    ear = working(recovery=recovery_plan(limit_ms=20_000))
    hears_until(ear, 100).sees(ModelLegLost(1))
    hears_until(ear, 15_000)
    assert fillers(ear.call) == 0
