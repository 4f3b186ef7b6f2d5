"""When to ping the far side, and when to give it up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llcphone.wire.leg import LegLimits


@attrs.define(eq=False)
class Keepalive:
    """Pings and their pongs; the clock is the caller's."""

    limits: LegLimits
    _count: int = 0
    _sent_s: float | None = None
    _next_s: float | None = None

    def due(self, now: float) -> bytes | None:
        """The payload to ping with now, or None."""
        if self._next_s is None:
            self._next_s = now + self.limits.ping_interval_s
        if now < self._next_s or self._sent_s is not None:
            return None
        self._count += 1
        self._sent_s = now
        self._next_s = now + self.limits.ping_interval_s
        return self._payload()

    def overdue(self, now: float, pong: bytes | None) -> bool:
        """Whether the last ping went unanswered too long; ``pong`` is the last one received."""
        if self._sent_s is None:
            return False
        if pong == self._payload():
            self._sent_s = None
            return False
        return now - self._sent_s >= self.limits.ping_timeout_s

    def look_again_s(self, now: float) -> float:
        """When the next ping or its pong is due."""
        ping_s = self._next_s if self._next_s is not None and self._next_s > now else math.inf
        pong_s = math.inf if self._sent_s is None else self._sent_s + self.limits.ping_timeout_s
        return min(ping_s, pong_s)

    def _payload(self) -> bytes:
        return self._count.to_bytes(4, "big")
