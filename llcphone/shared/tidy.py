"""Deletes what has no meaning any more from the shared tables, a few rows at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, select

from llcphone.shared.requests import KEPT_S
from llcphone.shared.spend import today
from llcphone.shared.tables import NODES, PLACES, REQUESTS, SENT, SPEND, now_of
from llcphone.store.deletion import DAY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import ColumnElement, Connection, Table

    from llcphone.store.deletion import Piece

    Which = Callable[[ColumnElement[float]], ColumnElement[bool]]

_OLD: tuple[tuple[Table, Which], ...] = (
    (SENT, lambda now: SENT.c.at < now - DAY_S),
    (REQUESTS, lambda now: REQUESTS.c.at < now - KEPT_S),
    (NODES, lambda now: NODES.c.beat_at < now - DAY_S),
    (PLACES, lambda now: and_(PLACES.c.life != "", PLACES.c.life.not_in(select(NODES.c.life)))),
    (PLACES, lambda now: PLACES.c.until < now),
    (SPEND, lambda now: SPEND.c.day < today()),
)


def too_old() -> Generator[Piece, Any, None]:
    """What is to be deleted by now, piece by piece."""
    for table, which in _OLD:
        while (yield partial(_delete, table=table, which=which)):
            pass


def _delete(db: Connection, *, table: Table, which: Which, most: int) -> int:
    key = list(table.primary_key)
    rows = db.execute(select(*key).where(which(now_of(db))).limit(most)).all()
    for row in rows:
        same = [column == value for column, value in zip(key, row, strict=True)]
        db.execute(delete(table).where(and_(*same)))
    return len(rows)
