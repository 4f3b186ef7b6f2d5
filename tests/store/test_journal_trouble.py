"""A journal's database in trouble: it has deadlines and threads of its own, and no claim wins for nobody."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import trio
from sqlalchemy import text

from llcphone import ConfigError
from llcphone.config.journal import JournalConfig
from llcphone.errors import StoreUnavailable
from llcphone.store import journal_writer
from llcphone.store.database import Database
from llcphone.store.engines import APPLICATION
from llcphone.store.journal import Journal, prepare
from llcphone.store.journal_writer import JournalWriter, open_journal
from tests.patience import HANG_S
from tests.store.journal_kit import Opened, Source, change, row
from tests.store.servers import Postgres, empty, own_server
from tests.store.store_kit import until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["own_server"]


def source(call_id: str = "c1") -> Source:
    born = row(id=call_id, call_sid=f"CA{call_id}")
    return Source([change(born, first=True), change(born)])


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"])
def test_one_way_to_read_an_address(scheme: str) -> None:
    place = Database(f"{scheme}://u@h/d", key="journal.url", timeout_s=1)
    assert (place._engine.dialect.driver, place._engine.pool._pre_ping) == ("psycopg", True)
    place.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
async def test_another_database_is_refused_in_the_words_of_the_store(url: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"journal\.url: is not a database that llcphone can use. Fix: set it to sqlite:///<file> or postgresql://",
    ):
        async with open_journal(JournalConfig(url=url), secret="s"):
            pass


async def test_a_claim_that_was_given_up_wins_for_nobody(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "_ASK_AGAIN_S", (0.0,))
    opened = Opened(url)
    opened.write([change(row(), first=True)])
    gate, real = threading.Event(), Journal.claim

    def slow(self: Journal, *args: Any, **options: Any) -> Any:
        won = real(self, *args, **options)
        gate.wait(10)
        return won

    place = Database(url, key="journal.url", timeout_s=0.3)
    writer = JournalWriter(Journal("s"), place, JournalConfig())
    monkeypatch.setattr(Journal, "claim", slow)
    with pytest.raises(StoreUnavailable):
        await writer.claim("CA1", 0, "run")
    gate.set()
    await until(lambda: not place._limiter.borrowed_tokens)
    monkeypatch.undo()
    claim = await writer.claim("CA1", 0, "another")
    assert claim is not None
    assert claim.won
    await place.aclose()
    opened.close()


async def test_a_process_that_dies_inside_a_transaction_keeps_its_calls_for_a_moment_only(
    postgres_url: str,
) -> None:
    empty(postgres_url)
    dying = Database(postgres_url, key="journal.url", timeout_s=5.0, idle_s=0.5)
    dying.run(prepare)
    opened = Opened(postgres_url)
    opened.write([change(row(), first=True)])
    locked, gate = threading.Event(), threading.Event()

    def dies(db: Any) -> None:
        db.execute(text("UPDATE llcphone_calls SET owed = 'x'"))
        locked.set()
        gate.wait(20)

    async with trio.open_nursery() as nursery:

        async def work() -> None:
            with pytest.raises(StoreUnavailable):
                await dying.ask(dies)

        nursery.start_soon(work)
        await trio.to_thread.run_sync(locked.wait)
        writer = JournalWriter(Journal("s"), opened.place, JournalConfig())
        claim = await writer.claim("CA1", 0, "run")
        assert claim is not None
        assert claim.won
        gate.set()
    await dying.aclose()
    opened.close()


@pytest.mark.parametrize("way", ["postgres_url", "pooler_url"])
@pytest.mark.parametrize("place", ["inside a message", "between two statements"])
async def test_locks_of_a_process_that_freezes_are_freed_where_postgresql_does_not(
    way: str, place: str, request: pytest.FixtureRequest
) -> None:
    """It has done half of what it was sent, or its limit for idle transactions has no effect."""
    url = request.getfixturevalue(way)
    empty(request.getfixturevalue("postgres_url"))
    opened = Opened(url)
    opened.write([change(row(), first=True)])
    with closing(psycopg.connect(url, autocommit=True, application_name=APPLICATION)) as frozen:
        frozen.execute("BEGIN; SET LOCAL statement_timeout = 500")
        if place == "inside a message":
            frozen.execute("SET LOCAL idle_in_transaction_session_timeout = 500")
            frozen.pgconn.enter_pipeline_mode()
            frozen.pgconn.send_query_params(b"UPDATE llcphone_calls SET owed = 'x'", [])
            frozen.pgconn.send_flush_request()
            frozen.pgconn.flush()
            while frozen.pgconn.is_busy():
                await trio.lowlevel.wait_readable(frozen.pgconn.socket)
                frozen.pgconn.consume_input()
        else:
            frozen.execute("UPDATE llcphone_calls SET owed = 'x'")
        asking = Database(url, key="journal.url", timeout_s=0.5, idle_s=0.5)
        writer = JournalWriter(Journal("s"), asking, JournalConfig())
        claim = await writer.claim("CA1", 0, "run")
        assert claim is not None
        assert claim.won
        await asking.aclose()
    opened.close()


async def test_a_server_that_is_started_again_is_no_error(
    own_server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "llcphone")
    async with open_journal(JournalConfig(url=own_server.url), secret="s") as writer:
        assert writer is not None
        one, other = source(), source("c2")
        writer.begins(one)
        await writer.flush(10)
        await trio.to_thread.run_sync(own_server.stop)
        await trio.to_thread.run_sync(own_server.start)
        writer.begins(other)
        await writer.flush(10)
        assert (one.writes, other.writes) == (1, 1)
        claim = await writer.claim("CAc1", 0, "run")
        assert claim is not None
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_call_whose_changes_cannot_be_taken_is_told_once_and_keeps_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Source):
        def take(self) -> Any:
            raise RecursionError("words of a caller")

        @property
        def speaking(self) -> bool:  # type: ignore[override]
            raise ValueError("words of a caller")

        @speaking.setter
        def speaking(self, value: bool) -> None:
            pass

    async with open_journal(JournalConfig(url=f"sqlite:///{tmp_path / 'j.db'}"), secret="s") as writer:
        assert writer is not None
        bad, good = Broken([]), source()
        writer.begins(bad)
        writer.begins(good)
        for _ in range(3):
            writer.news(bad)
            await writer.flush(10)
        assert good.writes == 1
        assert writer.batches.lost >= 2
    told = [each.event for each in caplog.records]
    assert told == ["the journal lacks something of a call"]
    assert "words" not in caplog.text


async def test_a_database_that_hangs_takes_no_thread_that_others_need() -> None:
    """Forty callers of a dead process come back at once, and the database accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Database(
            f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x", key="journal.url", timeout_s=0.2
        )
        writer = JournalWriter(Journal("s"), place, JournalConfig())
        refused = []

        async def ask(number: int) -> None:
            with pytest.raises(StoreUnavailable):
                await writer.claim(f"CA{number}", 0, "run")
            refused.append(number)

        with trio.fail_after(HANG_S):
            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(ask, number)
                await trio.sleep(0.1)
                assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
                assert await trio.socket.getaddrinfo("localhost", 80)
        assert len(refused) == 40
        await place.aclose()
