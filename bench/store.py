"""How late a beat comes beside a database that works, is locked, slow, stopped or dead.

    .venv/bin/python -m bench.store [postgresql://user@host/empty_database]

Every 5 ms a task wants to run, as a reader of frames does; how much later it runs is what the store's
threads cost. Calls of an hour end beside it, or tools look somebody up. Compare with the first line: an
idle process on the same machine is late too.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
from sqlalchemy import text

from llcphone import CallRecord, Config, EndReason
from llcphone.errors import StoreUnavailable
from llcphone.store import Store, database, open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BEAT_S = 0.005
SECONDS = 5.0
NUMBER = "+12025550101"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def hour_long_call() -> CallRecord:
    """A record of 300 turns and 600 lines."""
    turn = {"asked": "caller", "answer_gap_ms": 3, "ear_gap_ms": 5, "usage": {"input_audio": 9}, "tools": []}
    line = {"speaker": "agent", "text": "word " * 30, "at_ms": 5, "heard_ms": 1, "generated_ms": 1}
    identity = {"call_id": "c", "call_sid": "CA", "direction": "inbound", "agent": "agent"}
    return CallRecord(
        **identity,
        reason=EndReason.CALLER_HUNG_UP,
        born_at=time.time(),
        duration_s=3600.0,
        started_after_ms=1,
        ready_after_ms=1,
        dialect="ga",
        attempts=1,
        failure="",
        frames=180_000,
        frames_held_back=0,
        turns=(turn,) * 300,
        transcript=(line,) * 600,
    )


async def beat(late_ms: list[float]) -> None:
    start = trio.current_time()
    for number in range(round(SECONDS / BEAT_S)):
        due = start + number * BEAT_S
        await trio.sleep_until(due)
        late_ms.append((trio.current_time() - due) * 1000)


async def calls_end(store: Store) -> None:
    """One a second, an hour long each."""
    record = hour_long_call()
    for number in range(10_000):
        store.put_call(attrs.evolve(record, call_id=f"{time.time_ns()}-{number}"), caller=NUMBER)
        await trio.sleep(1)


async def look_up(store: Store, answers: list[str]) -> None:
    """Ten a second."""
    while True:
        began = trio.current_time()
        try:
            await store.find_customer(NUMBER)
        except StoreUnavailable as exc:
            answers.append(f"{exc.why} after {trio.current_time() - began:.1f} s")
        await trio.sleep(0.1)


async def slow_look_up(store: Store, answers: list[str]) -> None:
    query = ENDLESS if store.look_ups.on_file else "SELECT pg_sleep(60)"
    while True:
        began = trio.current_time()
        try:
            await store.look_ups.ask(lambda db: db.execute(text(query)))
        except StoreUnavailable as exc:
            answers.append(f"{exc.why} after {trio.current_time() - began:.1f} s")
        await trio.sleep(0.1)


async def stretch(name: str, *beside: Callable[[], Awaitable[None]], answers: list[str]) -> None:
    """One stretch of beats with something beside it, and a line about it."""
    answers.clear()
    late_ms: list[float] = []
    async with trio.open_nursery() as nursery:
        for work in beside:
            nursery.start_soon(work)
        await beat(late_ms)
        nursery.cancel_scope.cancel()
    late_ms.sort()
    at = [late_ms[int(len(late_ms) * share)] for share in (0.5, 0.99, 0.999)]
    said = f"   {len(answers)} refused, first: {answers[0]}" if answers else ""
    print(f"{name:<28} p50 {at[0]:.2f}  p99 {at[1]:.2f}  p99.9 {at[2]:.2f}  max {late_ms[-1]:.2f} ms{said}")


async def never(*_: Any, **__: Any) -> Any:
    await trio.sleep_forever()


async def main(url: str) -> None:
    answers: list[str] = []
    gc.collect()
    gc.freeze()  # as the server does
    async with open_store(Config.from_dict({"store": {"url": url}})) as store:
        await store.add_customer("Ada", NUMBER)
        told, found = partial(calls_end, store), partial(look_up, store, answers)
        await stretch("idle", answers=answers)
        await stretch("well: calls and look-ups", told, found, answers=answers)
        await stretch("slow: 60 s per question", told, partial(slow_look_up, store, answers), answers=answers)
        await trio.sleep(6)  # it rests after three failures
        if store.main.path is not None:
            other = sqlite3.connect(store.main.path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            await stretch("locked for 5 s", told, found, answers=answers)
            other.execute("COMMIT")
            other.close()
        real, database.in_thread = database.in_thread, never
        await stretch("stopped", told, found, answers=answers)
        database.in_thread = real


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        trio.run(main, sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'phone.db'}")
