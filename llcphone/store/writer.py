"""The one task that writes what is only told: calls, messages, notes. Nobody waits for it who need not.

Each job is a function of a connection. What waits is written some at a time, in one transaction, and
``parts`` says what happens when that fails. A job that the database refuses is given up and counted, and so
is one that takes too long again and again; whatever a job raises, the next one is written. A database that
cannot be had is logged once and tried again; jobs stay in memory meanwhile, up to a limit.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.store.batch_writes import Tries, in_parts
from llcphone.store.database import NotDone
from llcphone.store.engines import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from llcphone.store.database import Database

    Work = Callable[[Connection], object]

log = logger("llcphone.store")

_MOST = 10_000
"""Jobs in memory; one more is lost, and logged."""
_BATCH = 100
_RETRY_S = 2.0
_FLUSH_S = 5.0
PATIENCE = 5
"""No caller waits for what is written here: its statements get this many times the limit of a question."""


@attrs.define(eq=False)
class Job:
    """Something to be written."""

    work: Work
    written: bool = False
    settled: trio.Event = attrs.field(factory=trio.Event)
    """It is written or given up."""
    tries: Tries = attrs.field(factory=Tries)


class Writer:
    """Writes jobs in the order in which they came; one that fails by itself goes behind the others."""

    def __init__(self, database: Database) -> None:
        self.lost = 0
        """Jobs given up: the database does not take them, or too many waited."""
        self.on_written: list[Callable[[], None]] = []
        """Told after each write; must be quick."""
        self._database = database
        self._jobs: dict[Job, None] = {}
        self._written = 0
        self._news = trio.Event()
        self._leaving = False
        self._failing = False
        self._writing = trio.CancelScope(shield=True)  # what was told before a cancellation is still written
        self._finished = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        self._faults = Faults(log)

    @property
    def waiting(self) -> int:
        """Jobs not yet written."""
        return len(self._jobs)

    def put(self, work: Work) -> Job:
        """Have this written. Synchronous."""
        job = Job(work)
        if len(self._jobs) >= _MOST:
            self._give_up(job)
            log.error("not kept: too much waits for the database", extra={"lost": self.lost})
        else:
            self._jobs[job] = None
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
                before, batch = (self._written, self.lost), list(islice(self._jobs, _BATCH))
                await in_parts(batch, self._write, self._settle, cautious=self._failing)
                if self._written > before[0]:
                    self._faults.tell_all("a listener of the store failed", self.on_written)
                if before == (self._written, self.lost):
                    await trio.sleep(_RETRY_S)
        self._finished.set()

    async def _write(self, batch: Sequence[Job]) -> Verdict | None:
        limit_s = PATIENCE * self._database.timeout_s
        try:
            await self._database.attempt(
                lambda db: [job.work(db) for job in batch], limit_s=limit_s, limiter=self._limiter
            )
        except NotDone as exc:
            if exc.verdict is Verdict.AWAY and not self._failing:
                self._failing = True
                log.error("the store cannot be written; calls go on without it", extra={"error": exc.error})
            elif exc.verdict is Verdict.REFUSED and len(batch) == 1:
                log.error("not kept: the database refuses it", extra={"error": exc.error})
            return exc.verdict
        if self._failing:
            self._failing = False
            log.warning("the store is written again")
        return None

    def _settle(self, job: Job, found: Verdict | None) -> None:
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

    def _give_up(self, job: Job) -> None:
        self.lost += 1
        job.settled.set()

    async def finish(self) -> None:
        """Write the rest, for a few seconds at most: a dead disk must not keep a process alive."""
        self._leaving = True
        self._news.set()
        with trio.CancelScope(deadline=trio.current_time() + _FLUSH_S, shield=True):
            await self._finished.wait()
        self._writing.cancel(reason="the database is too slow")
        if self._jobs:
            log.error("not kept: the database cannot be written", extra={"lost": len(self._jobs)})
