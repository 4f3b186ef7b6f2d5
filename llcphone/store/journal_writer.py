"""The one task that writes the journal, so that no call ever waits for a disk.

Who has something to write says so with ``news``, which is synchronous and keeps nothing but *that*
there is something: what it is, is asked for when the thread is free (``Source.take``). So much news of
one call becomes one write, and what waits is bounded by the number of calls. Births and ends are
written at once, the rest in rounds, some at a time, and while an agent speaks how much of it was
heard every ``journal.progress_s``.

A database that cannot be had ends no call: it is logged once, counted, and tried again; what was not
written is still to be written. What it refuses of one call is given up and counted (``parts``), and no other
call waits for it. Threads are abandoned at their deadline: what nobody waits for is rolled back, and the
limiter keeps a later one from overtaking it.
"""

from __future__ import annotations

import math
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from sqlalchemy.exc import SQLAlchemyError

from llcphone.errors import StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.store.database import Database
from llcphone.store.deletion import DAY_S
from llcphone.store.journal import Claim, Journal, prepare, purging
from llcphone.store.journal_batches import Batches, Item, Source, speaks
from llcphone.store.retention import keep_tidy
from llcphone.store.values import ValueRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Sequence

    from llcphone.config import JournalConfig
    from llcphone.store.deletion import Piece

log = logger("llcphone.journal")

_ROUND_S = 1.0
"""What is not urgent waits for others: a call with much news is written once a second."""
_RETRY_S = 2.0
"""After a failure."""
_FLUSH_S = 5.0
_TIMEOUT_S = 2.0
"""Longest statement, and longest wait for a connection or a lock."""
_IDLE_S = 2.0
"""Twilio waits for the answer of a claim: a process that died inside a transaction must not keep its calls
locked for longer."""
_THREADS = 4
"""Claims at once; the writer has a thread of its own."""
_ASK_S = 5.0
"""Longest wait for an answer of the database while Twilio waits for ours (15 s)."""
_ASK_AGAIN_S = (0.2, 0.5, 0.0)
"""Pauses after an answer that failed."""
_MOST = 10_000
"""Calls with something to write; beyond, the journal of one more is lost."""
_BATCH = 32
"""Calls in one transaction. The thread's Python takes turns with ours, and a busy thread does not
give its turn back before it must: 120 calls were 5 ms, in which no frame of any call went on."""
_BREATH_S = 0.01
"""Between two transactions, for audio."""


class JournalWriter:
    """The way to the journal from Trio."""

    def __init__(self, journal: Journal, place: Database, config: JournalConfig) -> None:
        self.journal = journal
        self.place = place
        self.batches = Batches(journal, place, self._again)
        self._config = config
        self._live: dict[Source, None] = {}
        self._dirty: dict[Source, None] = {}
        self._urgent: dict[Source, None] = {}
        self._round_s = min(_ROUND_S, config.progress_s)
        self._round_at = -math.inf
        self._all = False
        """Somebody wants everything written now."""
        self._ends: dict[str, str] = {}
        self._news = trio.Event()
        self._hurry = trio.Event()
        self._busy = False
        self._passed = trio.lowlevel.ParkingLot()
        """Where those wait who want everything written."""
        self._leaving = False
        self._writing = trio.CancelScope(shield=True)
        self._finished = trio.Event()

    # -- what calls tell: synchronous ---------------------------------------------------------

    def begins(self, source: Source) -> None:
        """A call that is to be journalled."""
        self._live[source] = None
        self.news(source, at_once=True)

    def news(self, source: Source, *, at_once: bool = False) -> None:
        """This call has something to write."""
        if source not in self._dirty and len(self._dirty) >= _MOST:
            self.batches.lost += 1
            return
        (self._urgent if at_once else self._dirty)[source] = None
        self._news.set()
        if at_once:
            self._hurry.set()

    def ends(self, source: Source) -> None:
        """The call is over; what it has to write is written once more."""
        self._live.pop(source, None)
        self.batches.ends(source)
        self.news(source, at_once=True)

    def is_over(self, call_sid: str, why: str) -> None:
        """Twilio says that this call is over, whoever had it."""
        if call_sid and len(self._ends) < _MOST:
            self._ends[call_sid] = why
            self._news.set()

    # -- asking -------------------------------------------------------------------------------

    async def flush(self, limit_s: float = 2.0) -> None:
        """Wait until what is known now is written, for so long at most."""
        with trio.move_on_after(limit_s):
            while self._busy or self._waiting:
                self._all = True
                self._news.set()
                self._hurry.set()
                await self._passed.park()

    async def claim(self, call_sid: str, generation: int, run: str, *, planned: bool = False) -> Claim | None:
        """``Journal.claim``.

        Raises:
            StoreUnavailable: the database cannot say.
        """
        claim = partial(self.journal.claim, limit=self._config.max_resumes, now=time.time(), planned=planned)
        error = "timeout"
        with trio.move_on_after(_ASK_S):
            for pause_s in _ASK_AGAIN_S:
                try:
                    return await self.place.ask(
                        lambda db: claim(db, call_sid, generation, run=run), patient=True
                    )
                except StoreUnavailable as exc:
                    error = exc.why
                except (ValueRefused, SQLAlchemyError) as exc:  # no row can have such a name
                    log.error("the journal refuses a question", extra={"error": type(exc).__name__})
                    return None
                await trio.sleep(pause_s)
        log.error("the journal cannot be asked", extra={"error": error})
        raise StoreUnavailable(error)

    async def of_others(self, call_sids: Sequence[str], id_: str) -> list[str]:
        """Telephone calls among these that another call has, in whatever process; none if nobody can say."""
        try:
            work = partial(self.journal.of_others, call_sids=call_sids, id_=id_)
            return await self.place.ask(work, patient=True)
        except (StoreUnavailable, SQLAlchemyError):
            return []

    # -- writing ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what there is until ``finish``, then what is left."""
        with self._writing:
            while self._waiting or not self._leaving:
                await self._wait()
                self._news, self._hurry = trio.Event(), trio.Event()
                self._busy = True
                waiting = self._take_waiting()
                ends, self._ends = self._ends, {}
                items = [Item(call_sid=call_sid, why=why) for call_sid, why in ends.items()]
                sound = await self._write_all(waiting, items)
                self._busy = False
                self._passed.unpark_all()
                if not sound:
                    await trio.sleep(_RETRY_S)
                if self._waiting:
                    self._news.set()
        self._finished.set()

    @property
    def _waiting(self) -> bool:
        return bool(self._dirty or self._urgent or self._ends)

    async def _wait(self) -> None:
        """Until something is urgent, or the next round has something to write."""
        speaking = any(speaks(source) for source in self._live)
        with trio.move_on_after(self._config.progress_s if speaking else math.inf):
            await self._news.wait()
            with trio.move_on_at(-math.inf if self._leaving else self._round_at):
                await self._hurry.wait()

    def _take_waiting(self) -> list[Source]:
        """What is written now: all that waits when a round is due, else what is urgent."""
        now = trio.current_time()
        waiting, self._urgent = self._urgent, {}
        if now >= self._round_at or self._all or self._leaving:
            waiting |= self._dirty
            waiting |= {source: None for source in self._live if speaks(source)}
            self._dirty, self._all, self._round_at = {}, False, now + self._round_s
        return list(waiting)

    async def _write_all(self, sources: Sequence[Source], items: list[Item]) -> bool:
        """Write what these calls have to say, and these items; False: the database is away."""
        for at in range(0, max(1, len(sources)), _BATCH):
            for source in sources[at : at + _BATCH]:
                if (item := self.batches.take(source)) is not None:
                    items.append(item)
                await trio.lowlevel.checkpoint()  # 0.1 ms each: audio goes in between
            if not await self.batches.write(items, _TIMEOUT_S):
                for source in sources[at + _BATCH :]:
                    self.news(source)
                return False
            items = []
            if at + _BATCH < len(sources) and not self._hurry.is_set():
                await trio.sleep(_BREATH_S)
        return True

    def _again(self, item: Item) -> None:
        if item.source is not None:
            self.news(item.source)
        else:
            self._ends.setdefault(item.call_sid, item.why)

    def too_old(self) -> Generator[Piece, Any, None]:
        """What is to be deleted by now, piece by piece."""
        return purging(time.time() - self._config.keep_days * DAY_S)

    async def finish(self) -> None:
        """Write the rest, for a few seconds at most: a dead disk must not keep a process alive."""
        self._leaving = True
        self._news.set()
        self._hurry.set()
        with trio.CancelScope(deadline=trio.current_time() + _FLUSH_S, shield=True):
            await self._finished.wait()
        self._writing.cancel(reason="the disk is too slow")


@asynccontextmanager
async def open_journal(config: JournalConfig, *, secret: str) -> AsyncIterator[JournalWriter | None]:
    """The journal of a phone; None when it has none.

    Args:
        config: its settings.
        secret: what tokens of resumed streams are made with; the same for processes that share calls.

    Raises:
        ConfigError: the journal cannot be opened.
    """
    if not (config.enabled and config.url):
        yield None
        return
    place = Database(config.url, key="journal.url", timeout_s=_TIMEOUT_S, threads=_THREADS, idle_s=_IDLE_S)
    try:
        await place.open(prepare, make_file=True)
        writer = JournalWriter(Journal(secret), place, config)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run, name="journal writer")
            nursery.start_soon(keep_tidy, writer.too_old, place, name="journal tidier")
            try:
                yield writer
            finally:
                await writer.finish()
                nursery.cancel_scope.cancel(reason="the journal is closed")
    finally:
        await place.aclose()
