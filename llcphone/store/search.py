"""Finding calls that have ended: statements on a connection, run in a thread.

Calls are in the order of their ends, newest first, and those that ended at once in that of their ids. A page
begins after a place in this order, so none is shown twice or left out while others end, and the last page
costs what the first does. Whatever a filter looks at is in an index that has this order: numbers in two of
their own, all else in ``phone_calls_by_end``. Words are in none, so they are looked for in so many calls
at a time.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Connection, Subquery, case, func, literal, or_, select, tuple_, union

from llcphone.store.calls import SUMMARY
from llcphone.store.models import CallSummary
from llcphone.store.tables import CALLS, LINES, MESSAGES, NOTES, TURNS
from llcphone.store.values import fitted, spelt_as
from llcphone.validation.phone_numbers import spellings
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, ColumnElement, Select

Place = tuple[float, str]
"""A place in the order of calls: when a call ended, and its id."""

GAP_STEP_MS = 10
"""Waits are counted by so many milliseconds."""
MOST_CALLS = 1_000_000
_MANY = 1_000
"""Calls of a number; for one that has more, the index of other conditions is the better one."""

_WORDS = (LINES.c.text, MESSAGES.c.reason, MESSAGES.c.name, NOTES.c.text)
"""What was said, and what the agent took down of it."""


@attrs.frozen(kw_only=True)
class CallFilter:
    """Which calls are wanted; what is empty or None does not matter."""

    text: str = attrs.field(default="", repr=False)
    """These words were said, or taken down."""
    number: str = attrs.field(default="", repr=False)
    """It called, or was called; in any spelling."""
    agent: str = ""
    direction: str = ""
    outcome: str = ""
    """Why it ended, as ``EndReason`` says it."""
    ended_from: float | None = None
    """Unix time."""
    ended_before: float | None = None
    longer_than_s: float | None = None
    slower_than_ms: int | None = None
    """The caller waited longer for an answer, at least once."""
    dearer_than_usd: float | None = None
    attention: bool = False
    """Only those that somebody should look at."""


@attrs.frozen
class Figures:
    """What many calls add up to."""

    calls: int = 0
    usd: float = 0.0
    waits: dict[int, int] = attrs.field(factory=dict)
    """How often callers waited that long for an answer, in steps of `GAP_STEP_MS`."""

    def __add__(self, other: Figures) -> Figures:
        steps = self.waits.keys() | other.waits.keys()
        waits = {step: self.waits.get(step, 0) + other.waits.get(step, 0) for step in steps}
        return Figures(self.calls + other.calls, self.usd + other.usd, waits)

    def wait_ms(self, share: float) -> int | None:
        """This share of answers came within so many milliseconds; None: no wait is known."""
        left = share * sum(self.waits.values())
        for step in sorted(self.waits):
            left -= self.waits[step]
            if left <= 0:
                return step * GAP_STEP_MS
        return None


def from_or_to(number: str, *, by_index: bool = True) -> ColumnElement[bool]:
    """Calls of this number; not ``by_index``: another condition is to find them first."""
    is_it = or_(spelt_as(CALLS.c.caller, number), spelt_as(CALLS.c.dialled, number))
    return is_it if by_index else case((is_it, 1), else_=0) == 1


def page(
    db: Connection, wanted: CallFilter, *, after: Place | None = None, most: int | None = 50
) -> list[CallSummary]:
    """The next calls after a place, newest first; ``wanted.text`` is not looked at.

    Args:
        db: the connection.
        wanted: which calls.
        after: where the page before ended; None: begin with the newest.
        most: how many; None: all of them.
    """
    most = None if most is None else min(max(0, most), MOST_CALLS)
    return _summaries(db, _summaries_of(_places(db, wanted, after, most)))


def with_words(
    db: Connection, wanted: CallFilter, *, after: Place | None, look_at: int, most: int
) -> tuple[list[CallSummary], Place | None]:
    """Look for ``wanted.text`` in the next calls after a place.

    Args:
        db: the connection.
        wanted: which calls.
        after: where to begin; None: with the newest.
        look_at: in how many calls to look.
        most: how many to return at most.

    Returns:
        Those that have the words, newest first, and where to go on; None: there are no more to look at.
    """
    places = _places(db, wanted, after, look_at)
    found = _summaries_of(places).where(_has_words(places.c.id, wanted.text)).limit(most)
    return _summaries(db, found), _end_of(db, places, look_at)


def figures(
    db: Connection, wanted: CallFilter, *, after: Place | None, look_at: int
) -> tuple[Figures, Place | None]:
    """What the next calls after a place add up to, and where to go on; None: there are no more."""
    places = _places(db, wanted, after, look_at)
    of_calls = select(func.count(), func.sum(CALLS.c.cost_usd)).select_from(places)
    calls, usd = db.execute(of_calls.join(CALLS, CALLS.c.id == places.c.id)).one()
    step = TURNS.c.ear_gap_ms // GAP_STEP_MS
    turns = select(step, func.count()).select_from(places).join(TURNS, TURNS.c.call == places.c.id)
    waits = db.execute(turns.where(TURNS.c.ear_gap_ms.is_not(None)).group_by(step))
    counted = {int(step): int(count) for step, count in waits}
    return Figures(calls, usd or 0.0, counted), _end_of(db, places, look_at)


# -- parts of statements ------------------------------------------------------------------------


def _newest(of: Any) -> tuple[Any, Any]:
    return of.ended_at.desc(), of.id.desc()


def _places(db: Connection, wanted: CallFilter, after: Place | None, most: int | None) -> Subquery:
    """Where the next calls are, as an index has them."""
    places = select(CALLS.c.ended_at, CALLS.c.id).where(*_conditions(wanted))
    if after is not None:
        ended_at, id_ = after
        place = tuple_(literal(ended_at, CALLS.c.ended_at.type), literal(fitted(CALLS.c.id, id_)))
        places = places.where(tuple_(CALLS.c.ended_at, CALLS.c.id) < place)

    def first(places: Select[Any]) -> Subquery:
        return places.order_by(*_newest(CALLS.c)).limit(most).subquery()

    if not wanted.number:
        return first(places)
    if _filters_more(wanted) and _has_many(db, wanted.number):
        return first(places.where(from_or_to(wanted.number, by_index=False)))
    ways = [  # one for each, as only this has the order of the index
        first(places.where(column == fitted(column, spelling)))
        for column in (CALLS.c.caller, CALLS.c.dialled)
        for spelling in spellings(wanted.number)
    ]
    either = union(*(select(way) for way in ways)).subquery()
    return select(either).order_by(*_newest(either.c)).limit(most).subquery()


def _filters_more(wanted: CallFilter) -> bool:
    """Whether more matters than the number, and what its index has beside it."""
    return attrs.evolve(wanted, number="", text="", ended_from=None, ended_before=None) != CallFilter()


def _has_many(db: Connection, number: str) -> bool:
    """Whether it is one of our own, or as frequent."""
    some = select(CALLS.c.id).where(from_or_to(number)).limit(_MANY).subquery()
    return bool(db.execute(select(func.count()).select_from(some)).scalar_one() == _MANY)


def _conditions(wanted: CallFilter) -> Iterator[ColumnElement[bool]]:
    column: Column[Any]
    of = CALLS.c
    for column, value in (
        (of.agent, wanted.agent),
        (of.direction, wanted.direction),
        (of.reason, wanted.outcome),
    ):
        if value:
            yield column == fitted(column, value)
    for column, is_, bound in (
        (of.ended_at, operator.ge, wanted.ended_from),
        (of.ended_at, operator.lt, wanted.ended_before),
        (of.duration_s, operator.gt, wanted.longer_than_s),
        (of.slowest_ms, operator.gt, wanted.slower_than_ms),
        (of.cost_usd, operator.gt, wanted.dearer_than_usd),
    ):
        if bound is not None:
            yield is_(column, bound)
    if wanted.attention:
        yield of.attention != ""


def _summaries_of(places: Subquery) -> Select[Any]:
    whole = select(*SUMMARY).select_from(places).join(CALLS, CALLS.c.id == places.c.id)
    return whole.order_by(*_newest(places.c))


def _summaries(db: Connection, query: Select[Any]) -> list[CallSummary]:
    return [CallSummary(**row._mapping) for row in db.execute(query)]


def _has_words(call: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a call has these words, whatever their case.

    SQLite knows the case of ASCII letters only, so each spelling of another letter is looked for. That
    something is found is asked by a query of its own for each call, as databases make EXISTS into a join,
    and then read the words of all calls.
    """
    text = clean_text(text)
    cases = {each.encode().lower().decode() for each in (text, text.lower(), text.upper(), text.title())}
    has = [
        select(literal(1))
        .where(words.table.c.call == call, or_(*(words.icontains(each, autoescape=True) for each in cases)))
        .limit(1)
        .scalar_subquery()
        .is_not(None)
        for words in _WORDS
    ]
    return or_(*has)


def _end_of(db: Connection, places: Subquery, most: int) -> Place | None:
    """The last of so many places; None: there are not so many."""
    last = db.execute(select(places).order_by(*_newest(places.c)).offset(most - 1).limit(1)).first()
    return None if last is None else (last.ended_at, last.id)
