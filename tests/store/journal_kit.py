"""A journal for tests: on a file of the test's own, and under a virtual clock without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone.store import journal_writer
from llcphone.store.journal import CallRow, Change, Journal, hash_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "a-secret-of-the-test"


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is no task: a virtual clock would jump while one works. So its work is done at once."""

    async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*args)

    monkeypatch.setattr(journal_writer, "in_thread", at_once)


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


def open_file(folder: Path, secret: str = SECRET) -> Journal:
    journal = Journal(url_of(folder), secret=secret)
    journal.open()
    return journal


def row(**fields: Any) -> CallRow:
    given = {"id": "c1", "call_sid": "CA1", "run": "c1", "salt": "s", "token_hash": hash_of("t")}
    return CallRow(**{**given, "direction": "inbound", "agent": "agent", "born_at": 100.0, **fields})


def change(born: CallRow, *, first: bool = False, **fields: Any) -> Change:
    """What a run of this call has to write."""
    values = {"call_sid": born.call_sid, "touched_at": 200.0, "owed": "nothing", **fields.pop("values", {})}
    return Change(
        id=born.id, generation=born.generation, birth=born if first else None, values=values, **fields
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
