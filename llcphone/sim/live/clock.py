"""The clock of a Live session: milliseconds of input audio that the session has taken.

GPT-Live speaks, acknowledges and transcribes only while it is fed. So what the simulator plans is planned
for a time of this clock, and happens when a client has appended that much audio. Trio's clock is used for
little: the delays of the start and of updates, the backend's thinking, usage, and the two expiries.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.define(eq=False)
class Planned:
    """Something that is going to happen."""

    due_ms: int
    _action: Callable[[], None] | None

    def cancel(self) -> None:
        """Do not let it happen; nothing if it has happened."""
        self._action = None

    def happen(self) -> None:
        """Do it, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


@attrs.define(eq=False)
class Clock:
    """Counts input audio and does what is due."""

    now_ms: int = 0
    _count: int = 0
    _agenda: list[tuple[int, int, Planned]] = attrs.field(factory=list, repr=False)

    def at(self, due_ms: int, action: Callable[[], None]) -> Planned:
        """Do ``action`` when the clock reaches ``due_ms``; a time that has passed means the next advance.

        Actions of the same time happen in the order in which they were planned.
        """
        planned = Planned(due_ms, action)
        self._count += 1
        heapq.heappush(self._agenda, (due_ms, self._count, planned))
        return planned

    def after(self, delay_ms: int, action: Callable[[], None]) -> Planned:
        """Do ``action`` when ``delay_ms`` more audio has been taken."""
        return self.at(self.now_ms + delay_ms, action)

    def advance(self, ms: int) -> None:
        """Take this much audio: everything due until then happens, each at its own time."""
        until_ms = self.now_ms + ms
        while self._agenda and self._agenda[0][0] <= until_ms:
            due_ms, _, planned = heapq.heappop(self._agenda)
            self.now_ms = max(self.now_ms, due_ms)
            planned.happen()
        self.now_ms = until_ms
