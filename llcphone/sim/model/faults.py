"""What can go wrong with a simulated Realtime API, one field per failure.

Every connection has its own copy. Read at the moment it matters, so a running session's fault is switched
on by assignment: ``model.sessions[0].faults.late_deltas = 3``. Deltas are counted over the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Illness:
    """A server that takes sessions, but answers none of them until it is well again."""

    until_s: float
    """By Trio's clock."""
    how: str = "failed"
    """What becomes of a response: ``failed``; an ``error`` instead of it; or the connection ends with it, by
    ``reset`` or ``close``."""
    code: str = "server_error"
    message: str = "The server had an error while processing your request."
    """``{left}`` in it is the time until it is well: "Please try again in {left}."."""
    names_limits: bool = False
    """``rate_limits.updated`` says so, too: nothing remains until then."""
    close_with: int = 1011

    def text(self, now_s: float) -> str:
        return self.message.replace("{left}", f"{max(0.0, self.until_s - now_s):.3f}s")


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
    """Accept the socket and never say a word, not even ``session.created``."""
    ack_delay_s: float | None = None
    """Delay of ``session.updated``; None leaves the simulator's own."""
    refuse_update: bool | str | dict[str, Any] = False
    """Refuse each ``session.update``; a string is the error code, a table the whole event in its own form."""
    refuse_later: bool = False
    """Refuse each ``session.update`` after the first."""
    longest_output: int | None = None
    """Refuse answers of tools that are longer than this many characters."""
    wrong_format: bool = False
    """Accept each update but keep PCM 24 kHz both ways, and say so in the echo."""
    unasked_response: int = 0
    """This many next updates are each followed by a response that was not requested (True is one)."""

    illness: Illness | None = None
    """Until when no response is given; out-of-band ones are."""

    fail_responses: int = 0
    """This many next responses end at once as failed, without an ``error`` event."""
    late_deltas: int = 0
    """This many audio deltas of a cancelled response still arrive after its ``response.done``."""
    stall_after_deltas: int | None = None
    """After this many audio deltas the socket stays open and nothing more is sent."""
    reset_after_deltas: int | None = None
    """After this many audio deltas the TCP connection is reset (RST)."""
    close_after_deltas: int | None = None
    """After this many audio deltas the server closes with ``close_with``."""

    stall_after_s: float | None = None
    reset_after_s: float | None = None
    close_after_s: float | None = None
    """Close with ``close_with`` after this long."""
    close_with: int = 1011
    """Close code of the two above: 1001, 1006 is not sent (use a reset), 1011, 1012, …"""
    expire_after_s: float | None = None
    """``session_expired`` and close after this long; None is the vendor's 60 minutes."""

    never_answer_close: bool = False
    """Do not echo the client's Close frame and hold the socket (livekit/agents#6336)."""
    ignore_pings: bool = False
    """Do not answer WebSocket pings."""
    stop_reading: bool = False
    """Read nothing more from the socket, so the client's kernel buffer fills up."""

    odd: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """What is odd in events, by their wire type: paths and the values that stand there instead,
    ``{"response.done": {"response.usage.input_tokens": 12.0}}``; ``...`` takes the key away."""

    extra_events: bool = False
    """Send an event of an unknown type before every event."""
    extra_fields: bool = False
    """Add unknown fields to every event and to the objects in it."""
    reorder_keys: bool = False
    """Send the keys of every object in reverse order."""
