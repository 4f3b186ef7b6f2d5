"""What every leg of a call can do, whatever carries it.

A leg is one of the two WebSockets a call joins. Sending is synchronous: a frame is in the
kernel, or in the leg's send queue, when ``send_nowait`` returns, so the engine's ``step`` never
waits. Reading waits, in one task at a time.

How the owner learns of a leg's end:

- ``receive`` raises ``LegClosed``, after it has delivered everything that came before the end. That
  covers Close, EOF, reset, a protocol error *and* a failed send: a far side that refuses us
  writes its reason and closes, so our next send fails while that reason is still unread.
- ``on_lost`` is called, once, for the deaths that reading cannot notice: nothing accepted for
  ``stall_timeout_s``, a send queue above its limit, no answer to a ping, a receive queue overrun. A
  ``receive`` that waits then wakes and raises the same ``LegClosed``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from llcphone.errors import LegClosed

Spawn = Callable[..., None]
"""``spawn(async_fn, name=str)`` starts a task in the owner's nursery, as ``nursery.start_soon`` does."""

OnLost = Callable[[LegClosed], None]

OnMessage = Callable[[bytes], None]
"""Takes one complete message; synchronous."""


CLOSE_TIMEOUT_S = 1.0
"""Longest wait for the far side's Close: some peers never answer one, and a call waits for its record."""


@attrs.frozen
class LegLimits:
    """Time and size limits of a leg. They are no settings: nothing in a deployment suggests other values."""

    stall_timeout_s: float = 5.0
    """A leg is dead when the kernel accepted no byte of a waiting send queue for this long."""
    queue_limit_bytes: int = 4 * 2**20
    """A leg is dead when more than this waits behind the message that is being sent. One message alone is
    judged by ``stall_timeout_s``: a new leg would take it no better."""
    close_timeout_s: float = CLOSE_TIMEOUT_S
    ping_interval_s: float = 20.0
    """Time between two pings of the model leg."""
    ping_timeout_s: float = 20.0
    """A leg is dead when it says nothing at all for this long after a ping."""


@attrs.define(eq=False)
class LegStats:
    """Counters of one leg."""

    frames_in: int = 0
    """Complete text messages received."""
    frames_out: int = 0
    """Messages given to ``send_nowait``, sent or still waiting."""
    bytes_in: int = 0
    """Bytes read from the far side, framing included."""
    bytes_out: int = 0
    """Bytes the kernel (or the foreign socket) accepted, framing included."""
    dropped: int = 0
    """Media frames removed by ``drop_media_nowait``."""
    skipped: int = 0
    """Binary messages received, which neither vendor sends: skipped, never fatal."""


class Leg(Protocol):
    """One of the two sockets of a call, open and past its handshake."""

    stats: LegStats

    @property
    def closed(self) -> bool:
        """Whether the leg has ended, by whichever side; the last messages may still wait in ``receive``."""

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        """Give the leg its owner's nursery and who is notified of its end; called once, before use.

        Args:
            spawn: starts a task in the owner's nursery: ``spawn(async_fn, name="flush")``.
            on_lost: called at most once, synchronously, possibly inside ``send_nowait``.
        """

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        """Send one text message (UTF-8). Never waits, never raises for the far side's sake."""

    def send_many_nowait(self, payloads: Sequence[bytes], *, media: bool = False) -> None:
        """Send several text messages in one go."""

    def drop_media_nowait(self) -> int:
        """Remove media frames not yet begun from the send queue; returns how many."""

    async def receive(self) -> list[bytes]:
        """Wait for one or more complete text messages. One waiter at a time.

        Raises:
            LegClosed: the leg has ended and everything received before was delivered.
        """

    def receive_nowait(self) -> list[bytes]:
        """What has come so far, perhaps nothing; serves pings. Raises ``LegClosed`` as ``receive`` does."""

    def keepalive_nowait(self, now: float) -> float:
        """Send a ping when one is due, give the leg up when nothing answers it; ``now`` is Trio's clock.

        Returns:
            When to call again, on the same clock; infinity when there is nothing to do.
        """

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close politely, within ``close_timeout_s``; at once if cancelled. Idempotent."""

    def abort(self) -> None:
        """Close at once, without a word."""
