"""The circuit breaker of one endpoint: while it gives no sessions, new calls go elsewhere at once.

Where no other endpoint gives sessions either, they are given the fallback. It observes all calls. It opens
after several failures in a row within the window: a connection that failed, a session that was refused, a
call that ended because it got no session. It closes as soon as any call has configured a session. While it
is open, llcphone asks the endpoint itself, as it does at the start, so that no caller has to try. Asking
costs no tokens.
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

    def __init__(
        self,
        config: BreakerConfig,
        ask: Callable[[], Awaitable[str | None]],
        *,
        number: int = 0,
        several: bool = False,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Watch one endpoint.

        Args:
            config: the settings.
            ask: asks the endpoint for a session: None, or what is in the way.
            number: of the endpoint; only what calls note of this one counts.
            several: there are others.
            changed: called when it has opened or closed.
        """
        self._most = config.failures
        self._number, self._several, self._changed = number, several, changed
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
        if isinstance(note, _FAILURES | _SUCCESSES) and note.endpoint == self._number:
            if isinstance(note, _FAILURES):
                self._failed()
            else:
                self._close()

    def ended(self, call: Call) -> None:
        """A call has its record; which of several endpoints it tried, its notes have said."""
        if (record := call.record) is None or self._several:
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
            if self._several:
                what = "an endpoint gives no sessions: new calls begin at another one while there is one"
            log.error(what, extra={"failures": len(self._failures), "endpoint": self._number})
            self._changed()

    def _close(self) -> None:
        self._failures.clear()
        if self.is_open:
            self._opened = trio.Event()
            log.info("breaker closed: model sessions can be opened again", extra={"endpoint": self._number})
            self._changed()
