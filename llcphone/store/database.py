"""One SQL database, reached from Trio through threads, with a deadline for every question.

A thread cannot be cancelled, so it is abandoned: the asker has its answer (``StoreUnavailable``) at the
deadline, whatever the thread still waits for. Three things keep abandoned threads from piling up and from
doing harm. The limiter bounds their number: if all of them are stuck, a new request is answered at the
deadline too. The database gets the same limit (statement timeout, lock timeout), so most come back.
And before its commit each checks whether its asker still waits; if not, it rolls back.

After three failures in a row no request is made for five seconds: a caller hears at once what two seconds of
waiting would not change. A value that the database refuses is no failure of the database.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import trio
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from llcphone.errors import ConfigError, StoreUnavailable
from llcphone.store.engines import (
    Limits,
    Verdict,
    allow,
    cause,
    end_silent,
    engine_of,
    known,
    make_file,
    verdict,
)
from llcphone.store.versions import WrongSchema

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")

in_thread = trio.to_thread.run_sync

_FAILURES = 3
"""In a row; then no request is made for a while."""
_PAUSE_S = 5.0
_CLOSE_S = 1.0
_OPEN_S = 60.0
"""To make the tables, to bring older ones forward, or to learn that they are there."""
_SPARE = 2
"""Connections beyond those of the threads: for a writer and for what deletes old rows."""
_GRACE_S = 1.0
"""After its limit the database itself should have answered."""


class Abandoned(Exception):
    """No task waits for this work any more."""


class NotDone(Exception):
    """Why something was not done: whose fault it is, and the kind of error."""

    def __init__(self, verdict: Verdict, error: str) -> None:
        super().__init__(error)
        self.verdict = verdict
        self.error = error


class Database:
    """The way to one database.

    Args:
        url: SQLAlchemy address; SQLite on a file or PostgreSQL.
        key: the setting it is from, for complaints.
        timeout_s: longest question.
        threads: questions at once.
        read_only: the database itself refuses every change.
        idle_s: when a transaction in which nothing happens is ended, in seconds; default ten questions.
        lock_s: longest wait for a lock, in seconds; default ``timeout_s``. After it, transactions of
            processes that froze are ended.

    Raises:
        ConfigError: no database of ours can be there.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        timeout_s: float,
        threads: int = 4,
        read_only: bool = False,
        idle_s: float | None = None,
        lock_s: float | None = None,
    ) -> None:
        self.key = key
        self.timeout_s = timeout_s
        self.failures = 0
        """Questions without an answer, so far."""
        self._url = known(url, key)
        self._limiter = trio.CapacityLimiter(threads)
        self._closed = False
        self._in_a_row = 0
        self._rest_until = -math.inf
        self.on_file = self._url.get_backend_name() == "sqlite"
        self._idle_s = 10 * timeout_s if idle_s is None else idle_s
        limits = Limits(
            timeout_s=timeout_s,
            lock_s=timeout_s if lock_s is None else lock_s,
            idle_s=self._idle_s,
            connections=threads + _SPARE,
            read_only=read_only,
        )
        self._engine = engine_of(self._url, key=key, limits=limits)

    @property
    def path(self) -> Path | None:
        """Where SQLite has its file."""
        return Path(self._url.database) if self.on_file and self._url.database else None

    def make_file(self) -> None:
        """Make the file of SQLite, for its owner only."""
        if self.path is not None:
            make_file(self.path, self.key, self.timeout_s)

    async def open(self, work: Callable[[Connection], None], *, make_file: bool = False) -> None:
        """Ask the first question: whether this database is one of ours.

        Raises:
            ConfigError: it cannot be opened, or has tables that are not ours.
        """

        def ask() -> None:
            if make_file:
                self.make_file()
            self.run(work, limit_s=_OPEN_S)

        try:
            with trio.fail_after(_OPEN_S):
                await in_thread(ask, abandon_on_cancel=True)
        except WrongSchema as exc:
            raise ConfigError(self.key, exc.why, exc.fix) from None
        except (SQLAlchemyError, OSError, trio.TooSlowError) as exc:
            what = f"{self.path.absolute()} " if self.path is not None else ""
            raise ConfigError(
                self.key,
                f"{what}cannot be opened ({cause(exc)})",
                f"set {self.key} to a database that answers with this user, and start it",
            ) from None

    # -- asking -------------------------------------------------------------------------------

    async def ask(self, work: Callable[[Connection], T], *, patient: bool = False) -> T:
        """Do this work in one transaction in a thread.

        Args:
            work: takes the connection.
            patient: ask even during that pause; for work that no caller waits for.

        Raises:
            StoreUnavailable: no answer within the limit, or none but an error.
            Exception: what the work itself raised, or the database's refusal of a value or a change.
        """
        if trio.current_time() < self._rest_until and not patient:
            raise StoreUnavailable("resting")
        try:
            answer = await self._in_thread(partial(self.run, work), self._limiter, self.timeout_s)
        except trio.TooSlowError:
            why = "timeout"
        except Exception as exc:
            if verdict(exc) is Verdict.REFUSED:
                self._in_a_row = 0
                raise
            why = type(exc).__name__  # its text may hold what was asked
        else:
            self._in_a_row = 0
            return answer
        self._failed()
        raise StoreUnavailable(why)

    async def attempt(
        self, work: Callable[[Connection], T], *, limit_s: float, limiter: trio.CapacityLimiter
    ) -> T:
        """Do this work, for a task that retries if it is not done.

        The limiter is the asking task's own, so that its work is done one at a time.

        Raises:
            NotDone: whatever the work or the database raised. A task that writes for all calls outlives it.
        """
        try:
            return await self._in_thread(
                partial(self.run, work, limit_s=limit_s), limiter, limit_s + _GRACE_S
            )
        except trio.TooSlowError:
            raise NotDone(Verdict.AWAY, "timeout") from None
        except Exception as exc:
            raise NotDone(verdict(exc), type(exc).__name__) from None  # its text holds what was to be written

    async def _in_thread(self, run: Callable[..., T], limiter: trio.CapacityLimiter, deadline_s: float) -> T:
        asked = _Asked()
        try:
            with trio.fail_after(deadline_s):
                return await in_thread(partial(run, asked=asked), abandon_on_cancel=True, limiter=limiter)
        finally:
            asked.abandoned = True

    def run(
        self,
        work: Callable[[Connection], T],
        *,
        limit_s: float | None = None,
        asked: _Asked | None = None,
    ) -> T:
        """The same in this thread, for as long as it takes."""
        with self._engine.connect() as connection:
            if limit_s is not None:
                allow(connection, limit_s)
            try:
                with connection.begin():
                    if asked is not None and asked.abandoned:
                        raise Abandoned
                    answer = work(connection)
                    if asked is not None and asked.abandoned:
                        raise Abandoned
                    return answer
            except DatabaseError as exc:
                end_silent(connection, exc, self._idle_s)
                raise
            finally:
                if self._closed:  # an abandoned thread came back late: no pool takes its connection
                    connection.invalidate()

    def _failed(self) -> None:
        self.failures += 1
        self._in_a_row += 1
        if self._in_a_row >= _FAILURES:
            self._rest_until = trio.current_time() + _PAUSE_S

    async def aclose(self) -> None:
        """Let the connections go, within a second."""
        with trio.move_on_after(_CLOSE_S, shield=True):
            await in_thread(self.close, abandon_on_cancel=True)

    def close(self) -> None:
        """Let the connections go; those in use go when their work is done."""
        self._closed = True
        self._engine.dispose()


class _Asked:
    """Whether its asker still waits for a thread's answer."""

    abandoned = False
