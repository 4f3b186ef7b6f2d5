"""Looks through the calls that have ended: pages, words, trends.

Live callers wait for look-ups in the same database. So a search is no look-up: it has a connection of its
own, comes in short questions, and one that the database does not answer in time stops no look-up.
"""

from __future__ import annotations

import datetime
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs
import trio

from llcphone.errors import StoreUnavailable
from llcphone.store import search
from llcphone.store.database import NotDone
from llcphone.store.search import CallFilter, Figures
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from llcphone.store.database import Database
    from llcphone.store.models import CallSummary
    from llcphone.store.search import Place
    from llcphone.store.writer import Writer

T = TypeVar("T")
By = Literal["hour", "day"]

WORDS_S = 2.0
"""Longest search for words; what was found by then is the answer, and where to go on."""
TRENDS_S = 3.0
"""Longest wait for trends; what was counted by then is the answer, and is kept."""
WRITTEN_S = 1.0
"""Longest wait for calls that have ended and are not written yet."""
HOURS, DAYS = 48, 30
"""How far trends go back."""
LATE_S = 600.0
"""A call may be written this long after its end; earlier figures do not change."""

_LOOK_AT = 200
"""Calls in the first question for words or figures; twice as many each time it was quick."""
_LOOK_AT_MOST = 6_400
_QUICK_S = 0.05
_KEPT = 256
"""Figures of hours and days."""


@attrs.frozen
class Found:
    """A page of calls."""

    calls: tuple[CallSummary, ...]
    next: Place | None
    """Where the next page begins; None: there is none."""
    complete: bool = True
    """False: the time for a search ended before the page was full. The next page goes on from there."""


@attrs.frozen
class Bucket:
    """The calls that ended within an hour or a day."""

    at: float
    """Unix time of its beginning."""
    calls: int
    gap_p50_ms: int | None
    """Half of all answers were heard within this time."""
    gap_p95_ms: int | None
    usd: float


@attrs.frozen
class Trends:
    """What calls were like, the oldest first."""

    buckets: tuple[Bucket, ...]
    complete: bool
    """False: time ended before the oldest were counted. Asking again goes on from there."""


@attrs.define(eq=False)
class _Count:
    """How far the calls of an hour or a day are counted."""

    sums: Figures = attrs.field(factory=Figures)
    after: Place | None = None
    """Where to go on."""
    whole: bool = False


@attrs.define(eq=False)
class History:
    """The calls that have ended, for those who look back."""

    _database: Database
    _writer: Writer
    _one_at_a_time: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)
    _counting: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _counted: BoundedDict[tuple[float, float], _Count] = attrs.field(
        factory=lambda: BoundedDict(_KEPT), init=False
    )
    """Of times that are over, by their beginning and end."""

    async def find(self, wanted: CallFilter, *, after: Place | None = None, limit: int = 50) -> Found:
        """A page of calls, newest first.

        Args:
            wanted: which.
            after: where the page before said that this one begins.
            limit: how many at most.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._writer.catch_up(WRITTEN_S)
        if wanted.text:
            return await self._find_words(wanted, after, limit)
        calls = await self._ask(partial(search.page, wanted=wanted, after=after, most=limit + 1))
        return _page(calls, limit, None)

    async def trends(self, by: By, zone: datetime.tzinfo) -> Trends:
        """What calls were like of late, by hours or days of this time zone.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._writer.catch_up(WRITTEN_S)
        times, buckets = list(spans(by, time.time(), zone)), []
        with trio.move_on_after(TRENDS_S):
            async with self._counting:  # what one has counted, others need not
                for start, end in reversed(times):
                    buckets.append(_bucket(start, await self._figures_of(start, end)))
        return Trends(tuple(reversed(buckets)), complete=len(buckets) == len(times))

    async def _find_words(self, wanted: CallFilter, after: Place | None, limit: int) -> Found:
        found: list[CallSummary] = []
        until, size, searched = trio.current_time() + WORDS_S, _Size(), after
        while len(found) <= limit and (left_s := until - trio.current_time()) > 0:
            look = partial(search.with_words, wanted=wanted, after=searched, most=limit + 1 - len(found))
            try:
                with size.fitting() as look_at:
                    calls, searched = await self._ask(partial(look, look_at=look_at), limit_s=left_s)
            except StoreUnavailable:
                if searched == after:
                    raise
                break
            found += calls
            if searched is None:
                break
        found_all = searched is None or len(found) > limit
        return attrs.evolve(_page(found, limit, searched), complete=found_all)

    async def _figures_of(self, start: float, end: float) -> Figures:
        """Count the calls that ended then; those of a time long over are counted once."""
        count, size = self._counted.get((start, end)) or _Count(), _Size()
        if end < time.time() - LATE_S:
            self._counted[start, end] = count
        look = partial(search.figures, wanted=CallFilter(ended_from=start, ended_before=end))
        while not count.whole:
            with size.fitting() as look_at:
                more, count.after = await self._ask(partial(look, after=count.after, look_at=look_at))
            count.sums += more
            count.whole = count.after is None
        return count.sums

    async def _ask(self, work: Callable[[Connection], T], limit_s: float | None = None) -> T:
        database = self._database
        limit_s = database.timeout_s if limit_s is None else min(limit_s, database.timeout_s)
        try:
            return await database.attempt(work, limit_s=limit_s, limiter=self._one_at_a_time)
        except NotDone as error:
            raise StoreUnavailable(error.error) from None


def spans(by: By, now: float, zone: datetime.tzinfo) -> Iterator[tuple[float, float]]:
    """Beginning and end of the last hours or days of this time zone, the oldest first; Unix time."""
    here = datetime.datetime.fromtimestamp(now, zone)
    if by == "hour":
        last = here.replace(minute=0, second=0, microsecond=0).timestamp()
        for back in range(HOURS - 1, -1, -1):
            yield last - 3600 * back, last - 3600 * (back - 1)
        return
    for back in range(DAYS - 1, -1, -1):
        day = here.date() - datetime.timedelta(days=back)
        yield _midnight(day, zone), _midnight(day + datetime.timedelta(days=1), zone)


def _bucket(start: float, sums: Figures) -> Bucket:
    return Bucket(start, sums.calls, sums.wait_ms(0.5), sums.wait_ms(0.95), round(sums.usd, 6))


def _midnight(day: datetime.date, zone: datetime.tzinfo) -> float:
    return datetime.datetime.combine(day, datetime.time(), zone).timestamp()


def _page(calls: Sequence[CallSummary], limit: int, after: Place | None) -> Found:
    """So many of these calls; ``after`` is where to go on if there are no more."""
    shown = tuple(calls[:limit])
    return Found(shown, (shown[-1].ended_at, shown[-1].id) if len(calls) > limit else after)


class _Size:
    """How many calls to look at in one question: more while that is quick."""

    def __init__(self) -> None:
        self._look_at = _LOOK_AT

    @contextmanager
    def fitting(self) -> Iterator[int]:
        began = trio.current_time()
        yield self._look_at
        if trio.current_time() - began < _QUICK_S:
            self._look_at = min(2 * self._look_at, _LOOK_AT_MOST)
