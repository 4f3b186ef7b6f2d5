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


class Alarm:
    """When the supervisor wakes next."""

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._engine_s = math.inf
        self._ping_s = math.inf

    def set(self, deadline_ms: int | None) -> None:
        """The engine's next deadline has moved."""
        at_s = math.inf if deadline_ms is None else deadline_ms / 1000
        if at_s != self._engine_s:
            self._engine_s = at_s
            self._move()

    def ping_at(self, at_s: float) -> None:
        """The model leg's keepalive wants to look then."""
        self._ping_s = at_s
        self._move()

    async def sleep(self) -> None:
        """Until the alarm rings."""
        with trio.CancelScope(deadline=min(self._engine_s, self._ping_s)) as scope:
            self._scope = scope
            await trio.sleep_forever()
        self._scope = None

    def _move(self) -> None:
        if self._scope is not None:
            self._scope.deadline = min(self._engine_s, self._ping_s)


async def supervise(call: CallRun) -> None:
    """Wake for deadlines and due updates, until the nursery is cancelled."""
    while True:
        await call.alarm.sleep()
        call.models.keepalive()
        call.step(Tick())
