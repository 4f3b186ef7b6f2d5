"""One background task that writes what others only queue: to a file, a database or a collector.

The owner keeps the queue and says when it is due; this class has the loop around it. Writes never overlap. A
failed write is repeated after a pause, and whatever it raises ends neither the task nor the phone. The task
is shielded: what was queued before a cancellation is still written, for ``flush_s`` at most, so that a
dead disk or collector cannot keep a process alive.
"""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from llcphone.runtime.containment import Faults

NOW = -math.inf
"""``due`` of a queue that is to be written at once."""
NEVER = math.inf
"""``due`` of an empty queue."""


@attrs.define(eq=False)
class BackgroundWriter:
    """Calls ``write`` when there is something due, in one task."""

    _write: Callable[[], Awaitable[bool]]
    """Writes one batch of the queue; False: nothing could be written."""
    _due: Callable[[], float]
    """When the queue is to be written (Trio's clock); `NEVER` until `news` is called."""
    _faults: Faults
    _failed: str = attrs.field(kw_only=True)
    """The phrase under which what ``write`` raises is counted and logged."""
    _pauses_s: Sequence[float] = attrs.field(default=(2.0,), kw_only=True)
    """After failures in a row; the last one stays."""
    _flush_s: float = attrs.field(default=5.0, kw_only=True)
    """Longest wait for the rest at the end."""
    leaving: bool = attrs.field(default=False, init=False)
    """At the end everything that is ever due is written at once."""
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    _leave: trio.Event = attrs.field(factory=trio.Event, init=False)
    _finished: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True), init=False)

    def news(self) -> None:
        """The queue has changed, and perhaps when it is due. Synchronous."""
        self._news.set()

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[None]:
        """Run the task of this name until the block is left, then write the rest."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run, name=name)
            try:
                yield
            finally:
                await self.finish()

    async def run(self) -> None:
        """Write until `finish`, then the rest."""
        failures = 0
        with self._scope:
            while await self._is_due():
                written = False
                with self._faults.contained(self._failed):
                    written = await self._write()
                failures = 0 if written else failures + 1
                if failures and not await self._pause(failures):
                    break
        self._finished.set()

    async def _is_due(self) -> bool:
        """Wait until the queue is due; False: nothing more will be."""
        while True:
            due_at = self._due()
            if due_at == NEVER and self.leaving:
                return False
            if due_at <= trio.current_time() or self.leaving:
                return True
            self._news = trio.Event()
            with trio.move_on_at(due_at):
                await self._news.wait()

    async def _pause(self, failures: int) -> bool:
        """Wait before the next try; False: there is no time for one, or nothing to write."""
        pause_s = self._pauses_s[min(failures, len(self._pauses_s)) - 1]
        if self.leaving:
            if pause_s >= self._flush_s or self._due() == NEVER:
                return False
            await trio.sleep(pause_s)
            return True
        with trio.move_on_after(pause_s):
            await self._leave.wait()
        return True

    async def finish(self, deadline: float = math.inf) -> None:
        """Write the rest, for ``flush_s`` and until the deadline at most."""
        self.leaving = True
        self._news.set()
        self._leave.set()
        limit = min(deadline, trio.current_time() + self._flush_s)
        with trio.CancelScope(deadline=limit, shield=True):
            await self._finished.wait()
        self._scope.cancel(reason="too slow to write the rest")
