"""Sends the model a result that it has not asked for: something was looked up while the agent was
speaking.

The result is sent as a tool call of its own with its answer, like a late result: a system message would
give a database's text the authority of a system prompt. No response is asked for, so the agent does not
speak because of it, but whatever it says next can use it. While there is no session, the result waits.
Once sent it is part of the history, so a session that replaces a lost one gets it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine import events, notes
from llcphone.engine.commands import Command, SendModel
from llcphone.realtime.messages import ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.state import CallState


class UnaskedResults:
    """Results that the model has not asked for."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._waiting: list[events.ResultTold] = []
        self._told = 0

    def handlers(self) -> dict[type, Callable[[Any, int, list[Command]], None]]:
        """What the call's handle asks for."""
        return {events.ResultTold: lambda event, now_ms, out: self._waiting.append(event)}

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """On a configured session: send what waits."""
        talk = self._state.talk
        for event in self._waiting:
            call_id = self._next_id()
            talk.transcript.tool_called(call_id, event.name, event.arguments, now_ms)
            talk.transcript.tool_answered(call_id, event.output)
            out.append(SendModel(ToolCall(call_id, event.name, event.arguments)))
            talk.outputs.tell(call_id, event.output, out)
            out.append(notes.ResultTold(event.name))
        self._waiting.clear()

    def _next_id(self) -> str:
        """An id that no older run of this call has used either."""
        self._told += 1
        while self._state.talk.history.get(f"told-{self._told}") is not None:
            self._told += 1
        return f"told-{self._told}"
