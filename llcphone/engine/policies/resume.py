"""A call that another process resumes: what is kept of it, and how it continues.

``kept_of`` gives at any moment what a successor must know: the lines of the conversation as far as they
were *heard*, tool calls with their results, and what the caller waits for. A call is born with it when
``CallSetup.resumed`` is set. Then the lines are its history from the first moment, so the record and
every later recovery have them. Session updates that were due in the older run are in force from the
start. The first session gets all of it.

What happened between the last note of the older process and its end is unknown, and the caller has heard
a silence. So the agent speaks first, unlike after a lost model session. It does not greet again if any of
the greeting was heard. A tool that had begun and has no result is reported as interrupted: it may have done
its work, so it is not run again by itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import notes
from llcphone.engine.parts.history import CalledTool
from llcphone.engine.parts.responses import GREETING, RESUME
from llcphone.engine.resumed import KeptLine, Owed, Resumed, Speaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.engine.commands import Command
    from llcphone.engine.parts.history import Line
    from llcphone.engine.state import CallState

INTERRUPTED = msgspec.json.encode(
    {"error": "interrupted: the line broke while this ran; nobody knows whether it was done"}
).decode()
"""The answer of a tool whose result was lost with its process."""
_BESIDE = frozenset({Speaker.SYSTEM, Speaker.OPERATOR})
"""Whose lines are no part of what caller and agent say to each other."""


# -- keeping ------------------------------------------------------------------------------------


def kept_of(state: CallState, now_ms: int) -> Resumed:
    """What is to be known of this call if it ended here."""
    lines = state.talk.history.lines()
    kept = (_kept(state, line, now_ms) for line in lines)
    return Resumed(tuple(line for line in kept if line is not None), _owed(state, lines, now_ms))


def _kept(state: CallState, line: Line, now_ms: int) -> KeptLine | None:
    match line.speaker:
        case Speaker.AGENT:
            heard_ms = _heard_ms(state, line, now_ms)
            text = state.talk.transcript.heard_so_far(line, heard_ms)
            return KeptLine(line.item_id, line.speaker, text, heard_ms) if text else None
        case Speaker.TOOL if line.tool is not None:
            tool = line.tool
            output = None if tool.promised else tool.output  # what was to follow ends with the process
            return KeptLine(
                line.item_id, line.speaker, name=tool.name, arguments=tool.arguments, output=output
            )
        case Speaker.CALLER | Speaker.OPERATOR:  # without words too: the model learns that some are missing
            return KeptLine(line.item_id, line.speaker, line.text)
        case _:
            return None  # fillers are the system's


def _heard_ms(state: CallState, line: Line, now_ms: int) -> int:
    playout = state.talk.playout
    if line.heard_ms is not None:
        return min(line.heard_ms, line.generated_ms)
    # What the ledger has forgotten was heard long ago.
    return line.generated_ms if playout.item(line.item_id) is None else playout.heard_ms(line.item_id, now_ms)


def _owed(state: CallState, lines: Sequence[Line], now_ms: int) -> Owed:
    talk, before = state.talk, state.setup.resumed
    if before is not None and (state.ready_ms is None or talk.responses.owes(RESUME)):
        return before.owed  # it has not gone on yet
    lines = [line for line in lines if line.speaker not in _BESIDE]
    said = any(_was_said(state, line, now_ms) for line in lines)
    if not said and not talk.playout.heard_response_ms(talk.greeting_id, now_ms):
        return Owed.GREETING
    last = lines[-1] if lines else None
    audio = None if last is None else talk.playout.item(last.item_id)
    if audio is not None and not talk.caller_has_floor:  # no speech since
        heard_ms = talk.playout.heard_ms(audio.item_id, now_ms)
        if not audio.done or heard_ms < audio.generated // BYTES_PER_MS:
            words = last is not None and talk.transcript.heard_so_far(last, heard_ms)
            return Owed.REST if words else Owed.ANSWER
    waits = talk.caller_has_floor or talk.batches.running or talk.responses.owes_anything
    return Owed.ANSWER if waits else Owed.NOTHING


def _was_said(state: CallState, line: Line, now_ms: int) -> bool:
    return line.speaker is not Speaker.AGENT or _heard_ms(state, line, now_ms) > 0


# -- going on -----------------------------------------------------------------------------------


def adopt(state: CallState, resumed: Resumed, now_ms: int) -> None:
    """A call is born with a conversation: write it down, and let due updates be in force."""
    talk = state.talk
    before = "" if state.setup.live is None else "before-"  # each run of a Live call counts its items anew
    for kept in resumed.lines:
        line = talk.history.place(before + kept.item_id, kept.speaker, now_ms)
        line.text, line.final = kept.text, True
        if kept.speaker is Speaker.AGENT:
            line.generated_ms = line.heard_ms = max(1, kept.heard_ms)
        elif kept.speaker is Speaker.TOOL:
            output = INTERRUPTED if kept.output is None else kept.output
            line.tool = CalledTool(kept.name, kept.arguments, output)
    spoken = [kept.speaker for kept in resumed.lines if kept.speaker in (Speaker.CALLER, Speaker.AGENT)]
    if Speaker.AGENT in spoken:
        talk.schedule.response_done(answered_caller=False)
    for turn in pairwise(spoken):
        if turn == (Speaker.CALLER, Speaker.AGENT):
            talk.schedule.response_done(answered_caller=True)
    while talk.schedule.waiting:
        state.session.in_force.sent(*talk.schedule.take(), event_id="")


def go_on(state: CallState, resumed: Resumed, now_ms: int, out: list[Command]) -> None:
    """The first session is configured: send it the conversation, and let the agent speak."""
    talk = state.talk
    if resumed.owed is Owed.GREETING:
        talk.ask(GREETING, state.setup.greeting_cue, out)
        return
    texts = state.setup.recovery.texts
    state.retell(talk.history.lines(), out)
    line_back = {Owed.ANSWER: texts.line_back_answer, Owed.REST: texts.line_back_rest}
    news = f"{resumed.news or line_back.get(resumed.owed, texts.line_back)} {texts.no_repeat}"
    if resumed.speak:
        talk.ask(RESUME, news, out)
    else:
        talk.tell(news, out)
    out.append(notes.CallResumed(len(resumed.lines), resumed.owed.value))
