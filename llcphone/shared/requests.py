"""Idempotency-Keys of all processes: statements on a connection.

Who inserts a key does what was asked, and then writes the answer for the others. A key without an answer
belongs to a process that is at work, or that died over it: whether it dialled is not known then, so nobody
dials under this key again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sqlalchemy import delete, select, update

from llcphone.shared.tables import REQUESTS, now_of, upsert
from llcphone.store.deletion import DAY_S

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT_S = DAY_S


@attrs.frozen
class Request:
    """A request that has been made under a key."""

    fingerprint: str
    call: str = ""
    """The call that it placed."""
    answer: str = attrs.field(default="", repr=False)
    """Empty until that is known."""


def claim(db: Connection, key: str, fingerprint: str) -> Request | None:
    """Make a request under this key, for the first time in a day; None: it is ours to do."""
    now = now_of(db)
    row = {"fingerprint": fingerprint, "call": "", "answer": "", "at": now}
    new = upsert(db, REQUESTS).values(key=key, **row)
    over = REQUESTS.c.at < now - KEPT_S
    claimed = new.on_conflict_do_update(index_elements=[REQUESTS.c.key], set_=row, where=over)
    if db.execute(claimed.returning(REQUESTS.c.key)).first() is not None:
        return None
    return known(db, key) or Request(
        fingerprint
    )  # refused and forgotten at this moment: it will be asked again


def known(db: Connection, key: str) -> Request | None:
    """The request that was made under this key."""
    columns = (REQUESTS.c.fingerprint, REQUESTS.c.call, REQUESTS.c.answer)
    found = db.execute(select(*columns).where(REQUESTS.c.key == key)).first()
    return None if found is None else Request(*found)


def answered(db: Connection, key: str, call: str, answer: str) -> None:
    """What came of the request."""
    db.execute(update(REQUESTS).where(REQUESTS.c.key == key).values(call=call, answer=answer))


def forget(db: Connection, key: str) -> None:
    """The request was refused and did nothing: its key may be used again."""
    db.execute(delete(REQUESTS).where((REQUESTS.c.key == key) & (REQUESTS.c.answer == "")))
