"""The one task that writes the journal, so that no call ever waits for a disk.

Who has something to write says so with ``news``, which is synchronous and keeps nothing but *that*
there is something: what it is, is asked for when the thread is free (``Source.take``). So much news of
one call becomes one write, and what waits is bounded by the number of calls. Births and ends are
written at once, the rest in rounds, some at a time, and while an agent speaks how much of it was
heard every ``journal.progress_s``.

A disk that fails or is full ends no call: it is logged once, counted, and tried again; what was not
written is still to be written. Threads are abandoned when cancelled: a statement is one transaction, so
it happens or it does not, and the limiter keeps a later one from overtaking it.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from llcphone.errors import ConfigError
from llcphone.store.journal import Change, Claim, Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llcphone.config import JournalConfig

log = logging.getLogger("llcphone.journal")

T = TypeVar("T")

in_thread = trio.to_thread.run_sync

_ROUND_S = 1.0
"""What is not urgent waits for others: a call with much news is written once a second."""
_RETRY_S = 2.0
"""After a failure."""
_FLUSH_S = 5.0
_CLOSE_S = 1.0
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
_DAY_S = 86_400.0


class Source(Protocol):
    """A call, as the writer sees it."""

    @property
    def speaking(self) -> bool:
        """What was heard grows although nothing happens."""

    def take(self) -> Change | None:
        """What is to be written now; None: nothing."""

    def written(self) -> None:
        """What was last taken is in the journal."""


class JournalWriter:
    """The way to the journal from Trio."""

    def __init__(self, journal: Journal, config: JournalConfig) -> None:
        self.journal = journal
        self.failures = 0
        """Writes that failed; each was tried again."""
        self.lost = 0
        """Changes given up: the database refused them by themselves, or too many waited."""
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
        self._failing = False
        self._limiter = trio.CapacityLimiter(1)
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
            self.lost += 1
            return
        (self._urgent if at_once else self._dirty)[source] = None
        self._news.set()
        if at_once:
            self._hurry.set()

    def ends(self, source: Source) -> None:
        """The call is over; what it has to write is written once more."""
        self._live.pop(source, None)
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

    async def claim(
        self, call_sid: str, generation: int, run: str, *, limit: int | None = None
    ) -> Claim | None:
        """``Journal.claim``; None too when the database cannot say. ``limit``: not ``journal.limit``."""
        most = self._config.limit if limit is None else limit
        ask = partial(self.journal.claim, limit=most, run=run, now=time.time())
        error = "timeout"
        with trio.move_on_after(_ASK_S):
            for pause_s in _ASK_AGAIN_S:
                try:
                    return await in_thread(ask, call_sid, generation, abandon_on_cancel=True)
                except SQLAlchemyError as exc:
                    error = type(exc).__name__
                await trio.sleep(pause_s)
        log.error("the journal cannot be asked: a call is not resumed", extra={"error": error})
        return None

    # -- writing ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what there is until ``finish``, then what is left."""
        with self._writing:
            while self._waiting or not self._leaving:
                await self._wait()
                self._news, self._hurry = trio.Event(), trio.Event()
                self._busy = True
                waiting = self._take_waiting()
                sound = True
                for at in range(0, max(1, len(waiting)), _BATCH):
                    sound = await self._write(waiting[at : at + _BATCH]) and sound
                    if at + _BATCH < len(waiting) and not self._hurry.is_set():
                        await trio.sleep(_BREATH_S)
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
        speaking = any(source.speaking for source in self._live)
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
            waiting |= {source: None for source in self._live if source.speaking}
            self._dirty, self._all, self._round_at = {}, False, now + self._round_s
        return list(waiting)

    async def _write(self, sources: Sequence[Source]) -> bool:
        taken: list[tuple[Source, Change]] = []
        for source in sources:
            if (change := source.take()) is not None:
                taken.append((source, change))
            await trio.lowlevel.checkpoint()  # 0.1 ms each: audio goes in between
        ends, self._ends = self._ends, {}
        if not taken and not ends:
            return True
        error = await self._try(self._write_all, [change for _, change in taken], ends)
        if error is None:
            for source, _ in taken:
                source.written()
            return True
        if len(taken) > 1:  # one of them may be to blame
            for source, change in taken:
                if await self._try(self._write_all, [change], {}) is None:
                    source.written()
                else:
                    self.news(source)
        else:
            for source, _ in taken:
                self.news(source)
        self._ends = ends | self._ends
        return False

    def _write_all(self, changes: list[Change], ends: dict[str, str]) -> None:
        if changes:
            self.journal.write(changes)
        for call_sid, why in ends.items():
            self.journal.end(call_sid, why, time.time())

    async def _try(self, work: Callable[..., T], *args: object) -> str | None:
        """Do it in a thread; the kind of error, None when there was none."""
        try:
            await in_thread(work, *args, abandon_on_cancel=True, limiter=self._limiter)
        except (SQLAlchemyError, OSError, ValueError) as exc:
            self.failures += 1
            kind = type(exc).__name__  # its text holds what was to be written
            if not self._failing:
                log.error("the journal cannot be written; calls go on without it", extra={"error": kind})
            self._failing = True
            return kind
        if self._failing:
            log.warning("the journal is written again", extra={"failures": self.failures})
        self._failing = False
        return None

    async def keep_tidy(self) -> None:
        """Forget what is too old, now and once a day."""
        while True:
            before = time.time() - self._config.keep_days * _DAY_S
            await self._try(self.journal.purge, before)
            await trio.sleep(_DAY_S)

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
    try:
        journal = Journal(config.url, secret=secret)
        await in_thread(journal.open, abandon_on_cancel=True)
    except (ArgumentError, ImportError, SQLAlchemyError, OSError) as exc:
        why = f"the journal cannot be opened there ({type(exc).__name__})"
        raise ConfigError("journal.url", why) from None
    writer = JournalWriter(journal, config)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run, name="journal writer")
            nursery.start_soon(writer.keep_tidy, name="journal tidier")
            try:
                yield writer
            finally:
                await writer.finish()
                nursery.cancel_scope.cancel(reason="the journal is closed")
    finally:
        with trio.move_on_after(_CLOSE_S, shield=True):
            await in_thread(journal.close, abandon_on_cancel=True)
