"""SQLAlchemy engines for the two databases, with limits that hold, and what their errors mean.

The limits of a PostgreSQL transaction are part of the statement that begins it. They need no start-up
parameters, which a pooler such as PgBouncer refuses or drops, and no connection that stays ours for longer
than a transaction. For the same reason nothing is prepared on the server.

SQLite runs in WAL mode, so look-ups never wait for a writer. Writers say BEGIN IMMEDIATE: a transaction
that reads first and then writes would be refused if another wrote in between.
"""

from __future__ import annotations

import contextlib
import enum
import math
import os
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnection

from llcphone.errors import ConfigError
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL, Connection, Engine

log = logger("llcphone.store")

_STEPS = 20_000
"""SQLite's own instructions between two looks at the clock: well below a millisecond."""
_LOCKED_S = 0.02
_LIMIT = "llcphone_limit_s"
APPLICATION = "llcphone"
"""The name by which PostgreSQL knows our connections."""
_WAITED = {"55P03", "57014"}
"""A lock could not be had in time; a statement took too long, perhaps as it waited for a lock."""
_END_SILENT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
    "AND usename = current_user AND application_name = :application AND xact_start IS NOT NULL "
    "AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - make_interval(secs => :silent_s)"
)


@attrs.frozen(kw_only=True)
class Limits:
    """Options for a database's connections."""

    timeout_s: float
    """Longest wait for a connection, and longest statement unless ``allow`` says otherwise."""
    lock_s: float
    """Longest wait for a lock."""
    idle_s: float
    """A transaction in which nothing happens for this long is ended by PostgreSQL, with its locks."""
    connections: int
    read_only: bool = False


def known(url: str, key: str) -> URL:
    """The address of a database that we can use, with the driver that we use.

    Raises:
        ConfigError: it is none.
    """
    try:
        parts = make_url(url)
    except ArgumentError:
        raise ConfigError(key, "is not the address of a database", "write it as sqlite:///phone.db") from None
    match parts.get_backend_name():
        case "sqlite" if parts.database and parts.database != ":memory:":
            return parts
        case "postgresql" | "postgres":
            return parts.set(drivername="postgresql+psycopg")
    raise ConfigError(
        key,
        "is not a database that llcphone can use",
        "set it to sqlite:///<file> or postgresql://<user>@<host>/<database>",
    )


def host_of(url: str, key: str) -> str:
    """The host of a database, the first one of several; "" for a file, or a socket of this machine.

    Raises:
        ConfigError: as `known`.
    """
    parts = known(url, key)
    if parts.host:
        return parts.host
    several = parts.query.get("host", "")
    first = (several if isinstance(several, str) else several[0]).partition(",")[0]
    return "" if first.startswith("/") else first.partition(":")[0]


def engine_of(url: URL, *, key: str, limits: Limits) -> Engine:
    """An engine whose every transaction has its limits.

    Raises:
        ConfigError: the driver is missing.
    """
    on_file = url.get_backend_name() == "sqlite"
    try:
        engine = create_engine(
            url,
            hide_parameters=True,  # an error text must not contain callers' words
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.timeout_s,
            pool_pre_ping=not on_file,  # a server that was restarted: connect again, do not fail
            connect_args={} if on_file else _postgres_options(limits),
        )
    except ImportError as exc:
        raise ConfigError(key, f"needs the package {exc.name}", 'pip install "llcphone[postgres]"') from None
    (_tune_sqlite if on_file else _tune_postgres)(engine, limits)
    return engine


def allow(connection: Connection, limit_s: float) -> None:
    """Give the statements of this connection's next transaction another limit."""
    connection.execution_options(**{_LIMIT: limit_s})


def end_silent(connection: Connection, exc: DatabaseError, silent_s: float) -> None:
    """After a vain wait: end those of our transactions whose client is silent.

    PostgreSQL's own limit for idle transactions is not enough. A process that freezes while it sends several
    statements leaves a transaction that is neither idle nor in a statement. And on a busy machine a limit was
    seen not to take effect, so that the locks of a frozen process stayed for as long as it was frozen.

    Args:
        connection: outside a transaction.
        exc: what ended the wait; only of PostgreSQL, and of a wait, it does anything.
        silent_s: seconds since the client's last message.
    """
    if getattr(exc.orig, "sqlstate", None) not in _WAITED:
        return
    with contextlib.suppress(DatabaseError), connection.begin():
        ended = connection.execute(_END_SILENT, {"application": APPLICATION, "silent_s": silent_s}).scalar()
        if ended:
            log.warning("transactions of a process that is silent were ended", extra={"count": ended})


def _tune_postgres(engine: Engine, limits: Limits) -> None:
    """Begin each transaction with its limits: one message, as the driver's own BEGIN would be."""
    begin = f"BEGIN{' READ ONLY' if limits.read_only else ''}"
    fixed = {"lock_timeout": limits.lock_s, "idle_in_transaction_session_timeout": limits.idle_s}
    words = "".join(f"; SET LOCAL {name} = {_ms(seconds)}" for name, seconds in fixed.items())

    def starts(connection: Connection) -> None:
        limit_s = connection.get_execution_options().get(_LIMIT, limits.timeout_s)
        connection.exec_driver_sql(f"{begin}{words}; SET LOCAL statement_timeout = {_ms(limit_s)}")

    event.listen(engine, "begin", starts)


def _postgres_options(limits: Limits) -> dict[str, Any]:
    """Options for libpq and the driver; a host that has vanished is noticed within the limit too."""
    return {
        "autocommit": True,  # BEGIN is ours
        "prepare_threshold": None,
        "connect_timeout": max(2, math.ceil(limits.timeout_s)),  # libpq takes 1 for 2
        "application_name": APPLICATION,
        "keepalives_idle": 10,
        "tcp_user_timeout": 2 * _ms(limits.timeout_s),
    }


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _tune_sqlite(engine: Engine, limits: Limits) -> None:
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours: Python's own begins too late
        connection.execute(f"PRAGMA busy_timeout={_ms(limits.timeout_s)}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if limits.read_only:
            connection.execute("PRAGMA query_only=ON")

    def starts(connection: Connection) -> None:
        until = time.monotonic() + connection.get_execution_options().get(_LIMIT, limits.timeout_s)
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)  # SQLite's statement timeout
        connection.exec_driver_sql("BEGIN" if limits.read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", starts)


def make_file(path: Path, key: str, timeout_s: float) -> None:
    """Make the file of SQLite, for its owner only (its journal files take its mode), in WAL mode.

    The mode stays with the file. Changing it is refused at once while another process looks in,
    whatever the busy timeout; so it is tried for a while. Some file systems cannot have it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    until = time.monotonic() + timeout_s
    with contextlib.closing(sqlite3.connect(path, timeout=timeout_s)) as connection:
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise OSError("the file is locked") from None
                time.sleep(_LOCKED_S)
                continue
            break
    if mode != "wal":
        why = (
            "SQLite refuses WAL mode there (a network file system?): readers and writers wait for each other"
        )
        log.warning(why, extra={"setting": key, "mode": mode})


# -- what an error means ------------------------------------------------------------------------


_QUOTED = re.compile('"[^"]*"')


class Verdict(enum.Enum):
    """Why something was not done."""

    REFUSED = "refused"
    """It cannot be stored: the caller's fault, and a retry changes nothing."""
    SLOW = "too slow"
    """The database stopped it at its limit."""
    AWAY = "away"
    """The database cannot be had, or does not work."""


_SLOW = {"57014"}
_TOO_MUCH = "54"
"""Class of PostgreSQL: the statement is beyond a limit of the program, such as an index row's size."""
_CONFIGURED = {"42501", "42P01"}
"""No permission, no such table: an operator can put that right, and what waits is still worth keeping."""


def verdict(exc: Exception) -> Verdict:
    """Whose fault an exception of ``Database.run`` is."""
    if isinstance(exc, NoConnection | OSError):
        return Verdict.AWAY
    if not isinstance(exc, DatabaseError | InterfaceError):
        return Verdict.REFUSED  # a value that cannot be bound, or a fault of the work itself
    state = getattr(exc.orig, "sqlstate", None) or ""
    if state in _SLOW or getattr(exc.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return Verdict.SLOW
    if state.startswith(_TOO_MUCH):
        return Verdict.REFUSED
    own = isinstance(exc, IntegrityError | DataError | ProgrammingError | NotSupportedError)
    return Verdict.REFUSED if own and state not in _CONFIGURED else Verdict.AWAY


def cause(exc: BaseException) -> str:
    """Why a database could not be opened: the server's own words, without names and addresses.

    For a first question only: no words of a caller are in it yet.
    """
    kind, orig = type(exc).__name__, getattr(exc, "orig", None)
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(orig, sqlite3.Error):
        return str(orig)
    found = re.search(r"FATAL: *([^\n]+)", str(orig))  # of a connection
    said = str(orig).partition("\n")[0] if getattr(orig, "sqlstate", None) else found[1] if found else ""
    if not said:
        return kind
    hint = ". A pooler must have pool_mode transaction or session" if "pooling" in said else ""
    said = _QUOTED.sub('"…"', said)
    return f"{kind}: {said}{hint}"
