"""What GPT-Live says, as facts; ``translator`` makes of them the events that the engine knows.

Times are milliseconds on the session's clock, which is the audio that it was given. The output has as much
audio as the input, so the same times count the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.events import ModelError, Seconds, UnknownModelEvent, Usage

if TYPE_CHECKING:
    from llcphone.realtime.events import Item, ResponseStatus, SessionUpdated


@attrs.frozen
class Started:
    """The session is open; nothing before counts."""

    state: SessionUpdated


@attrs.frozen
class Updated:
    """A ``session.update`` was accepted."""

    state: SessionUpdated


@attrs.frozen
class Voice:
    """A piece of the output, which never pauses: silence is a piece too."""

    payload: bytes
    """Base64 of raw µ-law."""
    size: int
    """Bytes of audio in it."""
    loud: bool
    """Some sample is further from zero than silence is."""


@attrs.frozen
class AgentFragment:
    """Some words of the agent; they may come before their audio, or after it."""

    text: str
    start_ms: int | None = None
    """None: the server does not say."""
    end_ms: int | None = None


@attrs.frozen
class CallerFragment:
    """Some words of the caller, about 1.2 s after they were said."""

    text: str
    start_ms: int | None = None
    end_ms: int | None = None


@attrs.frozen
class BackendBegan:
    """A response of the text model has begun."""

    response_id: str
    delegation_id: str = ""


@attrs.frozen
class BackendCall:
    """The backend calls a function; its answer is due once the response is over."""

    item: Item
    delegation_id: str = ""


@attrs.frozen
class BackendEnded:
    """A response of the text model is over."""

    response_id: str
    status: ResponseStatus
    usage: Usage
    error_code: str = ""
    delegation_id: str = ""


@attrs.frozen
class Closed:
    """The session is over."""

    reason: str
    seconds: int | None = None
    """How long it was; None: the server does not say."""


LiveEvent = (
    Started
    | Updated
    | Voice
    | AgentFragment
    | CallerFragment
    | BackendBegan
    | BackendCall
    | BackendEnded
    | Seconds
    | Closed
    | ModelError
    | UnknownModelEvent
)
