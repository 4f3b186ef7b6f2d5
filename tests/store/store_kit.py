"""A store for tests, a call that has ended, and a customer."""

from __future__ import annotations

import datetime
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from llcphone import CallRecord, Config, EndReason
from llcphone.store import Store, open_store
from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

WEEK = {day: [("09:00", "17:00")] for day in range(5)}
ADA = "+15551230001"
BORN_AT = float(int(time.time()) - 3_600)


@asynccontextmanager
async def opened(url: str, **sections: dict[str, Any]) -> AsyncIterator[Store]:
    """A store at this address."""
    given = {"url": url, **sections.pop("store", {})}
    async with open_store(Config.from_dict({"store": given, **sections})) as store:
        yield store


async def until(holds: Callable[[], bool], limit_s: float = HANG_S) -> None:
    """Wait for what a thread does."""
    with trio.fail_after(limit_s):
        while not holds():  # noqa: ASYNC110 (a thread sets no event)
            await trio.sleep(0.02)


async def written(store: Store) -> None:
    """Wait until what was told before is written."""
    with trio.fail_after(HANG_S):
        await store.writer.put(lambda db: None).settled.wait()


def record(call_id: str = "c1", **fields: Any) -> CallRecord:
    """A call that went well."""
    given: dict[str, Any] = {
        "call_id": call_id,
        "call_sid": "CA" + call_id,
        "direction": "inbound",
        "agent": "agent",
        "reason": EndReason.CALLER_HUNG_UP,
        "born_at": BORN_AT,
        "duration_s": 12.5,
        "started_after_ms": 900,
        "ready_after_ms": 400,
        "dialect": "ga",
        "attempts": 1,
        "failure": "",
        "frames": 500,
        "frames_held_back": 0,
        "turns": ({"index": 1, "asked": "greeting", "answer_gap_ms": None, "ear_gap_ms": None, "tools": []},),
        "transcript": (
            {"speaker": "agent", "text": "Hello!", "at_ms": 900, "heard_ms": 800, "generated_ms": 800},
            {"speaker": "caller", "text": "Bread, please.", "at_ms": 2000, "heard_ms": 0, "generated_ms": 0},
        ),
    }
    return CallRecord(**{**given, **fields})


def next_weekday(weekday: int = 0, hour: int = 10, minute: int = 0) -> datetime.datetime:
    """A naive time on a weekday at least a week away."""
    day = datetime.date.today() + datetime.timedelta(days=7)
    while day.weekday() != weekday:
        day += datetime.timedelta(days=1)
    return datetime.datetime.combine(day, datetime.time(hour, minute))


def to_version_3(db: Any) -> None:
    """Make the tables what they were before calls could be searched."""
    columns = ("ended_at", "caller", "dialled")
    statements = [
        *(f"DROP INDEX phone_calls_by_{name}" for name in ("end", "caller", "dialled")),
        "DROP INDEX phone_turns_by_wait",
        *(f"ALTER TABLE phone_calls DROP COLUMN {name}" for name in ("slowest_ms", "attention")),
        *(f"CREATE INDEX ix_phone_calls_{name} ON phone_calls ({name})" for name in columns),
        "UPDATE phone_schema SET version = 3",
    ]
    if db.dialect.name == "postgresql":
        statements.append("ALTER TABLE phone_calls ALTER COLUMN agent TYPE TEXT")
    for statement in statements:
        db.exec_driver_sql(statement)
