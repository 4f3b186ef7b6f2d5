"""The journal on PostgreSQL does what it does on a file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event, text

from tests.store.journal_kit import FRESH, Opened, change, row
from tests.store.servers import empty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.store.journal import CallRow, Claim

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
    journal.purge(FRESH + 1)
    assert journal.claim("CA1", 0, limit=3, run="run1", now=300.0) is None


def test_a_round_has_no_statement_for_each_call(journal: Opened) -> None:
    calls = [row(id=f"c{n}", call_sid=f"CA{n}", run=f"c{n}") for n in range(32)]
    journal.write([change(each, first=True) for each in calls])

    def statements(of: list[CallRow]) -> list[str]:
        seen: list[str] = []

        def executes(*told: Any) -> None:
            seen.append(told[2])
            assert not told[5], "one statement for each row"

        event.listen(Engine, "before_cursor_execute", executes)
        try:
            journal.write([change(each, lines=LINES) for each in of])
        finally:
            event.remove(Engine, "before_cursor_execute", executes)
        return [each.partition(" ")[0] for each in seen]

    assert statements(calls) == statements(calls[:16]) == ["BEGIN;", "UPDATE", "SELECT", "INSERT"]
    assert (
        journal.place.run(lambda db: db.execute(text("SELECT count(*) FROM llcphone_lines")).scalar()) == 96
    )


def test_words_and_times_come_back_as_they_were(journal: Opened) -> None:
    said = 'a "quoted" {word}, \\ and\nnull, é, 电话, 🍞'
    times = {"touched_at": 1764558000.1234567, "state": '{"a": "\\"b\\""}', "owed": said[:8]}
    lines = (("i1", 0, "first"), ("i1", 7, said))
    calls = [row(id=f"c{n}", call_sid=f"CA{n}", run=f"c{n}") for n in range(32)]
    journal.write([change(each, first=True, lines=lines, values=times) for each in calls])
    claim = journal.claim("CA1", 0, limit=3, run="run1", now=300.0)
    assert claim is not None
    assert (claim.row.touched_at, claim.row.state, claim.row.owed) == tuple(times.values())
    assert claim.lines == (("i1", said),)


def test_what_another_process_has_claimed_is_not_written(journal: Opened) -> None:
    journal.write([change(row(), first=True, lines=LINES)])
    journal.claim("CA1", 0, limit=3, run="run1", now=300.0)
    journal.write([change(row(), values={"state": "old"}, lines=(("i1", 0, "old"),))])
    claim = journal.claim("CA1", 1, limit=3, run="run2", now=400.0)
    assert claim is not None
    assert claim.row.state == ""
    assert claim.lines[0] == ("i1", "hello")
