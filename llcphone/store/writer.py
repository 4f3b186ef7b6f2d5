"""The one task that writes calls, messages and notes to the database; a call never waits for it.

Each job is a function of a connection. Waiting jobs are written in batches, one transaction each, and
``batch_writes`` says what happens when that fails. A job that the database refuses is given up and counted,
and so is one that takes too long repeatedly; the next job is written whatever this one raises. A database
that is away is logged once and tried again. Jobs stay in memory meanwhile, up to a limit.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.store.batch_writes import Tries, in_parts
from llcphone.store.database import NotDone
from llcphone.store.engines import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import Connection

    from llcphone.store.database import Database

    Work = Callable[[Connection], object]

log = logger("llcphone.store")

_MOST = 10_000
"""Jobs in memory; one more is lost, and logged."""
_BATCH = 100
_RETRY_S = 2.0
PATIENCE = 5
"""No caller waits for what is written here: its statements get this many times the limit of a question."""


@attrs.define(eq=False)
class WriteJob:
    """Something to be written."""

    work: Work
    written: bool = False
    settled: trio.Event = attrs.field(factory=trio.Event)
    """It is written or given up."""
    tries: Tries = attrs.field(factory=Tries)


class Writer:
    """Writes jobs in the order in which they came; one that fails alone goes behind the others."""

    def __init__(self, database: Database) -> None:
        self.lost = 0
        """Jobs given up: the database does not take them, or too many waited."""
        self.on_written: list[Callable[[], None]] = []
        """Called after each write; must be quick."""
        self._database = database
        self._jobs: dict[WriteJob, None] = {}
        self._written = 0
        self._failing = False
        self._limiter = trio.CapacityLimiter(1)
        self._faults = Faults(log)
        self._background = BackgroundWriter(
            self._write_batch,
            lambda: NOW if self._jobs else NEVER,
            self._faults,
            failed="writing to the store failed",
            pauses_s=(_RETRY_S,),
        )

    @property
    def waiting(self) -> int:
        """Jobs not yet written."""
        return len(self._jobs)

    def put(self, work: Work) -> WriteJob:
        """Have this written. Synchronous."""
        job = WriteJob(work)
        if len(self._jobs) >= _MOST:
            self._give_up(job)
            log.error("not kept: too much waits for the database", extra={"lost": self.lost})
        else:
            self._jobs[job] = None
            self._background.news()
        return job

    async def catch_up(self, limit_s: float) -> None:
        """Wait until what was put before is written, or given up; not while the database is away."""
        if self._jobs and not self._failing:
            with trio.move_on_after(limit_s):
                await next(reversed(self._jobs)).settled.wait()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Write until the block is left, then the rest."""
        async with self._background.opened("store writer"):
            yield
        if self._jobs:
            log.error("not kept: the database cannot be written", extra={"lost": len(self._jobs)})

    async def _write_batch(self) -> bool:
        before, batch = (self._written, self.lost), list(islice(self._jobs, _BATCH))
        await in_parts(batch, self._write, self._settle, cautious=self._failing)
        if self._written > before[0]:
            self._faults.tell_all("a listener of the store failed", self.on_written)
        return before != (self._written, self.lost)

    async def _write(self, batch: Sequence[WriteJob]) -> Verdict | None:
        limit_s = PATIENCE * self._database.timeout_s
        try:
            await self._database.attempt(
                lambda db: [job.work(db) for job in batch], limit_s=limit_s, limiter=self._limiter
            )
        except NotDone as exc:
            if exc.verdict is Verdict.AWAY and not self._failing:
                self._failing = True
                log.error(
                    "the store cannot be written; calls continue without it", extra={"error": exc.error}
                )
            elif exc.verdict is Verdict.REFUSED and len(batch) == 1:
                log.error("not kept: the database refuses it", extra={"error": exc.error})
            return exc.verdict
        if self._failing:
            self._failing = False
            log.warning("the store is written again")
        return None

    def _settle(self, job: WriteJob, found: Verdict | None) -> None:
        """A job is written, or has failed alone."""
        del self._jobs[job]
        if found is None:
            self._written += 1
            job.written = True
            job.settled.set()
        elif not job.tries.over(found, self._written):
            self._jobs[job] = None
        else:
            self._give_up(job)
            if found is not Verdict.REFUSED:
                log.error("not kept: it takes too long or fails alone", extra={"lost": self.lost})

    def _give_up(self, job: WriteJob) -> None:
        self.lost += 1
        job.settled.set()
