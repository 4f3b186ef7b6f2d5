"""Deletes calls from the journal, a few rows at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from llcphone.store.database import Database
from llcphone.store.deletion import in_pieces
from llcphone.store.journal import prepare
from llcphone.store.journal_tables import CALLS, LINES
from llcphone.store.values import fitted

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import ColumnElement, Connection

    from llcphone.store.deletion import Piece

_FORGET_S = 10.0
"""Longest statement that a person waits for, but no call."""


def purging(before: float) -> Generator[Piece, Any, None]:
    """Forget calls of which nothing was written since."""
    yield from _all_of(CALLS.c.touched_at < before)


def forgetting(call_sids: Sequence[str]) -> Generator[Piece, Any, None]:
    """Forget these calls, as when a person's number is forgotten."""
    for call_sid in call_sids:
        yield from _all_of(CALLS.c.call_sid == fitted(CALLS.c.call_sid, call_sid))


def forget(url: str, call_sids: Sequence[str]) -> None:
    """Forget these calls in the journal at this address, in this thread; where there is none, do nothing.

    Raises:
        ConfigError: no journal can be there.
        sqlalchemy.exc.SQLAlchemyError, OSError: it cannot be written.
    """
    place = Database(url, key="journal.url", timeout_s=_FORGET_S)
    try:
        if place.path is None or place.path.is_file():
            place.run(prepare)
            in_pieces(forgetting(call_sids), place.run)
    finally:
        place.close()


def _all_of(which: ColumnElement[bool]) -> Generator[Piece, Any, None]:
    while (yield partial(_forget, which=which)):
        pass


def _forget(db: Connection, *, which: ColumnElement[bool], most: int) -> int:
    ids = db.execute(select(CALLS.c.id).where(which).limit(most)).scalars().all()
    if ids:
        db.execute(delete(LINES).where(LINES.c.call.in_(ids)))
        db.execute(delete(CALLS).where(CALLS.c.id.in_(ids)))
    return len(ids)
