"""When to ping the far side, and when to give it up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llcphone.wire.leg import LegLimits


@attrs.define(eq=False)
class Keepalive:
    """Pings and what comes back; the clock is the caller's.

    A ping asks for a word, and any byte is one: a far side that talks lives, whether or not it answers pings.
    """

    limits: LegLimits
    _count: int = 0
    _sent_s: float | None = None
    _heard: int = 0
    """Bytes received when the last ping was sent."""
    _next_s: float | None = None

    def due(self, now: float, received: int) -> bytes | None:
        """The payload to ping with now, or None; ``received`` counts the far side's bytes so far."""
        if self._next_s is None:
            self._next_s = now + self.limits.ping_interval_s
        if now < self._next_s or self._sent_s is not None:
            return None
        self._count += 1
        self._sent_s, self._heard = now, received
        self._next_s = now + self.limits.ping_interval_s
        return self._count.to_bytes(4, "big")

    def overdue(self, now: float, received: int) -> bool:
        """Whether nothing at all has come for too long since the last ping."""
        if self._sent_s is None:
            return False
        if received != self._heard:
            self._sent_s = None
            return False
        return now - self._sent_s >= self.limits.ping_timeout_s

    def look_again_s(self, now: float) -> float:
        """When the next ping, or a word in answer to it, is due."""
        ping_s = self._next_s if self._next_s is not None and self._next_s > now else math.inf
        pong_s = math.inf if self._sent_s is None else self._sent_s + self.limits.ping_timeout_s
        return min(ping_s, pong_s)
