"""How both writers write: many things in one transaction, and what cannot be written holds up nothing else.

A batch that fails is halved until each thing is written or has failed alone. So one bad value costs itself,
and a batch that took too long gets smaller. Only a database that fails again and again, whatever it is given,
ends an attempt; the rest is tried later, beginning with one thing alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from llcphone.store.engines import Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

MOST_TRIES = 5
"""A thing that takes too long alone, or fails alone while others are written, is given up after these."""
_AWAY = 8
"""Failures without a success in between that show that it is the database; a batch of 128 takes them to find
the one thing that is to blame."""


async def in_parts(
    things: Sequence[T],
    write: Callable[[Sequence[T]], Awaitable[Verdict | None]],
    settle: Callable[[T, Verdict | None], None],
    *,
    cautious: bool,
) -> list[T]:
    """Write these things, and say of each what came of it.

    Args:
        things: what is to be written, in order.
        write: all of these or none; None: they are written.
        settle: called for a thing that is written (with None), or that failed alone.
        cautious: the last attempt failed: begin with one thing, and end if that fails.

    Returns:
        What was not tried alone: the database is away.
    """
    waiting = [things[1:], things[:1]] if cautious else [things]  # the last is next
    failures_left = 1 if cautious else _AWAY
    while waiting and failures_left:
        part = waiting.pop()
        if not part:
            continue
        found = await write(part)
        if found is Verdict.AWAY:
            failures_left -= 1
        elif found is None:
            failures_left = _AWAY
        if found is None or len(part) == 1:
            for thing in part:
                settle(thing, found)
        else:
            middle = len(part) // 2
            waiting += part[middle:], part[:middle]
    return [thing for part in reversed(waiting) for thing in part]


@attrs.define
class Tries:
    """How often one thing has failed alone, for reasons that may be its own."""

    counted: int = 0
    written_before: int = -1
    """How much else was written when it last failed."""

    def over(self, found: Verdict, written: int) -> bool:
        """Whether it is given up now; ``written``: how much has been written so far."""
        if found is Verdict.SLOW or -1 < self.written_before < written:
            self.counted += 1
        self.written_before = written
        return found is Verdict.REFUSED or self.counted >= MOST_TRIES
