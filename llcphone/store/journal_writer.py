"""The one task that writes the journal, so that no call ever waits for a disk.

A call that has something to write calls ``news``. That is synchronous and keeps only *that* there is
something: the content is taken when the thread is free (``Source.take``). So many changes of one call
become one write, and the number of calls bounds what waits. Births and ends are written at once, the rest
in rounds, in batches. While an agent speaks, how much of it was heard is written every
``PROGRESS_S``.

A database that is away ends no call: it is logged once, counted, and tried again; what was not written still
waits. A change that the database refuses is given up and counted (``batch_writes``), and no other call waits
for it. A statement that misses its deadline is abandoned with its thread and rolled back; the limiter keeps
a later one from overtaking it.
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
from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.store.database import Database
from llcphone.store.deletion import DAY_S
from llcphone.store.journal import Claim, Journal, prepare
from llcphone.store.journal_batches import Batches, Item, Source, speaks
from llcphone.store.journal_deletion import purging
from llcphone.store.retention import keep_tidy
from llcphone.store.values import ValueRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Generator, Sequence

    from llcphone.config import JournalConfig
    from llcphone.store.deletion import Piece
    from llcphone.store.journal import CallRow

log = logger("llcphone.journal")

_ROUND_S = 1.0
"""What is not urgent waits for others: a call with much news is written once a second."""
_RETRY_S = 2.0
"""After a failure."""
_TIMEOUT_S = 2.0
"""Longest statement, and longest wait for a connection."""
_LOCK_S = 1.0
"""Longest wait for a lock. When those of a frozen process are freed, a claim must have time to try again."""
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


PROGRESS_S = 1.0
"""While the agent speaks, the heard position is written this often: the caller may hear this much twice
after a crash."""


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
        self._round_s = min(_ROUND_S, PROGRESS_S)
        self._round_at = -math.inf
        self._all = False
        """Somebody wants everything written now."""
        self._ends: dict[str, str] = {}
        self._busy = False
        self._passed = trio.lowlevel.ParkingLot()
        """Waiting tasks that want everything written."""
        self.background = BackgroundWriter(
            self._write_due, self._due, Faults(log), failed="writing the journal failed", pauses_s=(_RETRY_S,)
        )

    # -- events of calls: synchronous ---------------------------------------------------------

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
        self.background.news()

    def ends(self, source: Source) -> None:
        """The call is over; what it has to write is written once more."""
        self._live.pop(source, None)
        self.batches.ends(source)
        self.news(source, at_once=True)

    def is_over(self, call_sid: str, why: str) -> None:
        """Twilio says that this call is over, whichever process had it."""
        if call_sid and len(self._ends) < _MOST:
            self._ends[call_sid] = why
            self.background.news()

    # -- asking -------------------------------------------------------------------------------

    async def flush(self, limit_s: float = 2.0) -> None:
        """Wait until what is known now is written, up to this time limit."""
        with trio.move_on_after(limit_s):
            while self._busy or self._waiting:
                self._all = True
                self.background.news()
                await self._passed.park()

    async def claim(
        self, call_sid: str, run_number: int, run: str, *, planned: bool = False, life: str = ""
    ) -> Claim | None:
        """``Journal.claim``.

        Raises:
            StoreUnavailable: the database cannot say.
        """
        limit = self._config.max_resumes
        claim = partial(self.journal.claim, limit=limit, now=time.time(), planned=planned, life=life)
        error = "timeout"
        with trio.move_on_after(_ASK_S):
            for pause_s in _ASK_AGAIN_S:
                try:
                    return await self.place.ask(
                        lambda db: claim(db, call_sid, run_number, run=run), patient=True
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
        """Telephone calls among these that another call has, in any process; none if that is unknown."""
        try:
            work = partial(self.journal.of_others, call_sids=call_sids, id_=id_)
            return await self.place.ask(work, patient=True)
        except (StoreUnavailable, SQLAlchemyError):
            return []

    async def lives(self) -> set[str]:
        """``Journal.lives``.

        Raises:
            StoreUnavailable: the database cannot say.
        """
        return await self.place.ask(self.journal.lives)

    async def take_over(self, dead: Collection[str], life: str) -> CallRow | None:
        """``Journal.take_over``.

        Raises:
            StoreUnavailable: the database cannot say.
        """
        return await self.place.ask(partial(self.journal.take_over, dead=dead, life=life))

    # -- writing ------------------------------------------------------------------------------

    @property
    def _waiting(self) -> bool:
        return bool(self._dirty or self._urgent or self._ends)

    def _due(self) -> float:
        if self._urgent or (self._all and self._waiting):
            return NOW
        if self._waiting:
            return self._round_at
        if not self.background.leaving and any(speaks(source) for source in self._live):
            return self._round_at - self._round_s + PROGRESS_S
        return NEVER

    async def _write_due(self) -> bool:
        self._busy = True
        try:
            waiting = self._take_waiting()
            ends, self._ends = self._ends, {}
            items = [Item(call_sid=call_sid, why=why) for call_sid, why in ends.items()]
            return await self._write_all(waiting, items)
        finally:
            self._busy = False
            self._passed.unpark_all()

    def _take_waiting(self) -> list[Source]:
        """What is written now: all that waits when a round is due, else what is urgent."""
        now = trio.current_time()
        waiting, self._urgent = self._urgent, {}
        if now >= self._round_at or self._all or self.background.leaving:
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
            if at + _BATCH < len(sources) and not self._urgent:
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
    place = Database(
        config.url,
        key="journal.url",
        timeout_s=_TIMEOUT_S,
        threads=_THREADS,
        idle_s=_IDLE_S,
        lock_s=_LOCK_S,
    )
    try:
        await place.open(prepare, make_file=True)
        writer = JournalWriter(Journal(secret), place, config)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_tidy, writer.too_old, place, name="journal tidier")
            try:
                async with writer.background.opened("journal writer"):
                    yield writer
            finally:
                nursery.cancel_scope.cancel(reason="the journal is closed")
    finally:
        await place.aclose()
