"""What can go wrong with a simulated GPT-Live, one field per failure.

Every connection has its own copy. It is read at the moment it matters, so you can set a fault of a running
session: ``live.sessions[0].faults.voiceless = True``. Faults that strike ``after_ms`` or ``after_s`` are
read at the start; later use the session's ``stall``, ``reset``, ``close`` and ``end``. Times in ms are of
the session's clock, which is the audio that the client has appended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

Reason = Literal["close_requested", "expired", "content", "remote_hangup", "connection_lost"]


@attrs.define
class Faults:
    """Failures of one connection; the default is a faultless server."""

    handshake_delay_s: float = 0.0
    """Wait this long before the 101."""
    refuse_status: int | None = None
    """Answer the upgrade with this HTTP status (401, 429, 503) instead of 101."""
    retry_after_s: int | None = None
    """The ``Retry-After`` header of that refusal."""

    silent: bool = False
    """Accept the socket and never say a word, not even ``session.started``."""
    refuse_start: str = ""
    """Refuse ``session.start`` with this error code, such as ``insufficient_quota``."""
    refuse_update: str = ""
    """Refuse each ``session.update`` with this error code."""
    wrong_format: bool = False
    """Start with PCM at 24 kHz, whatever was asked for, and say so in ``session.started``."""

    voiceless: bool = False
    """Send silence for ever: the model never speaks."""
    mute_greetings: int = 0
    """This many next commentaries stay without voice; they are acknowledged."""

    stop_chunks_after_ms: int | None = None
    """From here on no audio is sent. The socket stays open and everything else goes on."""
    stall_after_ms: int | None = None
    """From here on nothing at all is sent. The socket stays open."""
    reset_after_ms: int | None = None
    """Here the TCP connection is reset (RST)."""
    close_after_ms: int | None = None
    """Here the server closes with ``close_with``, without ``session.closed``."""
    close_with: int = 1011
    end_after_ms: int | None = None
    """Here the session ends with ``session.closed`` for ``end_reason``."""
    end_reason: Reason = "connection_lost"
    expire_after_s: float | None = None
    """``session.closed`` for ``expired`` at this age; None is the vendor's 2 hours."""

    hold_every_ms: int = 0
    """Every so much audio the chunks are held back for ``hold_ms`` and then sent together; 0: never."""
    hold_ms: int = 360

    buffer_items: int = 128
    """Items that the backend takes in one session."""
    buffer_bytes: int = 32_768
    """Bytes of items, as JSON in UTF-8, that the backend takes in one session."""

    never_answer_close: bool = False
    """Do not echo the client's Close frame and hold the socket."""
    ignore_pings: bool = False
    """Do not answer WebSocket pings."""
    stop_reading: bool = False
    """Read nothing more from the socket, so the client's kernel buffer fills up."""

    odd: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """What is odd in events, by their wire type: paths and the values that stand there instead,
    ``{"session.started": {"session.expires_at": 12.5}}``; ``...`` takes the key away."""
    extra_events: bool = False
    """Send an event of an unknown type before every event."""
    extra_fields: bool = False
    """Add unknown fields to every event and to the objects in it."""
    reorder_keys: bool = False
    """Send the keys of every object in reverse order."""
