"""What is kept of a call for the case that its process ends: the conversation as far as the caller heard
it, and what the caller waits for. The journal stores it, and another process resumes the call from it.
"""

from __future__ import annotations

from enum import Enum

import attrs


class Speaker(Enum):
    """Whose words."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"
    """Fillers: heard by the caller, never shown to the model."""
    TOOL = "tool"
    """A tool call, in its place among what was said."""
    OPERATOR = "operator"
    """Somebody beside the call: the model reads it, and the caller does not hear it."""


class Owed(Enum):
    """What the caller waits for."""

    NOTHING = "nothing"
    """They listen to what plays, speak themselves, or are silent."""
    GREETING = "greeting"
    """Nothing of it was heard."""
    ANSWER = "answer"
    """To their turn, or to a tool's result; nothing of it was heard."""
    REST = "rest of an answer"


@attrs.frozen
class KeptLine:
    """One line of the conversation, as far as it was heard."""

    item_id: str
    speaker: Speaker
    text: str = ""
    heard_ms: int = 0
    """Of an agent's line."""
    name: str = ""
    """Of a tool, and what it was called with."""
    arguments: str = ""
    output: str | None = None
    """None: it has not answered."""


@attrs.frozen
class Resumed:
    """What a call continues from."""

    lines: tuple[KeptLine, ...] = ()
    owed: Owed = Owed.GREETING
    """What the caller waits for; a greeting until somebody has spoken."""
    news: str = ""
    """Why they are back, for the model; empty: the line broke."""
    speak: bool = True
    """The agent speaks first."""
