"""A line that may be long: what is put in comes out later, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@attrs.define(eq=False)
class DelayLine(Generic[T]):
    """One direction. Without a delay, ``put`` hands over at once."""

    deliver: Callable[[T], None]
    nursery: trio.Nursery
    """Owns the task that waits, while something is under way."""
    delay_s: float = 0.0
    """Of what is put in from now on."""
    _waiting: deque[tuple[float, T]] = attrs.field(factory=deque)

    def put(self, item: T) -> None:
        """Hand something over, now or later."""
        if not self.delay_s and not self._waiting:
            self.deliver(item)
            return
        if not self._waiting:
            self.nursery.start_soon(self._run, name="console line delay")
        self._waiting.append((trio.current_time() + self.delay_s, item))

    async def _run(self) -> None:
        while self._waiting:
            due, item = self._waiting[0]
            await trio.sleep_until(due)
            self.deliver(item)
            self._waiting.popleft()
