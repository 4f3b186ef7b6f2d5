"""One pace for all processes: a statement on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case

from llcphone.shared.tables import PACE, now_of, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection


def take_turn(db: Connection, what: str, interval_s: float) -> float:
    """Take the next turn; how long until it comes. The one after it is at least an interval later."""
    now = now_of(db)
    turn_at = case((PACE.c.next_at > now, PACE.c.next_at), else_=now)
    first = upsert(db, PACE).values(what=what, next_at=now + interval_s)
    later = {"next_at": turn_at + interval_s}
    change = first.on_conflict_do_update(index_elements=[PACE.c.what], set_=later)
    next_at, now_s = db.execute(change.returning(PACE.c.next_at, now)).one()
    return max(0.0, float(next_at) - interval_s - float(now_s))
