"""Which endpoint of the model a call asks, and which it asks next.

Endpoints have numbers by preference; 0 is ``[realtime]``. A *round* asks each of them at most once, one after
the other without a pause: those that give sessions first, then those that are down. A pause is due only when
a round has found nobody. An endpoint that refuses what this call asks for is not asked by it again.

The phone knows from all calls which endpoints are down. It tells the call at its birth and whenever that
changes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Next(Enum):
    """What may follow a failed attempt."""

    AT_ONCE = "at once"
    """Another endpoint, which this round has not asked."""
    NEW_ROUND = "new round"
    """The round has found nobody: the next one begins after a pause."""
    NOBODY = "nobody"
    """All endpoints refuse this call."""


class EndpointOrder:
    """The endpoints of one call."""

    def __init__(self, count: int, down: Iterable[int] = (), barred: Iterable[int] = ()) -> None:
        """Take how many there are, which of them are down, and which this call cannot use."""
        self._down = frozenset(down)
        self._refused = set(barred)
        self._numbers = count
        self.count = count - len(self._refused)
        """How many this call can use."""
        self._asked: set[int] = set()
        """In the present round."""
        self.present = 0
        """The one that is asked now, or that gave the present session."""
        self.begin()

    def are_down(self, numbers: Iterable[int]) -> None:
        """The phone has seen which endpoints give no sessions."""
        self._down = frozenset(numbers)

    def begin(self, *, present_last: bool = False) -> None:
        """Begin a round; ``present_last``: the present endpoint has failed this call just now."""
        self._asked = {self.present} if present_last and self._left(self.present) else set()
        self.present = min(self._left(*self._asked), key=self._rank, default=self.present)

    def failed(self, *, refused: bool = False) -> Next:
        """The present endpoint gave no session: choose another; ``refused``: it never gives this call one."""
        self._asked.add(self.present)
        if refused:
            self._refused.add(self.present)
        if left := self._left(*self._asked):
            self.present = min(left, key=self._rank)
            return Next.AT_ONCE
        if not self._left():
            return Next.NOBODY
        self.begin()
        return Next.NEW_ROUND

    def refuse_present(self) -> bool:
        """Sessions of the present endpoint are no use to this call; False when no other is left."""
        if not self._left(self.present):
            return False
        self._refused.add(self.present)
        return True

    @property
    def others_left(self) -> bool:
        """A failure of the present endpoint leads to another at once."""
        return bool(self._left(self.present, *self._asked))

    def _left(self, *without: int) -> list[int]:
        return [each for each in range(self._numbers) if each not in self._refused and each not in without]

    def _rank(self, number: int) -> tuple[bool, int]:
        return number in self._down, number
