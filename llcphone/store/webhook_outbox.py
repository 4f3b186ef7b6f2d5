"""What is still to be sent: statements on a connection, run in a thread.

A post is written with its call, in one transaction, and deleted when it was taken; so none is lost
between. A sender first moves the post's due time into the future: of two processes one does it, and if
that one dies the post is due again.
"""

from __future__ import annotations

import attrs
from sqlalchemy import Connection, delete, func, select, update

from llcphone.store.tables import OUTBOX


@attrs.frozen(kw_only=True)
class Post:
    """One body to be sent."""

    id: str
    made_at: float
    due_at: float
    tries: int
    body: str = attrs.field(repr=False)


_FURTHEST_S = 7_200.0
"""No post is due so late: then the clock was set back meanwhile."""


def claim(db: Connection, *, now: float, lease_s: float, most: int) -> list[Post]:
    """Posts that are due, now ours for ``lease_s``."""
    is_due = (OUTBOX.c.due_at <= now) | (OUTBOX.c.due_at > now + _FURTHEST_S)
    columns = [OUTBOX.c[field.name] for field in attrs.fields(Post)]
    due = select(*columns).where(is_due).order_by(OUTBOX.c.due_at, OUTBOX.c.made_at).limit(most)
    ours = []
    for row in db.execute(due).mappings().all():
        post = Post(**row)
        mine = (OUTBOX.c.id == post.id) & (OUTBOX.c.due_at == post.due_at)
        if db.execute(update(OUTBOX).where(mine).values(due_at=now + lease_s)).rowcount == 1:
            ours.append(post)
    return ours


def next_due(db: Connection) -> float | None:
    """When the next one is due; None: there is none."""
    due: float | None = db.execute(select(func.min(OUTBOX.c.due_at))).scalar_one()
    return due


def taken(db: Connection, id_: str) -> None:
    """It was delivered, or given up."""
    db.execute(delete(OUTBOX).where(OUTBOX.c.id == id_))


def later(db: Connection, id_: str, *, due_at: float, tries: int) -> None:
    """It was not delivered: again then."""
    db.execute(update(OUTBOX).where(OUTBOX.c.id == id_).values(due_at=due_at, tries=tries))
