"""How warm the session was that a call met, in a word and in milliseconds.

    pool     taken from the warm pool: connected before anybody called
    hit      made ready for this call before its media stream started
    joined   the stream started while the set-up was still going on, and waited for the rest of it
    cold     the set-up began again, or for the first time, with somebody on the line
    wasted   no media stream ever started

After a parked session that did not say a word the call dials: a path that has forgotten one session has
perhaps forgotten all, and somebody on the line has no time to find that out one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llcphone.engine.status import CallStatus
    from llcphone.realtime.dialects import Dialect
    from llcphone.wire.leg import Leg


@attrs.frozen
class WarmLeg:
    """The leg of a parked session; who is given it owns and closes it."""

    leg: Leg
    dialect: Dialect
    took_ms: int
    """What it took to connect and configure it, while nobody waited."""


TakeWarm = Callable[["Dialect | None"], WarmLeg | None]
"""Takes a parked session out of the pool, in that dialect or in any; None when none fits. Synchronous."""


@attrs.define(eq=False)
class Warmth:
    """Where the model legs of one call come from."""

    _take: TakeWarm | None = None
    _cold: bool = False
    _took_ms: int | None = None
    """Of the first session, if it was adopted."""
    _unproven: bool = False
    """The leg adopted last has not said anything."""

    def connecting(self, call: CallStatus, dialect: Dialect | None) -> WarmLeg | None:
        """A leg is wanted: a parked one if there is one, None to dial."""
        warm = None if self._take is None or self._unproven else self._take(dialect)
        self._unproven = self._unproven or warm is not None
        if call.ready_ms is None:  # the record tells of the first session, not of those that replace it
            self._cold = call.cold
            self._took_ms = None if warm is None else warm.took_ms
        return warm

    def answered(self) -> None:
        """The present leg has said something."""
        self._unproven = False

    def word(self, call: CallStatus) -> str:
        """How the call met its session; see above."""
        if call.started_ms is None:
            return "wasted"
        if call.ready_ms is not None and self._took_ms is not None:
            return "pool"
        if self._cold:
            return "cold"
        ready_in_time = call.ready_ms is not None and call.ready_ms <= call.started_ms
        return "hit" if ready_in_time else "joined"

    def saved_ms(self, call: CallStatus) -> int:
        """Set-up of the session that the person on the line did not wait for."""
        word = self.word(call)
        if call.ready_ms is None or call.started_ms is None or word == "cold":
            return 0
        took_ms = call.ready_ms - call.born_ms if self._took_ms is None else self._took_ms
        return max(0, took_ms - max(0, call.ready_ms - call.started_ms))
