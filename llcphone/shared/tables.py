"""The tables that processes share.

    nodes           one row per process, with the time of its last beat
    places          one row per telephone call that counts; it holds as long as its process beats
    sent            one row per call or text message of the last day, numbered without a gap
    pace            when the next create may be sent
    requests        Idempotency-Keys of the last day, and what was answered
    spend           what calls have cost, by day
    do_not_call     numbers that are never called

A number is there as a keyed hash, except in the list, which people keep. Times are the database's own, so
that clocks of machines need not agree; SQLite has one machine only.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    extract,
    func,
    insert,
    literal,
)
from sqlalchemy.dialects import postgresql, sqlite

from llcphone.store.tables import CALL_ID, KEY, LIFE, NUMBER, WORD
from llcphone.store.versions import Versioned

_TABLES = MetaData()
_HASH = String(64)

NODES = Table(
    "llcphone_nodes",
    _TABLES,
    Column("life", LIFE, primary_key=True),
    Column("name", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("live", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("version", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("beat_at", Float, nullable=False),
)
PLACES = Table(
    "llcphone_places",
    _TABLES,
    Column("id", KEY, primary_key=True),
    Column("life", LIFE, nullable=False, index=True),  # "": no process holds it, and it counts until …
    Column("outbound", Boolean, nullable=False),
    Column("until", Float),
)
SENT = Table(
    "llcphone_sent",
    _TABLES,
    Column("kind", WORD, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("number", _HASH, nullable=False),
    Column("at", Float, nullable=False),
    Index("llcphone_sent_by_number", "kind", "number", "n"),
)
PACE = Table(
    "llcphone_pace",
    _TABLES,
    Column("what", WORD, primary_key=True),
    Column("next_at", Float, nullable=False),
)
REQUESTS = Table(
    "llcphone_requests",
    _TABLES,
    Column("key", _HASH, primary_key=True),
    Column("fingerprint", _HASH, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("call", CALL_ID, nullable=False),
    Column("answer", Text, nullable=False),
)
SPEND = Table(
    "llcphone_spend",
    _TABLES,
    Column("day", String(10), primary_key=True),
    Column("usd", Float, nullable=False),
)
DO_NOT_CALL = Table(
    "llcphone_do_not_call",
    _TABLES,
    Column("number", NUMBER, primary_key=True),
    Column("added_at", Float, nullable=False),
)
_VERSION = Table("llcphone_shared", _TABLES, Column("version", Integer, nullable=False))

CREATES, REDIRECTS = "create", "redirect"
"""What has a pace: new calls, and calls of a node that was lost."""


def _first_rows(db: Connection) -> None:
    db.execute(insert(PACE).values(what=CREATES, next_at=0.0))


VERSIONED = Versioned(
    tables=_TABLES, row=_VERSION, version=1, migrations={}, create=_first_rows, lock=7_108_043
)
COUNTING = 7_108_044
"""Lock of a transaction that counts what all have, and then adds to it."""


def now_of(db: Connection) -> ColumnElement[float]:
    """Unix time, where all processes have the same."""
    if db.dialect.name == "postgresql":
        return extract("epoch", func.clock_timestamp()).cast(Float)
    return literal(time.time(), Float)


def upsert(db: Connection, table: Table) -> Any:
    """An INSERT that may say what to do with a row that is there already."""
    return (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(table)
