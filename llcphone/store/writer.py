"""The one task that writes what is only told: calls, messages, notes. Nobody waits for it who need not.

Each job is a function of a connection. What waits is written some at a time, in one transaction; when
that fails, one by one, so that a job which the database refuses holds up no other. A database that cannot
be had is logged once and tried again; jobs stay in memory meanwhile, so many and no more.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import attrs
import trio
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from llcphone.store import database

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from llcphone.store.database import Database

    Work = Callable[[Connection], object]

log = logging.getLogger("llcphone.store")

_MOST = 10_000
"""Jobs in memory; one more is lost, and logged."""
_BATCH = 100
_RETRY_S = 2.0
_FLUSH_S = 5.0


@attrs.define(eq=False)
class Job:
    """Something to be written."""

    work: Work
    written: trio.Event = attrs.field(factory=trio.Event)


class Writer:
    """Writes jobs in the order in which they came."""

    def __init__(self, database: Database) -> None:
        self.lost = 0
        """Jobs given up: the database refuses them, or too many waited."""
        self.on_written: list[Callable[[], None]] = []
        """Told after each write; must be quick."""
        self._database = database
        self._jobs: deque[Job] = deque()
        self._news = trio.Event()
        self._leaving = False
        self._failing = False
        self._writing = trio.CancelScope(shield=True)  # what was told before a cancellation is still written
        self._finished = trio.Event()
        self._limiter = trio.CapacityLimiter(1)

    @property
    def waiting(self) -> int:
        """Jobs not yet written."""
        return len(self._jobs)

    def put(self, work: Work) -> Job:
        """Have this written. Synchronous."""
        job = Job(work)
        if len(self._jobs) >= _MOST:
            self.lost += 1
            log.error("not kept: too much waits for the database", extra={"lost": self.lost})
        else:
            self._jobs.append(job)
            self._news.set()
        return job

    async def run(self) -> None:
        """Write until ``finish``, then what is left."""
        with self._writing:
            while self._jobs or not self._leaving:
                if not self._jobs:
                    self._news = trio.Event()
                    await self._news.wait()
                    continue
                batch = [self._jobs[at] for at in range(min(_BATCH, len(self._jobs)))]
                if await self._write(batch):
                    for job in batch:
                        self._jobs.popleft()
                        job.written.set()
                    for tell in self.on_written:
                        tell()
                else:
                    await trio.sleep(_RETRY_S)
        self._finished.set()

    async def _write(self, batch: list[Job]) -> bool:
        """Whether the batch is done with."""
        try:
            await self._in_thread(lambda db: [job.work(db) for job in batch])
        except (IntegrityError, DataError):  # one of them is to blame
            for job in batch:
                if not await self._write_one(job):
                    return False
        except (SQLAlchemyError, OSError) as exc:
            self._fails(exc)
            return False
        if self._failing:
            self._failing = False
            log.warning("the store is written again")
        return True

    async def _write_one(self, job: Job) -> bool:
        try:
            await self._in_thread(job.work)
        except (IntegrityError, DataError) as exc:
            self.lost += 1
            log.error("not kept: the database refuses it", extra={"error": type(exc).__name__})
        except (SQLAlchemyError, OSError) as exc:
            self._fails(exc)
            return False
        return True

    async def _in_thread(self, work: Work) -> None:
        """Abandoned only at the end of all: a job is one transaction, and writing it twice is once."""
        await database.in_thread(self._database.run, work, abandon_on_cancel=True, limiter=self._limiter)

    def _fails(self, exc: Exception) -> None:
        if not self._failing:
            self._failing = True
            kind = type(exc).__name__  # its text holds what was to be written
            log.error("the store cannot be written; calls go on without it", extra={"error": kind})

    async def finish(self) -> None:
        """Write the rest, for a few seconds at most: a dead disk must not keep a process alive."""
        self._leaving = True
        self._news.set()
        with trio.CancelScope(deadline=trio.current_time() + _FLUSH_S, shield=True):
            await self._finished.wait()
        self._writing.cancel(reason="the database is too slow")
        if self._jobs:
            log.error("not kept: the database cannot be written", extra={"lost": len(self._jobs)})
