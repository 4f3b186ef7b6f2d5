"""How warm the session was that a call met, in a word and in milliseconds.

    pool     taken from the warm pool: connected before anybody called
    hit      made ready for this call before its media stream started
    joined   the stream started while the set-up was still going on, and waited for the rest of it
    cold     the set-up began again, or for the first time, with somebody on the line
    wasted   no media stream ever started

A call adopts a parked session at most once: one that had died without anybody noticing (a path that
forgot it) may have died with all the others, and the line has no time to find that out one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine
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
    """Where the model legs of one call came from."""

    _take: TakeWarm | None = None
    _cold: bool = False
    _adopted: int = 0
    """Generation of the adopted leg; 0: none was."""
    _took_ms: int = 0

    def connecting(self, generation: int, dialect: Dialect | None, *, cold: bool) -> WarmLeg | None:
        """A leg of this generation is wanted: a parked one if there is one, None to dial."""
        self._cold = cold
        if self._take is None or self._adopted or (warm := self._take(dialect)) is None:
            return None
        self._adopted, self._took_ms = generation, warm.took_ms
        return warm

    def word(self, engine: CallEngine) -> str:
        """How the call met its session; see above."""
        if engine.started_ms is None:
            return "wasted"
        if engine.ready_ms is not None and engine.model.generation == self._adopted:
            return "pool"
        if self._cold:
            return "cold"
        ready_in_time = engine.ready_ms is not None and engine.ready_ms <= engine.started_ms
        return "hit" if ready_in_time else "joined"

    def saved_ms(self, engine: CallEngine) -> int:
        """Set-up of the session that the person on the line did not wait for."""
        word = self.word(engine)
        if engine.ready_ms is None or engine.started_ms is None or word == "cold":
            return 0
        took_ms = self._took_ms if word == "pool" else engine.ready_ms - engine.born_ms
        waited_ms = max(0, engine.ready_ms - engine.started_ms)
        return max(0, took_ms - waited_ms)
