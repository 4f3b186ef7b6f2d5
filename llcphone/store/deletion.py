"""What is deleted, and when: statements on a connection, run in a thread, a few rows at a time.

Each piece is a transaction of its own, short enough for others to come in between. ``purging`` and
``forgetting`` yield one piece after the other; their runner sends back what the piece returned, as
``in_pieces`` does in the same thread. A piece that takes too long is asked for again with fewer rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs
from sqlalchemy import Connection, delete, exists, func, or_, select, tuple_

from llcphone.errors import ConfigError
from llcphone.store.search import from_or_to
from llcphone.store.tables import APPOINTMENTS, CALLS, CUSTOMERS, LINES, MESSAGES, NOTES, OUTBOX, TOOLS, TURNS
from llcphone.store.values import fitted, spelt_as
from llcphone.validation.phone_numbers import STAND_INS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import ColumnElement, Table

T = TypeVar("T")

DAY_S = 86_400.0
PIECE = 50
"""Calls, or rows of anything else, in one transaction."""
_OF_A_CALL = (OUTBOX, MESSAGES, NOTES, TURNS, TOOLS, LINES)

Place = tuple[float, str]
"""Where in the order of calls, oldest first, a piece ended."""


class Piece(Protocol):
    """One transaction's worth."""

    def __call__(self, db: Connection, *, most: int) -> Any:
        """Delete up to this many."""


@attrs.frozen
class Forgotten:
    """How much a purge deleted."""

    calls: int
    transcripts: int


@attrs.frozen
class ForgottenCalls:
    """Which calls were deleted."""

    call_ids: tuple[str, ...] = ()
    """For files of these calls, such as recordings and ``calls.jsonl``."""
    call_sids: tuple[str, ...] = ()
    """For the journal, which has no numbers."""


def purging(*, now: float, keep_days: float, transcript_days: float) -> Generator[Piece, Any, Forgotten]:
    """Delete calls, and the words of calls, that are older than this many days; 0 keeps them for ever.

    A call goes with its turns, tool calls, words, messages, notes, and what was still to be sent of it.
    A note about a customer that belongs to no call stays with the customer.
    """
    calls = transcripts = 0
    if transcript_days:
        before = now - transcript_days * DAY_S
        place: Place | None = (-1.0, "")
        while place is not None:
            count, place = yield partial(_forget_words, before=before, place=place)
            transcripts += count
        yield from _all_of(OUTBOX, OUTBOX.c.made_at < before)
    if keep_days:
        before = now - keep_days * DAY_S
        while gone := (yield partial(_forget_calls, which=CALLS.c.ended_at < before)):
            calls += len(gone)
        yield from _all_of(OUTBOX, OUTBOX.c.made_at < before)
        yield from _all_of(MESSAGES, (MESSAGES.c.taken_at < before) & ~_has_call(MESSAGES))
        of_nobody = NOTES.c.customer.is_(None) & ~_has_call(NOTES)
        yield from _all_of(NOTES, (NOTES.c.written_at < before) & of_nobody)
    return Forgotten(calls, transcripts)


def forgetting(number: str) -> Generator[Piece, Any, ForgottenCalls]:
    """Delete all that is known of a number: calls from or to it with all that belongs to them, messages that
    name it, and the customer who has it with notes and appointments.

    Raises:
        ConfigError: it means every withheld number, so it belongs to no one caller.
    """
    if number in STAND_INS:
        raise ConfigError(
            "number",
            "is used for every caller who withholds theirs",
            "delete such calls one by one: llcphone store purge --call",
        )
    gone: list[tuple[str, str]] = []
    while found := (yield partial(_forget_calls, which=from_or_to(number))):
        gone += found
    yield from _all_of(MESSAGES, spelt_as(MESSAGES.c.number, number))
    theirs = select(CUSTOMERS.c.id).where(spelt_as(CUSTOMERS.c.phone, number))
    for table in (NOTES, APPOINTMENTS):
        yield from _all_of(table, table.c.customer.in_(theirs))
    yield from _all_of(CUSTOMERS, CUSTOMERS.c.id.in_(theirs))
    return ForgottenCalls(tuple(id_ for id_, _ in gone), tuple(sid for _, sid in gone if sid))


def forgetting_call(call: str) -> Generator[Piece, Any, ForgottenCalls]:
    """Delete a call, by its id or Twilio's: all its runs, with all that belongs to them."""
    gone: list[tuple[str, str]] = []
    while found := (yield partial(_forget_calls, which=runs_of(call))):
        gone += found
    return ForgottenCalls(tuple(id_ for id_, _ in gone), tuple(sid for _, sid in gone if sid))


def runs_of(call: str) -> ColumnElement[bool]:
    """All runs of a call, by the id of one of them or by Twilio's."""
    id_, sid = fitted(CALLS.c.id, call), fitted(CALLS.c.call_sid, call)
    runs = CALLS.alias()
    its_sid = select(runs.c.call_sid).where(runs.c.id == id_, runs.c.call_sid != "")
    return or_(CALLS.c.id == id_, CALLS.c.call_sid == sid, CALLS.c.call_sid.in_(its_sid))


def ids_of(db: Connection, call: str) -> list[tuple[str, str]]:
    """The ids and CallSids of all runs of a call."""
    found = select(CALLS.c.id, CALLS.c.call_sid).where(runs_of(call))
    return [(row.id, row.call_sid) for row in db.execute(found)]


def count_old(db: Connection, *, calls_before: float, words_before: float) -> Forgotten:
    """How many calls, and words of calls, ended before these moments."""
    calls = db.execute(select(func.count()).where(CALLS.c.ended_at < calls_before)).scalar_one()
    said = exists().where(LINES.c.call == CALLS.c.id)
    words = select(func.count()).where(CALLS.c.ended_at < words_before, said)
    return Forgotten(calls, db.execute(words).scalar_one())


def count_of_number(db: Connection, number: str) -> dict[str, int]:
    """How much is known of a number, by what it is; calls are a `search.page` of it."""
    theirs = select(CUSTOMERS.c.id).where(spelt_as(CUSTOMERS.c.phone, number))
    calls = select(CALLS.c.id).where(from_or_to(number))
    which = {
        "messages": (MESSAGES, spelt_as(MESSAGES.c.number, number) | MESSAGES.c.call.in_(calls)),
        "notes": (NOTES, NOTES.c.customer.in_(theirs) | NOTES.c.call.in_(calls)),
        "appointments": (APPOINTMENTS, APPOINTMENTS.c.customer.in_(theirs)),
        "customers": (CUSTOMERS, CUSTOMERS.c.id.in_(theirs)),
    }
    counts = {what: select(func.count()).select_from(table).where(of) for what, (table, of) in which.items()}
    return {what: db.execute(query).scalar_one() for what, query in counts.items()}


def in_pieces(pieces: Generator[Piece, Any, T], run: Callable[[Callable[[Connection], Any]], Any]) -> T:
    """Do all pieces in this thread; ``run`` gives each a transaction."""
    answer: Any = None
    while True:
        try:
            piece = pieces.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = run(partial(piece, most=PIECE))


# -- pieces -------------------------------------------------------------------------------------


def _forget_words(db: Connection, *, before: float, place: Place, most: int) -> tuple[int, Place | None]:
    """What was said in the next calls; how many had words, and where the next piece begins."""
    order = tuple_(CALLS.c.ended_at, CALLS.c.id)
    old = select(CALLS.c.ended_at, CALLS.c.id).where(CALLS.c.ended_at < before, order > place)
    found = db.execute(old.order_by(CALLS.c.ended_at, CALLS.c.id).limit(most)).all()
    said = LINES.c.call.in_([row.id for row in found])
    count = db.execute(select(func.count(LINES.c.call.distinct())).where(said)).scalar_one()
    if count:
        db.execute(delete(LINES).where(said))
    return count, (found[-1].ended_at, found[-1].id) if len(found) == most else None


def _forget_calls(db: Connection, *, which: ColumnElement[bool], most: int) -> list[tuple[str, str]]:
    """Some of these calls, with all that belongs to them: their ids and CallSids."""
    wanted = select(CALLS.c.id, CALLS.c.call_sid).where(which).order_by(CALLS.c.ended_at).limit(most)
    found = [(row.id, row.call_sid) for row in db.execute(wanted)]
    ids = [id_ for id_, _ in found]
    for table in _OF_A_CALL:
        db.execute(delete(table).where(table.c.call.in_(ids)))
    db.execute(delete(CALLS).where(CALLS.c.id.in_(ids)))
    return found


def _forget_rows(db: Connection, *, table: Table, which: ColumnElement[bool], most: int) -> int:
    ids = db.execute(select(table.c.id).where(which).limit(most)).scalars().all()
    return db.execute(delete(table).where(table.c.id.in_(ids))).rowcount if ids else 0


def _all_of(table: Table, which: ColumnElement[bool]) -> Generator[Piece, Any, None]:
    while (yield partial(_forget_rows, table=table, which=which)):
        pass


def _has_call(table: Table) -> ColumnElement[bool]:
    return exists().where(CALLS.c.id == table.c.call)
