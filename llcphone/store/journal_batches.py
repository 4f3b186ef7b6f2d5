"""What the journal's task writes at a time: changes of many calls in one transaction, halved when it fails.

``batch_writes`` has the rule. A change of one call that the database refuses is given up, counted, and logged
once for that call; its next change is tried again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.store.batch_writes import Tries, in_parts
from llcphone.store.database import NotDone
from llcphone.store.engines import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from llcphone.store.database import Database
    from llcphone.store.journal import Change, Journal

log = logger("llcphone.journal")


class Source(Protocol):
    """A call, as the writer sees it."""

    @property
    def speaking(self) -> bool:
        """What was heard grows although nothing happens."""

    def take(self) -> Change | None:
        """What is to be written now; None: nothing."""

    def written(self) -> None:
        """What was last taken is in the journal."""


@attrs.define(eq=False)
class Item:
    """What is written of one call: its own change, or that Twilio says it is over."""

    source: Source | None = None
    change: Change | None = None
    call_sid: str = ""
    why: str = ""


@attrs.define(eq=False)
class Batches:
    """Writes items, and counts what came of them."""

    _journal: Journal
    _place: Database
    _again: Callable[[Item], None]
    """Receives an item that is to be written later."""
    failures: int = attrs.field(default=0, init=False)
    """Writes that failed."""
    lost: int = attrs.field(default=0, init=False)
    """Changes given up."""
    _failing: bool = attrs.field(default=False, init=False)
    _written: int = attrs.field(default=0, init=False)
    _tries: dict[Source | str, Tries] = attrs.field(factory=dict, init=False)
    _told: dict[Source, None] = attrs.field(factory=dict, init=False)
    """Calls of which something was given up."""
    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)

    def ends(self, source: Source) -> None:
        """This call is over."""
        self._told.pop(source, None)

    async def write(self, items: Sequence[Item], limit_s: float) -> bool:
        """Write these; False: nothing was, and the database is away or too slow."""
        before = self._written, self.lost
        rest = await in_parts(items, partial(self._write, limit_s), self._settle, cautious=self._failing)
        for item in rest:
            self._again(item)
        return not items or before != (self._written, self.lost)

    def take(self, source: Source) -> Item | None:
        """What this call has to say now."""
        with contained() as failure:  # of one call: the others are still to be written
            change = source.take()
            return None if change is None else Item(source, change)
        self._give_up(source, failure.kinds[0])
        return None

    async def _write(self, limit_s: float, items: Sequence[Item]) -> Verdict | None:
        try:
            await self._place.attempt(partial(self._in_one, items), limit_s=limit_s, limiter=self._limiter)
        except NotDone as exc:
            self.failures += 1
            if exc.verdict is Verdict.AWAY and not self._failing:
                self._failing = True
                log.error(
                    "the journal cannot be written; calls continue without it", extra={"error": exc.error}
                )
            elif exc.verdict is Verdict.REFUSED and len(items) == 1:
                self._give_up(items[0].source, exc.error)
            return exc.verdict
        if self._failing:
            self._failing = False
            log.warning("the journal is written again", extra={"failures": self.failures})
        return None

    def _in_one(self, items: Sequence[Item], db: Connection) -> None:
        if changes := [item.change for item in items if item.change is not None]:
            self._journal.write(db, changes)
        for item in items:
            if item.change is None:
                self._journal.end(db, item.call_sid, item.why, time.time())

    def _settle(self, item: Item, found: Verdict | None) -> None:
        """An item is written, or has failed alone."""
        key = item.source or item.call_sid
        if found is None:
            self._written += 1
            self._tries.pop(key, None)
            if item.source is not None:
                item.source.written()
        elif found is not Verdict.REFUSED:
            if self._tries.setdefault(key, Tries()).over(found, self._written):
                self._tries.pop(key)
                self._give_up(item.source, found.value)
            else:
                self._again(item)

    def _give_up(self, source: Source | None, error: str) -> None:
        """What a call had to say is not written; what it says next may be."""
        self.lost += 1
        if source not in self._told:
            log.error("the journal lacks something of a call", extra={"error": error})
        if source is not None:
            self._told[source] = None


def speaks(source: Source) -> bool:
    """Whether what was heard of a call grows without any event."""
    with contained():  # its engine may be in any state
        return source.speaking
    return False
