"""How the model is opened, asked to speak and given information: what differs from one voice API to another.

The Realtime API is asked by an item of the conversation, the cue, and a ``response.create``, which the
sequencer (``responses``) sends when it may. Another protocol would have another class with the same
methods:

    opening    the first message on a new socket
    ask        the agent is to speak, for this purpose and by this cue
    tell       the model is to know this; no response is asked for
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.responses import GREETING, MESSAGE
from llcphone.realtime.messages import ModelMessage, SystemText, UpdateSession, UserText

if TYPE_CHECKING:
    from llcphone.engine.parts.responses import Responses

Opening = Callable[[Mapping[str, Any], str], ModelMessage]
"""The first message to a session, from what it is configured with and an id for it."""

_AS_USER = frozenset({GREETING, MESSAGE})
"""These begin a conversation and are asked for by a user item; all else by a system item."""


class RealtimeSpeech:
    """The Realtime API's way."""

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    @staticmethod
    def opening(session: Mapping[str, Any], event_id: str) -> ModelMessage:
        """Configures a session."""
        return UpdateSession(session, event_id)

    def ask(self, purpose: str, cue: str, out: list[Command]) -> None:
        """The agent is to speak as soon as it may; an empty cue: it knows about what."""
        if cue:
            self.remind(purpose, cue, out)
        self._responses.want(purpose)

    @staticmethod
    def remind(purpose: str, cue: str, out: list[Command]) -> None:
        """Give the cue alone: a fresh session is to know what was asked of an older one."""
        out.append(SendModel(UserText(cue) if purpose in _AS_USER else SystemText(cue)))

    def tell(self, text: str, out: list[Command]) -> None:
        """The model is to know this."""
        out.append(SendModel(SystemText(text)))
