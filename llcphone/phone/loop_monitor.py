"""Monitors the event loop: how late it is, and whether calls that have ended are gone.

One task sleeps for a tenth of a second at a time and measures how late it wakes up. Any frame that came
meanwhile has waited for up to the same time. Once a second the task looks for *orphans*: calls that have
ended but still hold tasks or sockets long after these should be closed. There should never be one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.engine.events import LoopHeld
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.wire.leg import CLOSE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llcphone.call.call import Call

log = logger("llcphone.loop_monitor")

EVERY_S = 0.1
_KEPT = 100
"""Measurements kept: those of ten seconds."""
_LOOKS_PER_SECOND = round(1 / EVERY_S)
_GRACE_S = CLOSE_TIMEOUT_S + 5.0
"""How long a call that has ended may take to close."""
_LATE_S = 1.0
"""If the median lateness of ten seconds is above this, half of all audio waits at least this long."""


@attrs.define(eq=False)
class LoopMonitor:
    """Looks at the event loop and at calls that have ended."""

    _calls: Callable[[], Iterable[Call]]
    _faults: Faults = attrs.field(factory=lambda: Faults(log), kw_only=True)
    listeners: list[Callable[[float], None]] = attrs.field(factory=list, init=False)
    """Called after each measurement with the loop's lateness in seconds."""
    orphans: int = attrs.field(default=0, init=False)
    """Calls that had ended and were not gone when they were last counted."""
    held_s: defaultdict[str, float] = attrs.field(factory=lambda: defaultdict(float), init=False)
    """How long tools and hooks blocked the event loop, by their names."""
    _lags: deque[float] = attrs.field(factory=lambda: deque(maxlen=_KEPT), init=False)
    _over_since: dict[str, float] = attrs.field(factory=dict, init=False)
    _named: bool = attrs.field(default=False, init=False)
    """Whether the present lateness has a name."""

    def lag_s(self, share: float = 0.99) -> float:
        """The lateness that this share of the measurements of the last ten seconds did not exceed."""
        ordered = sorted(self._lags)
        return ordered[round((len(ordered) - 1) * share)] if ordered else 0.0

    def held(self, call: Call, by: str, ms: int) -> None:
        """A tool or hook blocked the event loop: log its name, and note it in every call."""
        self.held_s[by] += ms / 1000
        self._named = True
        fields = {"call": call.call_id, "by": by, "ms": ms}
        log.warning("all calls were held: run what blocks with trio.to_thread.run_sync", extra=fields)
        for each in self._calls():
            each.run.step(LoopHeld(by, ms))

    def reasons(self) -> list[str]:
        """Why this process should be replaced; empty if it works."""
        reasons = []
        if self.lag_s(0.5) > _LATE_S:
            reasons.append("the event loop is more than a second late")
        if self.orphans:
            reasons.append("calls that have ended do not close")
        return reasons

    async def run(self) -> None:
        """Measure until cancelled."""
        looks = 0
        while True:
            due_s = trio.current_time() + EVERY_S
            await trio.sleep_until(due_s)
            lag_s = max(0.0, trio.current_time() - due_s)
            self._lags.append(lag_s)
            self._faults.tell_all("a look at the event loop not taken", self.listeners, lag_s)
            if lag_s >= _LATE_S and not self._named:
                fields = {"ms": round(lag_s * 1000)}
                log.warning(
                    "all calls were held, by no tool or hook: by other code, or the machine", extra=fields
                )
            self._named = False
            looks += 1
            if looks % _LOOKS_PER_SECOND == 0:
                self._look_for_orphans(trio.current_time())

    def _look_for_orphans(self, now_s: float) -> None:
        over = [call.call_id for call in self._calls() if call.run.over]
        self._over_since = {call_id: self._over_since.get(call_id, now_s) for call_id in over}
        self.orphans = sum(now_s - since_s > _GRACE_S for since_s in self._over_since.values())
