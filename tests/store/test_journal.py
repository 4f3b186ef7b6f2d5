"""The journal's tables: what a call leaves there, and who may go on with it."""

from __future__ import annotations

import sqlite3
import stat
import threading
from typing import TYPE_CHECKING

import attrs
import pytest

from llcphone.store.journal import CallRow, Claim, hash_of
from tests.store.journal_kit import Opened, change, open_file, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = (("i1", 0, "hello"), ("u1", 1, "question"), ("i2", 2, "answer"))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Opened]:
    journal = open_file(tmp_path)
    yield journal
    journal.close()


def claim(journal: Opened, run_number: int = 0, *, limit: int = 3, call_sid: str = "CA1") -> Claim | None:
    return journal.claim(call_sid, run_number, limit=limit, run=f"run{run_number + 1}", now=300.0)


def born(journal: Opened, **fields: object) -> CallRow:
    call = row(**fields)
    journal.write([change(call, first=True, lines=LINES)])
    return call


def test_a_call_is_claimed_with_its_conversation_in_order(journal: Opened) -> None:
    born(journal, agent="Ada", context="about bread")
    won = claim(journal)
    assert won is not None
    assert won.won
    assert (won.row.agent, won.row.context, won.row.run) == ("Ada", "about bread", "c1")
    assert won.lines == (("i1", "hello"), ("u1", "question"), ("i2", "answer"))


def test_only_lines_that_changed_are_written_and_lines_that_are_gone_are_gone(journal: Opened) -> None:
    call = born(journal)
    journal.write([change(call, lines=(("i2", 1, "answer, longer"), ("u2", 2, "thanks")), gone=("u1",))])
    won = claim(journal)
    assert won is not None
    assert won.lines == (("i1", "hello"), ("i2", "answer, longer"), ("u2", "thanks"))


def test_of_two_who_ask_one_wins_and_the_other_is_told_of_the_same_token(tmp_path: Path) -> None:
    here, there = open_file(tmp_path), open_file(tmp_path)
    call = born(here)
    first, second = claim(here), claim(there)
    assert first is not None
    assert second is not None
    assert (first.won, second.won) == (True, False)
    assert second.row.run_number == 1
    mine, theirs = here.token(first.row, 1, "run1"), there.token(second.row, 1, second.row.run)
    assert second.row.token_hash == hash_of(mine) == hash_of(theirs)
    assert here.token(call, 1, "r1") != here.token(call, 2, "r1")
    here.close()
    there.close()


def test_of_many_who_ask_at_once_one_wins(tmp_path: Path) -> None:
    journals = [open_file(tmp_path) for _ in range(8)]
    born(journals[0])
    claims: list[Claim | None] = []
    gate = threading.Barrier(len(journals))

    def ask(journal: Opened) -> None:
        gate.wait()
        claims.append(claim(journal))
        journal.close()

    threads = [threading.Thread(target=ask, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.won for each in claims if each is not None) == [False] * 7 + [True]


def test_what_was_planned_does_not_count_against_the_limit(journal: Opened) -> None:
    """A restart is written by the run that ends, a return from elsewhere is known to the one that claims."""
    born(journal)
    for run_number in range(5):
        drained = change(row(run_number=run_number), values={"planned": run_number + 1})
        journal.write([drained])
        won = claim(journal, run_number)
        assert won is not None
        assert won.won
        assert won.row.planned == run_number + 1
    assert journal.claim("CA1", 5, limit=0, run="back", now=300.0, planned=True) is not None
    for run_number in (6, 7, 8):
        assert claim(journal, run_number) is not None
    assert claim(journal, 9) is None


def test_with_a_limit_of_zero_nothing_is_resumed_but_what_has_left_comes_back(journal: Opened) -> None:
    born(journal, planned=1)
    assert claim(journal, limit=0) is None
    assert journal.claim("CA1", 0, limit=0, run="run1", now=300.0, planned=True) is not None


def test_a_journal_of_an_older_version_learns_what_is_planned(tmp_path: Path) -> None:
    journal = open_file(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as file:
        file.execute("ALTER TABLE llcphone_calls DROP COLUMN planned")
    journal.close()
    again = open_file(tmp_path)
    born(again)
    assert claim(again) is not None
    again.close()


def test_a_token_cannot_be_made_from_the_journal_alone(tmp_path: Path) -> None:
    journal, stranger = open_file(tmp_path), open_file(tmp_path, secret="another")
    assert journal.token(row(), 1, "r1") != stranger.token(row(), 1, "r1")
    journal.close()
    stranger.close()


def test_a_call_that_has_ended_is_nobodys_and_what_was_said_in_it_is_deleted(
    journal: Opened, tmp_path: Path
) -> None:
    call = born(journal, context="about bread")
    journal.write([change(call, values={"over": "agent hung up", "context": ""})])
    assert claim(journal) is None
    with sqlite3.connect(tmp_path / "journal.db") as db:
        assert db.execute("select count(*) from llcphone_lines").fetchone() == (0,)
        assert db.execute("select over, context from llcphone_calls").fetchone() == ("agent hung up", "")
    db.close()


def test_twilios_word_ends_a_call_too(journal: Opened) -> None:
    born(journal)
    journal.end("CA1", "ended at Twilio", 300.0)
    journal.end("CA of nobody", "ended at Twilio", 300.0)
    assert claim(journal) is None


def test_a_call_is_resumed_so_often_and_no_more(journal: Opened) -> None:
    born(journal)
    assert [claim(journal, run_number) is not None for run_number in range(4)] == [True, True, True, False]


def test_an_unknown_call_a_call_without_a_name_and_a_generation_to_come_are_nobodys(journal: Opened) -> None:
    born(journal)
    born(journal, id="c2", call_sid="")
    assert claim(journal, call_sid="CA2") is None
    assert claim(journal, call_sid="") is None
    assert claim(journal, 1) is None


def test_what_an_older_run_still_writes_changes_nothing(journal: Opened) -> None:
    old = born(journal)
    assert claim(journal) is not None
    journal.write([change(old, lines=(("i9", 3, "too late"),), values={"over": "phone leg lost"})])
    again = claim(journal, 1)
    assert again is not None
    assert again.lines == (("i1", "hello"), ("u1", "question"), ("i2", "answer"))


def test_the_new_run_writes_on(journal: Opened) -> None:
    won = claim(journal) if born(journal) else None
    assert won is not None
    journal.write([change(attrs.evolve(won.row, run_number=1), lines=(("i3", 3, "back"),))])
    again = claim(journal, 1)
    assert again is not None
    assert [body for _, body in again.lines] == ["hello", "question", "answer", "back"]


def test_what_is_old_is_forgotten(journal: Opened, tmp_path: Path) -> None:
    born(journal)
    journal.purge(199.0)
    assert claim(journal) is not None
    journal.purge(301.0)
    assert claim(journal, 1) is None
    with sqlite3.connect(tmp_path / "journal.db") as db:
        assert db.execute("select count(*) from llcphone_lines").fetchone() == (0,)
    db.close()


def test_the_file_is_for_its_owner_only(journal: Opened, tmp_path: Path) -> None:
    born(journal)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
