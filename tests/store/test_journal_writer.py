"""The task that writes the journal: when it writes, and that no disk ever stops it or anybody else."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy.exc import OperationalError

from llcphone import ConfigError
from llcphone.config.journal import JournalConfig
from llcphone.errors import StoreUnavailable
from llcphone.store.journal import Change, Journal
from llcphone.store.journal_writer import JournalWriter, open_journal
from tests.store.journal_kit import SECRET, Source, change, row, url_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection
    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")


def source(**fields: Any) -> Source:
    """Its changes are of now: what is old is deleted, sooner or later, by the journal's own tidier."""
    born, now = row(**fields), {"touched_at": time.time()}
    return Source(
        [change(born, first=True, lines=(("i1", 0, "hello"),), values=now), change(born, values=now)]
    )


def opened(folder: Path, **settings: Any) -> Any:
    return open_journal(JournalConfig(url=url_of(folder), **settings), secret=SECRET)


def break_disk(monkeypatch: pytest.MonkeyPatch, *, times: int = 10**9, only: str = "") -> list[int]:
    """Writes fail, all of them or those with a call of this id; the list says how many were tried."""
    tried, real = [0], Journal.write

    def write(db: Connection, changes: Sequence[Change]) -> None:
        tried[0] += 1
        if tried[0] <= times and (not only or any(each.id == only for each in changes)):
            raise OperationalError("INSERT words of a caller", {}, Exception("disk I/O error"))
        real(db, changes)

    monkeypatch.setattr(Journal, "write", staticmethod(write))
    return tried


async def test_much_news_of_a_call_is_one_write(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await trio.sleep(1)
        assert one.writes == 1
        for _ in range(50):
            writer.news(one)
        await trio.sleep(1)
        assert one.writes == 2


async def test_nothing_is_written_when_nothing_happens(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await trio.sleep(600)
        assert one.takes == 1


async def test_while_the_agent_speaks_how_much_was_heard_is_looked_at(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await trio.sleep(1)
        one.speaking = True
        writer.news(one)
        await trio.sleep(10)
        assert 9 <= one.takes <= 12


async def test_leaving_writes_what_is_left(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await trio.sleep(1)
        writer.ends(one)
    assert one.writes == 2


async def test_a_failing_disk_is_logged_once_and_tried_again(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "llcphone")
    break_disk(monkeypatch, times=5)
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await trio.sleep(60)
        assert one.writes == 1
        assert writer.batches.failures == 5
    messages = [record.event for record in caplog.records]
    assert messages == [
        "the journal cannot be written; calls continue without it",
        "the journal is written again",
    ]
    assert "caller" not in caplog.text


async def test_a_call_that_the_database_refuses_holds_up_no_other(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_disk(monkeypatch, only="bad")
    async with opened(tmp_path) as writer:
        bad, good = source(id="bad", call_sid="CA2"), source()
        writer.begins(bad)
        writer.begins(good)
        await trio.sleep(10)
        assert (bad.writes, good.writes) == (0, 1)


async def test_a_disk_that_never_answers_keeps_nobody(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llcphone.store import database

    async with opened(tmp_path) as writer:

        async def never(*_: object, **__: object) -> None:
            await trio.sleep_forever()

        monkeypatch.setattr(database, "in_thread", never)
        began = trio.current_time()
        writer.begins(source())
        with pytest.raises(StoreUnavailable):
            await writer.claim("CA1", 0, "run")
        await writer.flush(2.0)
    assert trio.current_time() - began < 15


async def test_a_flush_waits_for_what_is_being_written(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with opened(tmp_path) as writer:
        one = source()
        writer.begins(one)
        await writer.flush()
        assert one.writes == 1
        claim = await writer.claim("CA1", 0, "run")
        assert claim is not None
        assert claim.won


async def test_a_busy_database_is_asked_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = Journal.claim, []

    def busy(self: Journal, *args: Any, **options: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return real(self, *args, **options)

    monkeypatch.setattr(Journal, "claim", busy)
    async with opened(tmp_path) as writer:
        writer.begins(source())
        await writer.flush()
        assert (await writer.claim("CA1", 0, "run")) is not None


async def test_no_url_or_not_enabled_is_no_journal(tmp_path: Path) -> None:
    async with open_journal(JournalConfig(), secret=SECRET) as none:
        assert none is None
    async with opened(tmp_path, enabled=False) as none:
        assert none is None
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("url", ["no address", "sqlite:////nowhere/at/all/journal.db", "nodb://x/y"])
async def test_a_journal_that_cannot_be_opened_is_told_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match=r"journal\.url"):
        async with open_journal(JournalConfig(url=url), secret=SECRET):
            pass


async def test_real_threads_write_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llcphone.store import database

    monkeypatch.setattr(database, "in_thread", trio.to_thread.run_sync)
    async with opened(tmp_path) as writer:
        assert isinstance(writer, JournalWriter)
        one = source()
        writer.begins(one)
        await writer.flush(5)
        assert one.writes == 1
        assert (await writer.claim("CA1", 0, "run")) is not None
