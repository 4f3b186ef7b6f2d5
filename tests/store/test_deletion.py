"""What is deleted: all of it, a few rows at a time, and beside whoever writes."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from sqlalchemy import func, insert, select

from llcphone.cli.purging import at_twilio
from llcphone.config import Config
from llcphone.store import Message, Store, deletion, retention
from llcphone.store.calls import KeptCall, write_call
from llcphone.store.deletion import DAY_S, PIECE, in_pieces, purging
from llcphone.store.tables import CALENDARS, HOURS, LINES, OUTBOX, SCHEMA, TABLES
from tests.patience import HANG_S
from tests.store.journal_kit import Opened, change, row
from tests.store.store_kit import ADA, BORN_AT, WEEK, next_weekday, opened, record, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BEN = "+15551230002"
OWN = "+15551230009"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as store:
        store.posts = lambda kept: {f"{kept.record.call_id}-ended": f"words of {kept.caller}"}
        yield store


async def rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""

    def count(db: Any) -> dict[str, int]:
        tables = [table for table in TABLES.sorted_tables if table not in (SCHEMA, CALENDARS, HOURS)]
        counts = {table: db.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}
        return {table.name.removeprefix("phone_"): count for table, count in counts.items()}

    return await trio.to_thread.run_sync(partial(store.main.run, count))  # whatever the limit of a question


async def fill(store: Store, number: str, call_id: str) -> None:
    """All that can be known of a number."""
    customer = await store.add_customer("Name", number)
    await store.book(customer.id, next_weekday(hour=10 if number == ADA else 12), what="haircut")
    cancelled = await store.book(customer.id, next_weekday(hour=14))
    await store.cancel(cancelled.id)
    store.put_call(record(call_id), caller=number, dialled=OWN)
    store.put_call(record(f"{call_id}-out"), caller=OWN, dialled=number)
    await store.take_message(Message(name="Name", number=number, reason="of a call", call_id=call_id))
    await store.take_message(Message(name="Name", number=number, reason="of no call"))
    await store.take_message(Message(name="Name", number=number, reason="of a lost call", call_id="x"))
    await store.add_note(call_id, customer.id, "of both")
    await store.add_note("", customer.id, "is in debt")
    await store.add_note(call_id, None, "of the call")
    await written(store)


async def test_nothing_is_left_of_a_number_that_is_forgotten_and_all_of_another(store: Store) -> None:
    await store.set_hours(WEEK)
    await fill(store, BEN, "c2")
    others = await rows(store)
    await fill(store, ADA, "c1")
    assert all(count == 2 * others[name] for name, count in (await rows(store)).items())
    gone = in_pieces(deletion.forgetting(ADA), store.main.run)
    assert set(gone.call_ids) == {"c1", "c1-out"}
    assert set(gone.call_sids) == {"CAc1", "CAc1-out"}
    assert await rows(store) == others
    posts = await store.main.ask(lambda db: db.execute(select(OUTBOX.c.body)).scalars().all())
    assert not any(ADA in post for post in posts)


async def test_the_journal_forgets_those_calls_too(url: str) -> None:
    journal = Opened(url)
    for call_id in ("c1", "c2"):
        born = row(id=call_id, call_sid=f"CA{call_id}")
        journal.write([change(born, first=True, lines=(("i", 0, "words"),))])
    journal.forget("CAc1", "CA of nobody")
    assert journal.claim("CAc1", 0, limit=3, run="r", now=300.0) is None
    kept = journal.claim("CAc2", 0, limit=3, run="r", now=300.0)
    assert kept is not None
    assert len(kept.lines) == 1
    journal.close()


@pytest.mark.parametrize("transcript_days", [0, 30])
async def test_a_call_goes_with_what_was_still_to_be_sent_of_it(store: Store, transcript_days: float) -> None:
    store.put_call(record(), caller=ADA)
    await store.take_message(Message(name="A", number=ADA, reason="r", call_id="lost", taken_at=BORN_AT))
    await written(store)
    old = purging(now=time.time() + 31 * DAY_S, keep_days=30, transcript_days=transcript_days)
    assert in_pieces(old, store.main.run).calls == 1
    assert set((await rows(store)).values()) == {0}


def many(count: int, *, age_days: float) -> list[KeptCall]:
    at = time.time() - age_days * DAY_S
    return [
        KeptCall(record=attrs.evolve(record(f"{age_days}-{number}"), born_at=at), caller=ADA)
        for number in range(count)
    ]


def write_all(calls: list[KeptCall], db: Any) -> None:
    for each in calls:
        write_call(db, each, {f"{each.record.call_id}-ended": "words"})


async def test_old_calls_go_in_pieces_and_who_writes_comes_in_between(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BREATH_S", 0.001)
    async with opened(url, store={"keep_days": 0, "transcript_days": 0}) as store:
        work = partial(write_all, many(120, age_days=400) + many(130, age_days=40) + many(3, age_days=1))
        store.main.run(work, limit_s=60)
        pieces: list[int] = []
        old = purging(now=time.time(), keep_days=365, transcript_days=30)

        def watched() -> Any:
            answer: Any = None
            while True:
                try:
                    piece = old.send(answer)
                except StopIteration as end:
                    return end.value

                def count(db: Any, *, most: int, piece: Any = piece) -> Any:
                    before = db.execute(select(func.count()).select_from(LINES)).scalar_one()
                    found = piece(db, most=most)
                    pieces.append(before - db.execute(select(func.count()).select_from(LINES)).scalar_one())
                    return found

                answer = yield count

        async with trio.open_nursery() as nursery:
            nursery.start_soon(retention.tidy, watched(), store.main)
            for number in range(10):
                assert await store.take_message(Message(name="A", number=ADA, reason=f"{number}"))
        left = await rows(store)
        assert (left["calls"], left["lines"], left["outbox"]) == (133, 3 * 2, 133)
        assert max(pieces) == PIECE * 2, "two lines a call"
        assert len(pieces) > 10


async def test_a_piece_that_takes_too_long_is_asked_for_again_with_fewer_rows(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.store.test_batch_writes import endless

    monkeypatch.setattr(retention, "_LIMIT_S", 0.2)
    asked: list[int] = []

    def piece(db: Any, *, most: int) -> int:
        asked.append(most)
        if most > 10:
            endless(db)
        return most

    def pieces() -> Any:
        first = yield piece
        second = yield piece
        assert first == second == 6

    async with opened(url) as store:
        assert await retention.tidy(pieces(), store.main)
    assert asked == [50, 25, 12, 6, 6]


async def test_a_purge_that_a_database_does_not_let_happen_is_left_for_tomorrow(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "_AGAIN_S", 0.001)

    def broken(db: Any, *, most: int) -> None:
        raise OSError("disk")

    async with opened(url) as store:
        assert not await retention.tidy((broken for _ in range(1)), store.main)
        assert await store.take_message(Message(name="A", number=ADA, reason="r"))
    assert "tried again in a day" in caplog.text


async def test_a_hundred_thousand_lines_are_forgotten_while_calls_are_kept(tmp_path: Any) -> None:
    """In one transaction this took longer than a question may, was tried again, and nothing was kept."""
    days = {"keep_days": 365, "transcript_days": 30}
    url = f"sqlite:///{tmp_path / 'phone.db'}"
    async with opened(url, store={"keep_days": 0, "transcript_days": 0}) as store:
        calls = many(500, age_days=40)

        def write(db: Any) -> None:
            write_all(calls, db)
            body = {"speaker": "agent", "text": "word " * 4, "at_ms": 1, "heard_ms": 1, "generated_ms": 1}
            lines = [{"call": c.record.call_id, "number": n + 9, **body} for c in calls for n in range(200)]
            db.execute(insert(LINES), lines)

        await trio.to_thread.run_sync(partial(store.main.run, write, limit_s=120))
    async with opened(url, store={**days, "timeout_s": 0.1}) as store:
        store.put_call(record("new"), caller=ADA)
        with trio.fail_after(HANG_S):
            await store.writer.put(lambda db: None).settled.wait()
            assert (await rows(store))["calls"] == 501
            while (await rows(store))["lines"] > 2:  # noqa: ASYNC110 (a thread sets no event)
                await trio.sleep(0.1)
        assert store.writer.lost == 0


@pytest.mark.parametrize(
    ("transfers", "named"),
    [
        ({}, []),
        ({"record_calls": True}, ["recordings of calls"]),
        ({"voicemail": True}, ["messages left on voicemail"]),
        ({"voicemail": True, "record_calls": True}, ["recordings of calls", "messages left on voicemail"]),
    ],
)
def test_what_twilio_keeps_is_named_to_who_deletes(transfers: dict[str, bool], named: list[str]) -> None:
    assert at_twilio(Config.from_dict({"transfers": transfers})) == named
