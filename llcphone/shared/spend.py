"""What calls have cost, by day, over all processes: statements on a connection."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from llcphone.shared.tables import SPEND, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection


def today() -> str:
    """The day of all processes: that of UTC."""
    return datetime.datetime.fromtimestamp(time.time(), datetime.UTC).date().isoformat()


def add(db: Connection, day: str, usd: float) -> None:
    """A process has spent this more on that day."""
    new = upsert(db, SPEND).values(day=day, usd=usd)
    more = {"usd": SPEND.c.usd + new.excluded.usd}
    db.execute(new.on_conflict_do_update(index_elements=[SPEND.c.day], set_=more))


def sum_of(db: Connection, day: str) -> float:
    """What all have spent on that day."""
    return db.execute(select(SPEND.c.usd).where(SPEND.c.day == day)).scalar() or 0.0
