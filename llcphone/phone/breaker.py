"""The circuit breaker: while no model session can be opened, new calls are given the fallback at once.

It observes all calls. It opens after several failures in a row within the window: a connection that failed,
a session that was refused, a call that ended because it got no session. It closes as soon as any call has
configured a session. While it is open, llcphone asks the endpoint itself, as it does at the start, so that
no caller has to try. Asking costs no tokens.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from llcphone.engine.events import EndReason
from llcphone.engine.notes import ModelConnectFailed, ModelRestored, SessionReady, SessionRefused
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.call.call import Call
    from llcphone.config.breaker import BreakerConfig
    from llcphone.engine.note import Note

log = logger("llcphone.breaker")

_FAILURES = ModelConnectFailed | SessionRefused
_SUCCESSES = SessionReady | ModelRestored
_NO_SESSION = frozenset({EndReason.MODEL_UNREACHABLE, EndReason.MODEL_REFUSED})


WINDOW_S = 30.0
"""The failures of ``breaker.failures`` open the breaker only if all of them happen within this time."""
PROBE_S = 5.0
"""How often an open breaker asks the endpoint for a session; asking costs no tokens."""


class CircuitBreaker:
    """Whether the model's endpoint is worth asking."""

    def __init__(self, config: BreakerConfig, ask: Callable[[], Awaitable[str | None]]) -> None:
        """Take the settings, and what asks the endpoint for a session: None, or what is in the way."""
        self._most = config.failures
        self._ask = ask
        self._failures: deque[float] = deque(maxlen=max(1, self._most))
        self._opened = trio.Event()
        self.times_opened = 0

    @property
    def is_open(self) -> bool:
        """New calls are not let in."""
        return self._opened.is_set()

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls: something happened in one."""
        if isinstance(note, _FAILURES):
            self._failed()
        elif isinstance(note, _SUCCESSES):
            self._close()

    def ended(self, call: Call) -> None:
        """A call has its record."""
        if (record := call.record) is None:
            return
        lost = (
            record.reason is EndReason.MODEL_LOST and record.gaps and record.gaps[-1]["restored_ms"] is None
        )
        if lost or record.reason in _NO_SESSION:
            self._failed()

    async def run(self) -> None:
        """While it is open, ask the endpoint; until cancelled."""
        while True:
            await self._opened.wait()
            await trio.sleep(PROBE_S)
            if self.is_open and await self._ask() is None:
                self._close()

    def _failed(self) -> None:
        now = trio.current_time()
        self._failures.append(now)
        if not self._most or self.is_open or len(self._failures) < self._most:
            return
        if now - self._failures[0] <= WINDOW_S:
            self._opened.set()
            self.times_opened += 1
            what = "no model session can be opened: new callers hear an apology or are redirected"
            log.error(what, extra={"failures": len(self._failures)})

    def _close(self) -> None:
        self._failures.clear()
        if self.is_open:
            self._opened = trio.Event()
            log.info("breaker closed: model sessions can be opened again")
