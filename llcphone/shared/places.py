"""Calls at the same time, over all processes: statements on a connection.

A telephone call that counts has a row. The row holds as long as the process that wrote it beats, so nothing
is renewed call by call, and the places of a process that has died are free after its lease. A call that no
process holds (a callee who was transferred) counts until it is over, or until Twilio's own limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sqlalchemy import and_, case, delete, func, or_, select

from llcphone.shared.nodes import beats_now
from llcphone.shared.tables import COUNTING, NODES, PLACES, now_of, upsert
from llcphone.store.versions import lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

_PIECE = 500
"""Rows of one statement."""


@attrs.frozen
class Place:
    """Of one call: its CallSid, or our own id while it has none."""

    id: str
    outbound: bool = False
    lasts_s: float | None = None
    """For so long at most, without a process that holds it; None: as long as its process beats."""


def take(db: Connection, place: Place, *, life: str, most: int) -> bool:
    """Take a place for one more call; False: all are taken."""
    lock(db, COUNTING)  # and count in a statement that begins afterwards
    total = db.execute(select(count_of(db, life)).where(PLACES.c.id != place.id)).scalar_one()
    if total >= most:
        return False
    hold(db, [place], life=life)
    return True


def hold(db: Connection, places: Sequence[Place], *, life: str) -> None:
    """These calls, each with an id of its own, count whatever the limit: they are there."""
    new, now = upsert(db, PLACES), now_of(db)
    same = {name: new.excluded[name] for name in ("life", "outbound", "until")}
    rows = [
        {
            "id": place.id,
            "life": life if place.lasts_s is None else "",
            "outbound": place.outbound,
            "until": None if place.lasts_s is None else now + place.lasts_s,
        }
        for place in places
    ]
    for at in range(0, len(rows), _PIECE):
        piece = new.values(rows[at : at + _PIECE])
        db.execute(piece.on_conflict_do_update(index_elements=[PLACES.c.id], set_=same))


def release(db: Connection, ids: Iterable[str], *, life: str) -> None:
    """These calls are over here; what another process holds by now stays."""
    db.execute(delete(PLACES).where(PLACES.c.id.in_(list(ids)) & PLACES.c.life.in_([life, ""])))


def count_of(db: Connection, life: str, *, outbound: bool = False) -> ColumnElement[int]:
    """How many calls there are, for a SELECT; those of this process count even if its beat is late."""
    holds = or_(
        PLACES.c.life == life,
        PLACES.c.life.in_(select(NODES.c.life).where(beats_now(db))),
        and_(PLACES.c.life == "", PLACES.c.until > now_of(db)),
    )
    counted = and_(holds, PLACES.c.outbound) if outbound else holds
    return func.coalesce(func.sum(case((counted, 1), else_=0)), 0)
