"""What is kept of calls, on both databases; and that no database ever keeps a caller waiting."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from llcphone import ConfigError
from llcphone.store import CallDetails, Message, Store, StoreUnavailable, ToolCall, calls, schema
from llcphone.store.database import Database
from llcphone.store.deletion import DAY_S, Forgotten, forgetting, in_pieces, purging
from llcphone.store.schema import VERSION
from llcphone.store.tables import LINES, SCHEMA
from tests.store.servers import Postgres, empty, own_server
from tests.store.store_kit import ADA, BORN_AT, WEEK, next_weekday, opened, record, until, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

OWN = "+15551230002"
__all__ = ["own_server"]


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as store:
        yield store


async def kept(store: Store, call_id: str = "c1", **fields: Any) -> CallDetails:
    store.put_call(record(call_id, **fields), caller=ADA, dialled=OWN)
    await written(store)
    details = await store.call(call_id)
    assert details is not None
    return details


# -- calls --------------------------------------------------------------------------------------


async def test_a_call_is_kept_with_turns_tools_words_messages_and_notes(store: Store) -> None:
    tools = (ToolCall(name="look_up", at_ms=2500, took_ms=40, ok=True), ToolCall(name="slow", at_ms=2600))
    store.put_call(record(cost_usd=0.12), caller=ADA, dialled=OWN, tools=tools)
    message = Message(name="Ada", number=ADA, reason="bread", for_whom="baker", call_id="c1")
    assert await store.take_message(message)
    assert await store.add_note("c1", None, "wants rye", "message taken")
    details = await store.call("c1")
    assert details is not None
    summary = details.summary
    assert (summary.caller, summary.dialled, summary.reason) == (ADA, OWN, "caller hung up")
    assert (summary.answered, summary.turns, summary.cost_usd) == (True, 1, 0.12)
    assert summary.ended_at == summary.born_at + 12.5
    assert details.tools == tools
    assert [line["text"] for line in details.lines] == ["Hello!", "Bread, please."]
    assert details.turns[0]["asked"] == "greeting"
    assert details.record["frames"] == 500
    assert [(each.reason, each.for_whom) for each in details.messages] == [("bread", "baker")]
    assert [(each.text, each.outcome) for each in details.notes] == [("wants rye", "message taken")]


async def test_a_run_of_a_resumed_call_knows_the_others(store: Store) -> None:
    await kept(store, "c2", call_sid="CAone", run_number=1, resumed_from="c1")
    await kept(store, "c9", call_sid="CAother")
    assert (await kept(store, "c1", call_sid="CAone")).runs == ("c1", "c2")
    assert (await kept(store, "c3", call_sid="")).runs == ("c3",)


async def test_a_call_that_is_told_twice_is_kept_once(store: Store) -> None:
    await kept(store)
    await kept(store)
    assert len(await store.calls()) == 1


async def test_a_message_with_the_same_key_is_kept_once(store: Store) -> None:
    message = Message(name="Ada", number=ADA, reason="bread", call_id="c1", key="CA1:t1")
    assert await store.take_message(message)
    assert await store.take_message(message)
    details = await kept(store)
    assert len(details.messages) == 1


async def test_calls_are_listed_newest_first_and_by_number(store: Store) -> None:
    for at in range(3):
        store.put_call(record(f"c{at}", born_at=BORN_AT + at), caller=f"+1555000{at}")
    await written(store)
    assert [each.id for each in await store.calls(limit=2)] == ["c2", "c1"]
    assert [each.id for each in await store.calls(number="+15550000")] == ["c0"]


async def test_what_is_old_is_forgotten_words_before_the_call(store: Store) -> None:
    details = await kept(store)
    await store.add_note("c1", None, "note")
    old = partial(purging, now=details.summary.ended_at + 31 * DAY_S, transcript_days=30)
    first = in_pieces(old(keep_days=365), store.main.run)
    blank = await store.call("c1")
    assert blank is not None
    assert (first.calls, first.transcripts, blank.lines, len(blank.turns)) == (0, 1, (), 1)
    second = in_pieces(old(keep_days=30), store.main.run)
    assert (second.calls, await store.call("c1")) == (1, None)


async def test_nothing_is_forgotten_when_days_are_zero(store: Store) -> None:
    details = await kept(store)
    tidy = purging(now=details.summary.ended_at * 2, keep_days=0, transcript_days=0)
    assert in_pieces(tidy, store.main.run) == Forgotten(0, 0)
    assert await store.call("c1") == details


async def test_a_number_can_be_forgotten_with_all_that_is_known_of_it(store: Store) -> None:
    await kept(store)
    await store.add_customer("Ada", ADA)
    assert in_pieces(forgetting(ADA), store.main.run).call_ids == ("c1",)
    assert await store.calls() == []
    assert await store.find_customer(ADA) is None
    assert await store.main.ask(lambda db: db.execute(select(func.count()).select_from(LINES)).scalar()) == 0


# -- the schema ---------------------------------------------------------------------------------


async def test_a_store_is_found_again_as_it_was(url: str) -> None:
    async with opened(url) as store:
        await kept(store)
    async with opened(url) as store:
        assert [each.id for each in await store.calls()] == ["c1"]


async def test_two_may_make_the_same_store_at_once(url: str) -> None:
    async def use() -> None:
        async with opened(url) as store:
            assert await store.calls() == []

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(use)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda db: db.execute(update(SCHEMA).values(version=VERSION + 1)), "newer llcphone"),
        (lambda db: db.execute(update(SCHEMA).values(version=0)), "version 0"),
        (lambda db: db.execute(insert(SCHEMA).values(version=VERSION)), "does not say which version"),
        (lambda db: SCHEMA.drop(db), "without a version"),
    ],
)
async def test_tables_of_another_version_are_not_touched(url: str, spoil: Any, why: str) -> None:
    async with opened(url) as store:
        await store.main.ask(spoil)
    with pytest.raises(ConfigError, match=why):
        async with opened(url):
            pass


async def test_older_tables_are_brought_forward_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(url) as store:
        await kept(store)
    done: list[int] = []

    def widen(db: Any) -> None:
        done.append(1)
        db.execute(text("ALTER TABLE phone_customers ADD COLUMN title TEXT"))

    newer = attrs.evolve(schema.VERSIONED, version=VERSION + 1)
    monkeypatch.setattr(schema, "VERSIONED", newer)
    with pytest.raises(ConfigError, match="this llcphone needs"):
        async with opened(url):
            pass
    monkeypatch.setattr(schema, "VERSIONED", attrs.evolve(newer, migrations={VERSION: widen}))
    for _ in range(2):
        async with opened(url) as store:
            assert [each.id for each in await store.calls()] == ["c1"]
            assert (
                await store.main.ask(lambda db: db.execute(select(SCHEMA.c.version)).scalar()) == VERSION + 1
            )
    assert done == [1]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not set"),
        ("no address", "is not the address of a database. Fix: write it as sqlite"),
        ("mysql://x/y", "Fix: set it to sqlite"),
        ("sqlite://", "Fix: set it to sqlite"),
        ("sqlite:////nowhere/at/all/phone.db", "/nowhere/at/all/phone.db cannot be opened"),
        ("postgresql://nobody@127.0.0.1:1/x", "cannot be opened"),
    ],
)
async def test_a_store_that_cannot_be_had_is_told_at_the_start(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        async with opened(url):
            pass
    assert refused.value.key == "store.url"
    assert "nobody" not in str(refused.value)


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        await kept(store)
        modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
        assert set(modes.values()) == {0o600}, modes


async def test_a_file_system_without_wal_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from llcphone.store import engines

    real = sqlite3.connect

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        """As on a network: no memory is shared."""
        return real(f"file:{path}?vfs=unix-dotfile", uri=True, **options)

    monkeypatch.setattr(engines.sqlite3, "connect", connect)
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        await kept(store)
    (told,) = caplog.records
    assert "refuses WAL mode" in told.getMessage()


# -- look-ups may only read ---------------------------------------------------------------------


async def test_a_look_up_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable):
        await store.look_ups.ask(lambda db: db.execute(text("DELETE FROM phone_calls")))


async def test_look_ups_may_have_a_role_of_their_own(postgres_url: str) -> None:
    empty(postgres_url)
    async with opened(postgres_url) as store:
        grants = (
            "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA public TO reader;"
        )
        grants += "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"
        await store.main.ask(lambda db: db.execute(text(grants)))
    reader = postgres_url.replace("//" + postgres_url.split("//")[1].split("@")[0], "//reader")
    async with opened(postgres_url, store={"lookup_url": reader}) as store:
        await store.set_hours(WEEK)
        await store.add_customer("Ada", ADA)
        assert await store.find_customer(ADA) is not None
        assert (
            await store.look_ups.ask(lambda db: db.execute(text("SELECT current_user")).scalar()) == "reader"
        )
        assert await store.free_slots(next_weekday().date())


# -- trouble ------------------------------------------------------------------------------------


def asleep(seconds: float) -> Any:
    """Work that the database itself takes so long for."""

    def work(db: Any) -> None:
        if db.dialect.name == "postgresql":
            db.execute(text(f"SELECT pg_sleep({seconds})"))
        else:  # counts for ever; only the progress handler stops it
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
            db.execute(text(endless))

    return work


async def test_a_slow_question_is_answered_at_its_deadline_and_the_thread_comes_back(url: str) -> None:
    async with opened(url, store={"timeout_s": 0.3}) as store:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.look_ups.ask(asleep(30))
        assert time.monotonic() - began < 0.6
        await until(lambda: not store.look_ups._limiter.borrowed_tokens)
        assert await store.calls() == []


async def test_after_three_failures_nobody_asks_for_a_while(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llcphone.store import database

    asked = 0

    async def never(*_: object, **__: object) -> None:
        nonlocal asked
        asked += 1
        await trio.sleep_forever()

    place = Database(f"sqlite:///{tmp_path / 'phone.db'}", key="store.url", timeout_s=2.0)
    monkeypatch.setattr(database, "in_thread", never)
    began = trio.current_time()
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            await place.ask(lambda db: None)
    assert (asked, trio.current_time() - began) == (3, 6.0)
    await trio.sleep(5.1)
    with pytest.raises(StoreUnavailable):
        await place.ask(lambda db: None)
    assert asked == 4


async def test_work_that_nobody_waits_for_any_more_is_rolled_back(store: Store) -> None:
    started, gate = trio.Event(), trio.CapacityLimiter(1)
    token = trio.lowlevel.current_trio_token()
    await gate.acquire()

    def work(db: Any) -> None:
        db.execute(
            text("INSERT INTO phone_customers (name, phone, email, remarks) VALUES ('x', 'y', '', '')")
        )
        trio.from_thread.run_sync(started.set, trio_token=token)
        trio.from_thread.run(gate.acquire, trio_token=token)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.main.ask, work)
        await started.wait()
        nursery.cancel_scope.cancel()
    gate.release()
    await until(lambda: not store.main._limiter.borrowed_tokens)
    assert await store.find_customer("y") is None


@pytest.mark.slow
async def test_what_is_told_while_the_database_is_locked_is_written_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "phone.db"
    async with opened(f"sqlite:///{path}", store={"timeout_s": 0.6}) as store:
        await store.set_hours(WEEK)
        customer = await store.add_customer("Ada", ADA)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not await store.take_message(Message(name="Ada", number=ADA, reason="bread", call_id="c1"))
        store.put_call(record(), caller=ADA)
        with pytest.raises(StoreUnavailable):
            await store.book(customer.id, next_weekday())
        assert await store.find_customer(ADA) == customer  # WAL: who reads does not wait
        other.execute("COMMIT")
        other.close()
        await written(store)
        details = await store.call("c1")
        assert details is not None
        assert len(details.messages) == 1
        assert store.writer.lost == 0


async def test_a_job_that_the_database_refuses_holds_up_no_other_and_is_told_without_words(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "llcphone")
    store.writer.put(lambda db: db.execute(text("INSERT INTO phone_schema VALUES (NULL) -- secret words")))
    await kept(store)
    assert store.writer.lost == 1
    assert [each.event for each in caplog.records] == ["not kept: the database refuses it"]
    assert "secret" not in caplog.text


@pytest.mark.slow
async def test_a_server_that_stops_in_between_is_an_answer_and_its_return_is_noticed(
    own_server: Postgres,
) -> None:
    async with opened(own_server.url, store={"timeout_s": 0.5}) as store:
        await kept(store)
        await trio.to_thread.run_sync(own_server.stop)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.find_customer(ADA)
        store.put_call(record("c2"))
        assert not await store.add_note("c2", None, "later")
        assert time.monotonic() - began < 3
        await trio.to_thread.run_sync(own_server.start)
        await written(store)
        details = await store.look_ups.ask(lambda db: calls.details(db, "c2"), patient=True)
        assert details is not None
        assert [note.text for note in details.notes] == ["later"]


async def test_leaving_writes_what_is_left_even_when_cancelled(url: str) -> None:
    with trio.CancelScope() as scope:
        async with opened(url) as store:
            store.put_call(record())
            scope.cancel()
            await trio.sleep_forever()
    async with opened(url) as store:
        assert [each.id for each in await store.calls()] == ["c1"]


def test_an_error_of_the_database_tells_no_words(tmp_path: Path) -> None:
    place = Database(f"sqlite:///{tmp_path / 'x.db'}", key="store.url", timeout_s=1)
    with pytest.raises(DBAPIError) as failed:
        place.run(lambda db: db.execute(text("INSERT INTO nowhere VALUES (:w)"), {"w": "words of a caller"}))
    assert "words of a caller" not in str(failed.value)
    place.close()
