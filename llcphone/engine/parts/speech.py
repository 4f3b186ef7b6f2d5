"""How the model is opened, asked to speak and given information: what differs from one voice API to another.

The Realtime API is asked by an item of the conversation, the cue, and a ``response.create``, which the
sequencer (``responses``) sends when it may. The Live API has another class with the same methods
(``live_speech``):

    opening    the first message on a new socket; ``retells``: the conversation so far is given after it
    ask        the agent is to speak, for this purpose and by this cue
    tell       the model is to know this; no response is asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.responses import GREETING, MESSAGE
from llcphone.realtime.messages import ModelMessage, SystemText, UpdateSession, UserText

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.engine.parts.history import Line
    from llcphone.engine.parts.responses import Responses


class Speech(Protocol):
    """What differs."""

    retells: bool
    """Whether a fresh session is given the conversation after its opening, item by item."""

    def opening(self, session: Mapping[str, Any], event_id: str, lines: Iterable[Line]) -> ModelMessage:
        """The first message to a session: what it is configured with, an id for it, what was said before."""

    def ask(self, purpose: str, cue: str, out: list[Command]) -> None:
        """The agent is to speak as soon as it may; an empty cue: it knows about what."""

    def remind(self, purpose: str, cue: str, out: list[Command]) -> None:
        """Give the cue alone: a fresh session is to know what was asked of an older one."""

    def tell(self, text: str, out: list[Command]) -> None:
        """The model is to know this."""


_AS_USER = frozenset({GREETING, MESSAGE})
"""These begin a conversation and are asked for by a user item; all else by a system item."""


class RealtimeSpeech:
    """The Realtime API's way."""

    retells = True

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    @staticmethod
    def opening(session: Mapping[str, Any], event_id: str, lines: Iterable[Line]) -> ModelMessage:
        """Configures a session; it is told afterwards what was said."""
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
