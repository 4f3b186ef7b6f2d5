"""Overload: when a new call is given the fallback because the process is too busy, and what the fallback is.

``server.max_calls`` is a third limit, which ``admission`` checks. Here the event loop's lateness and the CPU
use of its thread are measured over two seconds. One late moment (a garbage collection, another program)
rejects no call; a loop that is late repeatedly does. Neither limit applies while no call is live, because a
new call can then disturb no other call. Lateness does not count either

- in the first seconds of a process, which loads its last modules with the first calls;
- while the thread uses little of its core, unless the loop is very late: then other programs cause it, and
  one call fewer would not help.

Everything is synchronous, so a rejected call is answered at once and live calls are not delayed.
"""

from __future__ import annotations

import time
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.config.addresses import add_path
from llcphone.twilio import twiml
from llcphone.twilio.forms import in_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.config.overload import OverloadConfig

HOPPED = "llcphone-hop"
"""Marks the form of a call that another node has sent to us: it is not sent on again."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_LOOKS = 20
"""Two seconds: the loop monitor measures ten times a second."""
_LATE_SHARE = 4
"""If more than one measurement in this many is late, the loop is late repeatedly."""
_FIRST_LOOKS = 50
"""Five seconds of start-up."""
_OURS_PERCENT = 30
"""If the thread uses at least this share of its core, its own work may make it late; else others do."""
_MUCH_LATER = 5
"""Above this multiple of the limit, lateness counts whatever its cause."""
_LEAST_S = 1.0
"""CPU use measured over less time than this is noise."""
_SAME_TIME = 0.1
"""How far the loop's clock and the machine's may be apart; beyond, time is simulated, CPU says nothing."""


def clocks() -> tuple[float, float, float]:
    """The loop's time, the machine's, and what this thread used of its core, in seconds."""
    return trio.current_time(), time.perf_counter(), time.thread_time()


@attrs.define(eq=False)
class Overload:
    """Whether the process can take one more call."""

    _limits: OverloadConfig
    _live: Callable[[], int]
    """How many calls are live."""
    _read: Callable[[], tuple[float, float, float]] = clocks
    _first_looks: int = attrs.field(default=_FIRST_LOOKS, init=False)
    _lags_ms: deque[float] = attrs.field(factory=lambda: deque(maxlen=_LOOKS), init=False)
    _clocks: deque[tuple[float, float, float]] = attrs.field(
        factory=lambda: deque(maxlen=_LOOKS + 1), init=False
    )

    def look(self, lag_s: float) -> None:
        """Called regularly with the lateness of the event loop."""
        if self._first_looks:
            self._first_looks -= 1
        else:
            self._lags_ms.append(lag_s * 1000)
        self._clocks.append(self._read())

    def reasons(self) -> list[str]:
        """Why a new call would be one too many; empty if it can be taken."""
        if not self._live():
            return []
        reasons = []
        if self._limits.lag_limit_ms and self._late():
            reasons.append("the event loop is late")
        return reasons

    def _late(self) -> bool:
        """Whether the loop is late again and again."""
        used = self._used_percent()
        ours = used is None or used >= _OURS_PERCENT
        limit_ms = self._limits.lag_limit_ms * (1 if ours else _MUCH_LATER)
        return sum(lag_ms > limit_ms for lag_ms in self._lags_ms) * _LATE_SHARE > _LOOKS

    def _used_percent(self) -> float | None:
        """What the loop's thread used of one core during the last two seconds; None: that cannot be known."""
        if not self._clocks:
            return None
        (trio0, real0, cpu0), (trio1, real1, cpu1) = self._clocks[0], self._clocks[-1]
        real_s = real1 - real0
        if real_s < _LEAST_S or abs(trio1 - trio0 - real_s) > _SAME_TIME * real_s:
            return None
        return 100 * (cpu1 - cpu0) / real_s

    def another_node(self, form: Mapping[str, str]) -> str:
        """The TwiML that sends a caller to another node; "" when there is none, or it sent them to us."""
        node = self._limits.redirect_url
        return twiml.go_to(add_path(node, "/twiml", "hop=1")) if node and HOPPED not in form else ""

    def busy(self, form: Mapping[str, str] = _NOTHING, speech: twiml.Speech = twiml.PLAIN) -> str:
        """The TwiML for a caller who cannot be served: a message, or a busy tone while the call rings."""
        if in_progress(form) and not self._limits.busy_message:
            return twiml.hang_up()  # <Reject> is for calls that ring
        return twiml.busy(self._limits.busy_message or None, speech)
