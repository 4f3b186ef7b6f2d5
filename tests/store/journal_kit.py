"""A journal for tests: on a file of the test's own, and under a virtual clock without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.store import journal, journal_deletion
from llcphone.store.database import Database
from llcphone.store.deletion import in_pieces
from llcphone.store.journal import CallRow, Change, Claim, Journal, hash_of

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a-secret-of-the-test"


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


class Opened:
    """A journal on a database of its own, each statement of which is a transaction in this thread."""

    def __init__(self, url: str, secret: str = SECRET) -> None:
        self.place = Database(url, key="journal.url", timeout_s=2.0)
        self.place.make_file()
        self.place.run(journal.prepare)
        self.journal = Journal(secret)
        self.token = self.journal.token
        self.close = self.place.close

    def write(self, changes: list[Change]) -> None:
        self.place.run(lambda db: self.journal.write(db, changes))

    def claim(self, call_sid: str, run_number: int, **options: Any) -> Claim | None:
        return self.place.run(lambda db: self.journal.claim(db, call_sid, run_number, **options))

    def end(self, call_sid: str, why: str, now: float) -> None:
        self.place.run(lambda db: self.journal.end(db, call_sid, why, now))

    def purge(self, before: float) -> None:
        in_pieces(journal_deletion.purging(before), self.place.run)

    def forget(self, *call_sids: str) -> None:
        in_pieces(journal_deletion.forgetting(call_sids), self.place.run)


def open_file(folder: Path, secret: str = SECRET) -> Opened:
    return Opened(url_of(folder), secret)


FRESH = 5e9
"""When a call was written last: at no time too long ago for the task that deletes old ones."""


def row(**fields: Any) -> CallRow:
    given = {"id": "c1", "call_sid": "CA1", "run": "c1", "salt": "s", "token_hash": hash_of("t")}
    return CallRow(**{**given, "direction": "inbound", "agent": "agent", "born_at": 100.0, **fields})


def change(born: CallRow, *, first: bool = False, **fields: Any) -> Change:
    """What a run of this call has to write."""
    values = {"call_sid": born.call_sid, "touched_at": FRESH, "owed": "nothing", **fields.pop("values", {})}
    return Change(
        id=born.id, run_number=born.run_number, birth=born if first else None, values=values, **fields
    )


@attrs.define(eq=False)
class Source:
    """A call of which this is to be written, again and again."""

    changes: list[Change]
    speaking: bool = False
    takes: int = 0
    writes: int = 0

    def take(self) -> Change | None:
        self.takes += 1
        return self.changes[min(self.writes, len(self.changes) - 1)]

    def written(self) -> None:
        self.writes += 1
