"""One SQL database, reached from Trio through threads, with a deadline for every question.

A thread cannot be cancelled, so it is abandoned: the asker has its answer (``StoreUnavailable``) at the
deadline, whatever the thread still waits for. Three things keep abandoned threads from piling up and from
doing harm. The limiter lets only so many of them be: whoever finds all of them stuck is answered at the
deadline too. The database is told the same limit (statement timeout, lock timeout), so most come back.
And before its commit each looks whether anybody still waits; if not, it rolls back.

After three failures in a row nobody asks for five seconds: a caller hears at once what two seconds of
waiting would not change.

SQLite runs in WAL mode, so look-ups never wait for a writer. Writers say BEGIN IMMEDIATE: a transaction
that reads first and then writes would be refused if another wrote in between.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from llcphone.errors import ConfigError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL

T = TypeVar("T")

in_thread = trio.to_thread.run_sync

_FAILURES = 3
"""In a row; then nobody asks for a while."""
_PAUSE_S = 5.0
_STEPS = 20_000
"""SQLite's own instructions between two looks at the clock: well below a millisecond."""
_CLOSE_S = 1.0
_LOCKED_S = 0.02


class Abandoned(Exception):
    """Nobody waits for this work any more."""


class Database:
    """The way to one database.

    Args:
        url: SQLAlchemy address; SQLite on a file or PostgreSQL.
        key: the setting it is from, for complaints.
        timeout_s: longest question.
        threads: questions at once.
        read_only: the database itself refuses every change.

    Raises:
        ConfigError: no database of ours can be there.
    """

    def __init__(
        self, url: str, *, key: str, timeout_s: float, threads: int = 4, read_only: bool = False
    ) -> None:
        self.key = key
        self.timeout_s = timeout_s
        self.failures = 0
        """Questions without an answer, so far."""
        self._url = _known(url, key)
        self._read_only = read_only
        self._limiter = trio.CapacityLimiter(threads)
        self._in_a_row = 0
        self._rest_until = -math.inf
        self.on_file = self._url.get_backend_name() == "sqlite"
        try:
            self._engine = create_engine(
                self._url,
                hide_parameters=True,  # an error must not tell words
                pool_size=threads,
                max_overflow=0,
                pool_timeout=timeout_s,
                pool_pre_ping=not self.on_file,  # a server that was restarted: connect again, do not fail
                connect_args={} if self.on_file else _postgres_options(timeout_s, read_only=read_only),
            )
        except ImportError as exc:
            why = f"needs the package {exc.name}: install llcphone[postgres]"
            raise ConfigError(key, why) from None
        if self.on_file:
            event.listen(self._engine, "connect", self._tune)
            event.listen(self._engine, "begin", self._begin)

    @property
    def path(self) -> Path | None:
        """Where SQLite has its file."""
        return Path(self._url.database) if self.on_file and self._url.database else None

    def make_file(self) -> None:
        """Make the file of SQLite, for its owner only (its journal files take its mode), in WAL mode.

        The mode stays with the file. Changing it is refused at once while another process looks in,
        whatever the busy timeout; so it is tried for a while.
        """
        if self.path is None:
            return
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        until = time.monotonic() + self.timeout_s
        with contextlib.closing(sqlite3.connect(self.path, timeout=self.timeout_s)) as connection:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                    return
                except sqlite3.OperationalError:
                    if time.monotonic() > until:
                        raise OSError("the file is locked") from None
                    time.sleep(_LOCKED_S)

    # -- asking -------------------------------------------------------------------------------

    async def ask(self, work: Callable[[Connection], T], *, patient: bool = False) -> T:
        """Do this work in one transaction in a thread.

        Args:
            work: takes the connection.
            patient: ask even while nobody should, as whoever has no caller to answer may.

        Raises:
            StoreUnavailable: no answer within the limit, or none but an error.
            IntegrityError: a rule of the database refuses the change.
        """
        if trio.current_time() < self._rest_until and not patient:
            raise StoreUnavailable("resting")
        asked = _Asked()
        why = "timeout"
        with trio.move_on_after(self.timeout_s):
            try:
                run = partial(self.run, work, asked)
                answer = await in_thread(run, abandon_on_cancel=True, limiter=self._limiter)
                self._in_a_row = 0
                return answer
            except IntegrityError:
                self._in_a_row = 0
                raise
            except (SQLAlchemyError, OSError) as exc:
                why = type(exc).__name__  # its text may hold what was asked
            finally:
                asked.abandoned = True
        self._failed()
        raise StoreUnavailable(why)

    def run(self, work: Callable[[Connection], T], asked: _Asked | None = None) -> T:
        """The same in this thread, for as long as it takes."""
        with self._engine.begin() as connection:
            if asked is not None and asked.abandoned:
                raise Abandoned
            answer = work(connection)
            if asked is not None and asked.abandoned:
                raise Abandoned
            return answer

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
        """Let the connections go."""
        self._engine.dispose()

    # -- SQLite -------------------------------------------------------------------------------

    def _tune(self, connection: Any, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours: Python's own begins too late
        connection.execute(f"PRAGMA busy_timeout={round(self.timeout_s * 1000)}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if self._read_only:
            connection.execute("PRAGMA query_only=ON")

    def _begin(self, connection: Connection) -> None:
        until = time.monotonic() + self.timeout_s
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)  # SQLite's statement timeout
        connection.exec_driver_sql("BEGIN" if self._read_only else "BEGIN IMMEDIATE")


class _Asked:
    """Whether anybody still waits for a thread's answer."""

    abandoned = False


def _known(url: str, key: str) -> URL:
    try:
        parts = make_url(url)
    except ArgumentError:
        raise ConfigError(key, "is no SQLAlchemy address such as sqlite:///phone.db") from None
    match parts.get_backend_name():
        case "sqlite" if parts.database and parts.database != ":memory:":
            return parts
        case "postgresql" | "postgres":
            return parts.set(drivername="postgresql+psycopg")
    raise ConfigError(key, "must be sqlite:///<file> or postgresql://<user>@<host>/<database>")


def _postgres_options(timeout_s: float, *, read_only: bool) -> dict[str, Any]:
    """What libpq and the server are told; a host that has vanished is noticed within the limit too."""
    ms = max(1, round(timeout_s * 1000))
    options = (
        f"-c statement_timeout={ms} -c lock_timeout={ms} -c idle_in_transaction_session_timeout={10 * ms}"
    )
    if read_only:
        options += " -c default_transaction_read_only=on"
    return {
        "connect_timeout": max(2, math.ceil(timeout_s)),  # libpq takes 1 for 2
        "options": options,
        "application_name": "llcphone",
        "keepalives_idle": 10,
        "tcp_user_timeout": 2 * ms,
    }
