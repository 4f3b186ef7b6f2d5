"""The supervisor: sleeps until the engine's next deadline, then steps it.

The alarm is a cancel scope whose deadline every step moves, so nothing polls. The model leg's
keepalive rides on the same alarm.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from llcphone.engine.events import Tick

if TYPE_CHECKING:
    from llcphone.call.run import CallRun

KEEPALIVE_EVERY_S = 5.0


class Alarm:
    """When the supervisor wakes next."""

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._engine_s = math.inf
        self._keepalive_s = math.inf

    def set(self, deadline_ms: int | None) -> None:
        """The engine's next deadline has moved."""
        at = math.inf if deadline_ms is None else deadline_ms / 1000
        if at != self._engine_s:
            self._engine_s = at
            if self._scope is not None:
                self._scope.deadline = min(at, self._keepalive_s)

    async def sleep(self) -> None:
        """Until the alarm rings."""
        self._keepalive_s = trio.current_time() + KEEPALIVE_EVERY_S
        with trio.CancelScope(deadline=min(self._engine_s, self._keepalive_s)) as scope:
            self._scope = scope
            await trio.sleep_forever()
        self._scope = None


async def supervise(call: CallRun) -> None:
    """Wake for deadlines and due updates, until the nursery is cancelled."""
    while True:
        await call.alarm.sleep()
        call.keepalive()
        call.step(Tick())
