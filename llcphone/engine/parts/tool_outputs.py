"""Answers of tools on their way to the present session, until it has taken or refused them.

A refused answer leaves its ``call_id`` unanswered: the model waits, or speaks as if there were no result.
So the answer is given again: first shortened, then as a sentence that the result could not be passed on.
A response that was asked for in the meantime does not know the result, so it is cancelled and asked for
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.responses import TOOLS
from llcphone.engine.parts.retell import told_id
from llcphone.engine.resumed import Speaker
from llcphone.realtime.messages import OUTPUT_EVENT, ToolOutput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.parts.responses import Responses
    from llcphone.engine.parts.transcript import TranscriptBuilder
    from llcphone.realtime.events import ModelError

_SHORT = 1_000
"""Characters of a refused answer that are tried again."""

_NOT_PASSED_ON = msgspec.json.encode({"error": "the result could not be passed on to you"}).decode()


class ToolOutputs:
    """What was answered and not yet taken."""

    def __init__(self, responses: Responses, transcript: TranscriptBuilder) -> None:
        self._responses = responses
        self._transcript = transcript
        self._retold: frozenset[str] = frozenset()
        """Calls that an older session made and that the present one got with the history."""
        self._waiting: dict[str, tuple[str, str]] = {}
        """The call in the history, and its answer, by the id that the session knows the call by."""

    def tell(self, call_id: str, output: str, out: list[Command]) -> None:
        """Answer a call."""
        told = told_id(call_id) if call_id in self._retold else call_id
        self._send(told, call_id, output, out)

    def acked(self, told: str) -> None:
        """The session has an answer: a response created from now on sees it."""
        self._waiting.pop(told, None)
        self._responses.output_acked(told)

    def all_taken(self) -> None:
        """The session has gone on with all of them."""
        self._waiting.clear()

    def session_lost(self, running: Iterable[str]) -> None:
        """Answers of these calls go to a session that has the calls from the history."""
        self._retold = frozenset(running)
        self._waiting.clear()

    def refused(self, error: ModelError, out: list[Command]) -> bool:
        """An error: whether it refuses an answer, which then is given again in another form."""
        told = self._told_of(error)
        if told is None:
            return False
        call_id, output = self._waiting.pop(told)
        out.append(notes.ToolOutputRefused(error.code, error.param))
        again = _milder(output)
        if again is None:
            self._responses.output_acked(told)
            return True
        self._transcript.tool_answered(call_id, again)
        self._send(told, call_id, again, out)
        out.extend(SendModel(message) for message in self._responses.ask_anew(TOOLS))
        return True

    def _send(self, told: str, call_id: str, output: str, out: list[Command]) -> None:
        self._waiting[told] = call_id, output
        self._responses.output_sent(told)
        out.append(SendModel(ToolOutput(told, output)))

    def _told_of(self, error: ModelError) -> str | None:
        """The call whose answer the error refuses, as the session knows it."""
        if not error.event_id:  # some servers name the item's key only; they refuse in order
            about_item = error.param.startswith("item.")
            return next(iter(self._waiting), None) if about_item else None
        if not error.event_id.startswith(OUTPUT_EVENT):
            return None
        told = error.event_id.removeprefix(OUTPUT_EVENT)
        if told not in self._waiting:  # sent with the conversation so far
            lines = [line for line in self._transcript.history.lines() if line.speaker is Speaker.TOOL]
            line = next((line for line in lines if told_id(line.item_id) == told), None)
            if line is None or line.tool is None or line.tool.output is None:
                return None
            self._waiting[told] = line.item_id, line.tool.output
        return told


def _milder(output: str) -> str | None:
    """A form of a refused answer that is more likely to be taken; None: there is none."""
    if len(output) > 2 * _SHORT:
        return f"{output[:_SHORT]}…(cut, {len(output) - _SHORT} characters left out)"
    return None if output == _NOT_PASSED_ON else _NOT_PASSED_ON
