"""Tool calls of one call: begun, answered, and then spoken about.

Every ``call_id`` is answered, or the model waits for it for ever. Audio and barge-in never wait
for a tool: a result is an item of the conversation at once, and ``responses`` says when a response
about it may be created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.commands import Command, Note, SendModel
from llcphone.engine.responses import TOOLS
from llcphone.realtime.messages import ToolOutput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.batches import Batches
    from llcphone.engine.conversation import Conversation
    from llcphone.engine.events import ToolFinished
    from llcphone.realtime.events import Item


class ToolDesk:
    """Where the model's tool calls are taken and their answers given."""

    def __init__(self, talk: Conversation, batches: Batches) -> None:
        self._talk = talk
        self._batches = batches

    def begin(
        self, items: Iterable[Item], run: bool, response_id: str, now_ms: int, out: list[Command]
    ) -> None:
        """The calls of a response that has ended; only with ``run`` may they run."""
        to_run, answers, speak = self._batches.begin(items, run=run)
        for answer in answers:
            self._answer(answer.call_id, answer.output, out)
        turn = self._talk.ledger.of(response_id)
        for call in to_run:
            if turn is not None:
                turn.tools.append(call.name)
            self._talk.scribe.tool_called(call.call_id, call.name, call.arguments, now_ms)
            out.append(call)
            out.append(Note("tool", {"name": call.name, "call_id": call.call_id}))
        if speak:
            self._talk.responses.want(TOOLS)

    def finished(self, event: ToolFinished, out: list[Command]) -> None:
        """A tool answered; the last answer of its response asks the model to speak."""
        wanted, speak = self._batches.finished(event.call_id)
        if not wanted:
            return
        out.append(Note("tool done", {"call_id": event.call_id, "ok": event.ok, "took_ms": event.took_ms}))
        self._answer(event.call_id, event.output, out)
        if speak:
            self._talk.responses.want(TOOLS)

    def _answer(self, call_id: str, output: str, out: list[Command]) -> None:
        self._talk.responses.output_sent(call_id)
        self._talk.scribe.tool_answered(call_id, output)
        out.append(SendModel(ToolOutput(call_id, output)))
