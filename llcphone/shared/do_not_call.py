"""The do-not-call list of all processes: statements on a connection.

It is read in the transaction that admits a call, so a number that was added is not dialled from then on.
A number is kept by its identity, so that any spelling of it finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from llcphone.shared.tables import DO_NOT_CALL, now_of, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

_PIECE = 500


def add(db: Connection, numbers: Iterable[str]) -> int:
    """Never dial these; how many of them were not on the list."""
    wanted, added = sorted(set(numbers)), 0
    for at in range(0, len(wanted), _PIECE):
        rows = [{"number": each, "added_at": now_of(db)} for each in wanted[at : at + _PIECE]]
        new = upsert(db, DO_NOT_CALL).values(rows).on_conflict_do_nothing()
        added += len(db.execute(new.returning(DO_NOT_CALL.c.number)).all())
    return added


def remove(db: Connection, number: str) -> bool:
    """Let this number be dialled again; whether it was on the list."""
    return db.execute(delete(DO_NOT_CALL).where(DO_NOT_CALL.c.number == number)).rowcount > 0


def numbers(db: Connection) -> Sequence[str]:
    """All of the list."""
    return db.execute(select(DO_NOT_CALL.c.number).order_by(DO_NOT_CALL.c.number)).scalars().all()
