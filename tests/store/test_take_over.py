"""Calls of a process that has died: who takes them over, and what is left alone."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.store.journal import Change, hash_of
from llcphone.store.journal_tables import CALLS, LINES
from tests.shared.kit import at_once
from tests.store.journal_kit import SECRET, Opened, change, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.store.journal import CallRow

DEAD = ["dead"]


@pytest.fixture
def journal(url: str) -> Iterator[Opened]:
    journal = Opened(url)
    journal.place.run(lambda db: (db.execute(CALLS.delete()), db.execute(LINES.delete())))
    yield journal
    journal.close()


def has(journal: Opened, number: int, life: str = "dead", **fields: Any) -> CallRow:
    """A call of this life."""
    name = f"c{number}"
    call = row(**{"id": name, "call_sid": f"CA{number}", "run": f"n1-{name}", "life": life, **fields})
    journal.write([of(call, first=True)])
    return call


def of(call: CallRow, **fields: Any) -> Change:
    return change(call, life=call.life, **fields)


def taken(journal: Opened, by: str) -> str | None:
    found = journal.place.run(lambda db: journal.journal.take_over(db, DEAD, by))
    return None if found is None else found.call_sid


def lives(journal: Opened) -> set[str]:
    return journal.place.run(journal.journal.lives)


def owed(journal: Opened, call_sid: str) -> str:
    asked = CALLS.select().where(CALLS.c.call_sid == call_sid)
    return str(journal.place.run(lambda db: db.execute(asked).mappings().one()["owed"]))


def test_each_call_is_taken_once_and_what_is_not_of_the_dead_is_left_alone(journal: Opened) -> None:
    for number in range(1, 4):
        has(journal, number)
    has(journal, 4, life="alive")
    has(journal, 5, life="")  # of a process that shares nothing
    has(journal, 6, call_sid="")  # Twilio has not given it a name
    journal.write([of(has(journal, 7), values={"over": "caller hung up"})])
    assert lives(journal) == {"dead", "alive"}
    found = [taken(journal, "me") for _ in range(4)]
    assert sorted(filter(None, found)) == ["CA1", "CA2", "CA3"]
    assert found[3] is None
    assert lives(journal) == {"dead", "alive", "me"}


def test_the_latest_call_comes_first(journal: Opened) -> None:
    for number, at in enumerate([200.0, 400.0, 300.0]):
        journal.write([of(has(journal, number), values={"touched_at": at})])
    assert [taken(journal, "me") for _ in range(3)] == ["CA1", "CA2", "CA0"]


def test_processes_that_take_at_once_get_a_call_each(url: str, journal: Opened) -> None:
    """One that finds its call locked by another takes the next one, and comes again for what is left."""
    for number in range(20):
        has(journal, number)
    others = [Opened(url) for _ in range(4)]

    def take_all(place: Opened, by: str) -> list[str]:
        mine = []
        while (call_sid := taken(place, by)) is not None:
            mine.append(call_sid)
        return mine

    each = at_once([lambda at=at: take_all(others[at], f"me{at}") for at in range(4)])  # type: ignore[misc]
    for other in others:
        other.close()
    assert sorted(itertools.chain.from_iterable(each)) == sorted(f"CA{number}" for number in range(20))


def test_who_took_calls_over_and_died_is_followed_by_another(journal: Opened) -> None:
    has(journal, 1)
    assert taken(journal, "dead") == "CA1"
    assert taken(journal, "me") == "CA1"


def test_the_dead_writes_nothing_over_a_call_that_was_taken_over(journal: Opened) -> None:
    call = has(journal, 1)
    journal.write([of(call, values={"owed": "greeting"})])
    assert owed(journal, "CA1") == "greeting"
    assert taken(journal, "me") == "CA1"
    journal.write([of(call, lines=(("i1", 0, "late"),), values={"owed": "late", "over": "caller hung up"})])
    assert owed(journal, "CA1") == "greeting"
    assert journal.place.run(lambda db: db.execute(LINES.select()).all()) == []


def test_twilios_own_question_is_answered_before_and_after(journal: Opened) -> None:
    for number in (1, 2):
        has(journal, number)
    assert journal.claim("CA1", 0, limit=3, run="n2-1", now=300.0, life="n2") is not None
    assert taken(journal, "me") == "CA2", "CA1 was brought back by Twilio"
    assert taken(journal, "me") is None
    won = journal.claim("CA2", 0, limit=3, run="n2-2", now=300.0, life="n2")
    assert won is not None
    assert won.won
    assert lives(journal) == {"n2"}


def test_a_caller_who_is_elsewhere_is_nobodys_and_the_last_words_are_written(journal: Opened) -> None:
    call = has(journal, 1)
    journal.write([of(call, lines=(("i1", 0, "I connect you."),), values={"life": ""})])
    assert lives(journal) == set()
    assert taken(journal, "me") is None
    back = journal.claim("CA1", 0, limit=3, run="n1-2", now=300.0, planned=True, life="n1")
    assert back is not None
    assert back.lines == (("i1", "I connect you."),)


def test_a_journal_of_an_older_version_learns_whose_a_call_is(url: str) -> None:
    older = Opened(url)
    for statement in ("DROP INDEX llcphone_calls_by_life", "ALTER TABLE llcphone_calls DROP COLUMN life"):
        older.place.run(lambda db, text=statement: db.exec_driver_sql(text))
    older.close()
    journal = Opened(url, SECRET)
    call = row(id="old", call_sid="CA9", life="n1", token_hash=hash_of("t9"))
    journal.write([of(call, first=True)])
    assert lives(journal) == {"n1"}
    journal.end("CA9", "over", 300.0)
    assert lives(journal) == set()
    journal.close()
