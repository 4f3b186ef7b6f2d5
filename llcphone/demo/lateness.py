"""How late the machine lets the demo run, so that no verdict depends on how busy it is.

It sleeps for ten milliseconds at a time and notes when it was woken late: for so long nothing
could happen. A check that measures time adds what the machine took in that time to its limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOK_S = 0.01
LATE_S = 0.003
"""Less is how a machine at rest sleeps."""

Stall = tuple[float, float]
"""From when it should have run until it did, by Trio's clock."""


@attrs.define(eq=False)
class Lateness:
    """The stalls so far."""

    stalls: list[Stall] = attrs.field(factory=list)

    async def watch(self) -> None:
        """Look until it is cancelled."""
        while True:
            due_s = trio.current_time() + LOOK_S
            await trio.sleep(LOOK_S)
            if (now_s := trio.current_time()) - due_s > LATE_S:
                self.stalls.append((due_s, now_s))


def stalled_s(stalls: Iterable[Stall], from_s: float, until_s: float) -> float:
    """How much of that time the demo waited for the machine; what overlaps counts once."""
    total, reached = 0.0, from_s
    for begin, end in sorted(stalls):
        begin, end = max(begin, reached), min(end, until_s)
        if end > begin:
            total, reached = total + end - begin, end
    return total
