"""One rule for both writers: what cannot be written costs itself, and nothing is repeated for ever."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from llcphone.store import Message, database
from llcphone.store.batch_writes import MOST_TRIES, Tries, in_parts
from llcphone.store.engines import Verdict
from tests.patience import HANG_S
from tests.store.store_kit import ADA, opened, record, written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trio.testing import MockClock


class Place:
    """Takes numbers but for these, and counts how often it was asked."""

    def __init__(self, **bad: Verdict) -> None:
        self.bad = {int(name[1:]): verdict for name, verdict in bad.items()}
        self.asked = 0
        self.kept: list[int] = []
        self.alone: dict[int, Verdict] = {}
        self.away = False

    async def write(self, numbers: Sequence[int]) -> Verdict | None:
        self.asked += 1
        found = Verdict.AWAY if self.away else next((v for n, v in self.bad.items() if n in numbers), None)
        if found is None:
            self.kept += numbers
        return found

    def settle(self, number: int, found: Verdict | None) -> None:
        if found is not None:
            self.alone[number] = found

    async def take(self, count: int, *, cautious: bool = False) -> list[int]:
        return await in_parts(list(range(count)), self.write, self.settle, cautious=cautious)


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_the_one_to_blame_is_found_by_halves_and_all_others_are_written(verdict: Verdict) -> None:
    place = Place(n37=verdict)
    assert await place.take(100) == []
    assert place.kept == [n for n in range(100) if n != 37]
    assert place.alone == {37: verdict}
    assert place.asked <= 15


async def test_many_to_blame_hold_up_nobody_either() -> None:
    place = Place(n0=Verdict.REFUSED, n1=Verdict.SLOW, n50=Verdict.REFUSED, n99=Verdict.AWAY)
    assert await place.take(100) == []
    assert len(place.kept) == 96
    assert set(place.alone) == {0, 1, 50, 99}


async def test_a_database_that_is_away_is_not_asked_about_everything() -> None:
    place = Place()
    place.away = True
    rest = await place.take(100)
    assert place.asked == 8
    assert len(rest) + len(place.alone) == 100
    rest = await place.take(100, cautious=True)
    assert (place.asked, len(rest)) == (9, 99)
    place.away = False
    assert await place.take(100, cautious=True) == []
    assert place.asked == 11


def test_what_takes_too_long_is_given_up_and_what_fails_while_nothing_can_be_written_is_not() -> None:
    slow, away, poison = Tries(), Tries(), Tries()
    assert [slow.over(Verdict.SLOW, 0) for _ in range(MOST_TRIES)] == [False] * 4 + [True]
    assert not any(away.over(Verdict.AWAY, 7) for _ in range(100))
    assert [poison.over(Verdict.AWAY, written) for written in range(6)] == [False] * 5 + [True]
    assert Tries().over(Verdict.REFUSED, 0)


# -- the store's writer -------------------------------------------------------------------------


def endless(db: Any) -> None:
    """Only the database's own limit stops it."""
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_sleep(600)"))
    else:
        counts = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        db.execute(text(counts))


@pytest.mark.parametrize("error", [ValueError, OverflowError, KeyError, RecursionError, ExceptionGroup])
async def test_whatever_a_job_raises_the_next_one_is_written(
    url: str, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(url) as store:

        def breaks(db: Any) -> None:
            raise error("words of a caller", [ValueError()]) if error is ExceptionGroup else error("words")

        jobs = [store.writer.put(breaks), store.writer.put(lambda db: None)]
        store.put_call(record())
        await written(store)
        assert [job.written for job in jobs] == [False, True]
        assert all(job.settled.is_set() for job in jobs)
        assert [each.id for each in await store.calls()] == ["c1"]
        assert store.writer.lost == 1
    assert [each.event for each in caplog.records] == ["not kept: the database refuses it"]
    assert "words" not in caplog.text


async def test_a_write_that_never_fits_its_time_is_given_up_and_nothing_waits_for_it(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from llcphone.store import writer

    monkeypatch.setattr(writer, "_RETRY_S", 0.01)
    monkeypatch.setattr(writer, "PATIENCE", 1)
    async with opened(url, store={"timeout_s": 0.15}) as store:
        job = store.writer.put(endless)
        for number in range(5):
            store.put_call(record(f"c{number}"))
        with trio.fail_after(HANG_S):
            await job.settled.wait()
            await written(store)
        assert not job.written
        assert store.writer.lost == 1
        assert len(await store.calls()) == 5
    assert [each.event for each in caplog.records] == ["not kept: it takes too long or fails alone"]


async def test_jobs_that_take_long_together_are_written_in_smaller_batches(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llcphone.store import writer

    monkeypatch.setattr(writer, "PATIENCE", 1)
    async with opened(url, store={"timeout_s": 0.4}) as store:
        done: list[int] = []

        def takes_long(number: int, db: Any) -> None:
            if len(batch) > 5:  # as a batch that does not fit
                endless(db)
            done.append(number)

        batch: list[Any] = []
        real = store.writer._write

        async def write(jobs: Any) -> Any:
            batch[:] = jobs
            return await real(jobs)

        monkeypatch.setattr(store.writer, "_write", write)
        jobs = [store.writer.put(partial(takes_long, number)) for number in range(20)]
        with trio.fail_after(HANG_S):
            await jobs[-1].settled.wait()
        assert all(job.written for job in jobs)
        assert done == list(range(20))
        assert store.writer.lost == 0


async def test_what_is_done_is_not_done_again_when_the_rest_of_its_batch_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is taken apart for one refused job; then the database goes away in the middle of it."""
    from llcphone.store import writer

    monkeypatch.setattr(writer, "_RETRY_S", 0.05)
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        await written(store)
        real, asked = database.Database.run, [0]

        def run(self: Any, work: Any, **options: Any) -> Any:
            asked[0] += 1
            if 4 <= asked[0] <= 6:
                raise OperationalError("INSERT words", {}, Exception("disk I/O error"))
            return real(self, work, **options)

        monkeypatch.setattr(database.Database, "run", run)
        for number in range(4):
            statement = text(f"INSERT INTO phone_schema VALUES ({number + 7})")
            store.writer.put(lambda db, statement=statement: db.execute(statement))
        refused = store.writer.put(lambda db: db.execute(text("INSERT INTO phone_schema VALUES (NULL)")))
        await refused.settled.wait()
        await written(store)
        monkeypatch.undo()
        rows = await store.main.ask(
            lambda db: db.execute(text("SELECT version FROM phone_schema WHERE version > 5")).scalars().all()
        )
        assert sorted(rows) == [7, 8, 9, 10]
        assert store.writer.lost == 1


async def test_a_message_whose_commit_nobody_heard_of_is_kept_once(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        real = store.writer.put
        store.writer.put = lambda work: (real(work), real(work))[1]  # type: ignore[method-assign]
        assert await store.take_message(Message(name="Ada", number=ADA, reason="bread", call_id="c1"))
        assert await store.add_note("c1", None, "rye")
        store.writer.put = real  # type: ignore[method-assign]
        store.put_call(record())
        await written(store)
        details = await store.call("c1")
        assert details is not None
        assert (len(details.messages), len(details.notes)) == (1, 1)


@pytest.mark.usefixtures("no_threads")
async def test_a_database_that_stays_silent_is_told_once_and_costs_no_job(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "llcphone")
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        await written(store)
        answers = database.in_thread

        async def silent(*_: object, **__: object) -> None:
            await trio.sleep_forever()

        monkeypatch.setattr(database, "in_thread", silent)
        jobs = [store.writer.put(lambda db: None) for _ in range(300)]
        await trio.sleep(3_600)
        monkeypatch.setattr(database, "in_thread", answers)
        await trio.sleep(60)
        assert all(job.written for job in jobs)
    said = [each.event for each in caplog.records if each.event.startswith("the store")]
    assert said == ["the store cannot be written; calls continue without it", "the store is written again"]
