"""The journal on PostgreSQL does what it does on a file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.store.journal_kit import Opened, change, row
from tests.store.servers import empty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.store.journal import Claim

LINES = (("i1", 0, "hello"), ("u1", 1, "question"), ("i2", 2, "answer"))


@pytest.fixture
def journal(postgres_url: str) -> Iterator[Opened]:
    empty(postgres_url)
    journal = Opened(postgres_url)
    yield journal
    journal.close()


def test_a_call_is_written_claimed_and_ended(journal: Opened) -> None:
    journal.write([change(row(agent="Ada"), first=True, lines=LINES)])
    won = journal.claim("CA1", 0, limit=3, run="run1", now=300.0)
    assert won is not None
    assert (won.won, won.row.agent) == (True, "Ada")
    assert [body for _, body in won.lines] == ["hello", "question", "answer"]
    journal.end("CA1", "ended at Twilio", 400.0)
    assert journal.claim("CA1", 1, limit=3, run="run2", now=500.0) is None


def test_of_many_who_ask_at_once_one_wins(journal: Opened, postgres_url: str) -> None:
    journal.write([change(row(), first=True, lines=LINES)])
    claims: list[Claim | None] = []
    gate = threading.Barrier(6)

    def ask() -> None:
        own = Opened(postgres_url)
        gate.wait()
        claims.append(own.claim("CA1", 0, limit=3, run="run1", now=300.0))
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.won for each in claims if each is not None) == [False] * 5 + [True]


def test_what_is_old_is_forgotten(journal: Opened) -> None:
    journal.write([change(row(), first=True, lines=LINES)])
    journal.purge(301.0)
    assert journal.claim("CA1", 0, limit=3, run="run1", now=300.0) is None
