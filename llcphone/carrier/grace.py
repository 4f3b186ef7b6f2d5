"""Time to finish work that must not be left half done, even when everything around it is cancelled."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def grace(limit_s: float, *, shield: bool = False) -> AsyncIterator[trio.CancelScope]:
    """A scope that, while its ``shield`` is set, outlives a cancellation from outside by ``limit_s``.

    The shield may be set later, when the work has come to the point of no return. The scope's
    ``cancelled_caught`` tells afterwards that the time was not enough.
    """

    async def watch() -> None:
        try:
            await trio.sleep_forever()
        finally:  # cancelled from outside, or the work is done and the deadline means nothing
            scope.deadline = trio.current_time() + limit_s

    async with trio.open_nursery() as nursery:
        with trio.CancelScope(deadline=math.inf, shield=shield) as scope:
            nursery.start_soon(watch, name="grace")
            yield scope
        nursery.cancel_scope.cancel(reason="done")
