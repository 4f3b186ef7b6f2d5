"""How a Live session is opened, asked to speak and given information.

It has no items. So the conversation so far is part of its opening, what it is to say is a cue (``Speak``),
and what it is to know is a text. Nothing of that can be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.live_history import told
from llcphone.realtime.messages import ModelMessage, SystemText, UpdateSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.engine.call_setup import RetellingTexts
    from llcphone.engine.parts.history import Line
    from llcphone.engine.parts.live_responses import LiveResponses


class LiveSpeech:
    """The Live API's way."""

    retells = False

    def __init__(self, responses: LiveResponses, texts: RetellingTexts) -> None:
        self._responses = responses
        self._texts = texts

    def opening(self, session: Mapping[str, Any], event_id: str, lines: Iterable[Line]) -> ModelMessage:
        """Starts a session, with what was said before."""
        history = told(lines, self._texts)
        return UpdateSession({**session, "input": history} if history else session, event_id)

    def ask(self, purpose: str, cue: str, out: list[Command]) -> None:
        """The agent is to speak as soon as it may; an empty cue: it knows about what."""
        self._responses.want_by(purpose, cue)

    def remind(self, purpose: str, cue: str, out: list[Command]) -> None:
        """Give the cue alone: a fresh session is to know what was asked of an older one."""
        self.tell(cue, out)

    def tell(self, text: str, out: list[Command]) -> None:
        """The model is to know this."""
        out.append(SendModel(SystemText(text)))
