"""The store's tables; ``schema`` makes them in a database.

    calls ── turns, tools, lines          one row per call, and what it consists of
      └───── messages, notes              written by agents; a note may be about a customer alone
    customers ── appointments ── calendars ── hours
    outbox                                what the webhook has still to deliver

No two appointments of a calendar that are not cancelled may overlap. That is a rule of the tables: an
exclusion constraint of PostgreSQL, triggers of SQLite (which has one writer at a time, so they cannot
race).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

TABLES = MetaData()

CALL_ID, NUMBER, KEY, WORD, LIFE = String(64), String(512), String(255), String(64), String(32)
"""Identities have a length, so that they can be indexed; ``values`` shortens what is longer. A number may be
a SIP address."""


def _of_call() -> Column[str]:
    """A row that goes with its call."""
    return Column("call", CALL_ID, ForeignKey("phone_calls.id", ondelete="CASCADE"), primary_key=True)


SCHEMA = Table("phone_schema", TABLES, Column("version", Integer, nullable=False))
CALLS = Table(
    "phone_calls",
    TABLES,
    Column("id", CALL_ID, primary_key=True),
    Column("call_sid", KEY, nullable=False, index=True),
    Column("direction", WORD, nullable=False),
    Column("agent", KEY, nullable=False),
    Column("caller", NUMBER, nullable=False),
    Column("dialled", NUMBER, nullable=False),
    Column("context", Text, nullable=False),
    Column("reason", WORD, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("born_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("barge_ins", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("failure", Text, nullable=False),
    Column("generation", Integer, key="run_number", nullable=False),  # existing databases have this name
    Column("resumed_from", CALL_ID, nullable=False),
    Column("slowest_ms", BigInteger),
    Column("attention", KEY, nullable=False, server_default=""),
    Column("record", Text, nullable=False),
    Index("phone_calls_by_caller", "caller", "ended_at", "id"),
    Index("phone_calls_by_dialled", "dialled", "ended_at", "id"),
    Index(
        "phone_calls_by_end",  # and what they are searched by, so that a search reads the index instead
        "ended_at",
        "id",
        "agent",
        "direction",
        "reason",
        "duration_s",
        "slowest_ms",
        "cost_usd",
        "attention",
    ),
)
TURNS = Table(
    "phone_turns",
    TABLES,
    _of_call(),
    Column("number", Integer, primary_key=True),
    Column("asked", WORD, nullable=False),
    Column("answer_gap_ms", BigInteger),
    Column("ear_gap_ms", BigInteger),
    Column("cost_usd", Float),
    Column("body", Text, nullable=False),
    Index(
        "phone_turns_by_wait",  # for trends: a tenth of reading the rows
        "call",
        "ear_gap_ms",
        sqlite_where=text("ear_gap_ms IS NOT NULL"),
        postgresql_where=text("ear_gap_ms IS NOT NULL"),
    ),
)
TOOLS = Table(
    "phone_tool_calls",
    TABLES,
    _of_call(),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("took_ms", BigInteger),
    Column("ok", Boolean),
)
LINES = Table(
    "phone_lines",
    TABLES,
    _of_call(),
    Column("number", Integer, primary_key=True),
    Column("speaker", WORD, nullable=False),
    Column("text", Text, nullable=False),
    Column("at_ms", BigInteger),
    Column("heard_ms", BigInteger),
    Column("generated_ms", BigInteger),
    Column("unheard", Text),
)
CUSTOMERS = Table(
    "phone_customers",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("phone", NUMBER, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("remarks", Text, nullable=False),
    sqlite_autoincrement=True,
)
MESSAGES = Table(
    "phone_messages",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("call", CALL_ID, nullable=False, index=True),
    Column("key", KEY, unique=True),
    Column("taken_at", Float, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("for_whom", Text, nullable=False),
    sqlite_autoincrement=True,
)
NOTES = Table(
    "phone_notes",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("call", CALL_ID, nullable=False, index=True),
    Column("customer", Integer, ForeignKey("phone_customers.id", ondelete="SET NULL"), index=True),
    Column("key", KEY, unique=True),
    Column("written_at", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    sqlite_autoincrement=True,
)
CALENDARS = Table(
    "phone_calendars",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", KEY, nullable=False, unique=True),
    Column("timezone", WORD, nullable=False),
)
HOURS = Table(
    "phone_hours",
    TABLES,
    Column("calendar", Integer, ForeignKey("phone_calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("weekday", Integer, primary_key=True),
    Column("opens_min", Integer, primary_key=True),
    Column("closes_min", Integer, nullable=False),
    CheckConstraint("weekday BETWEEN 0 AND 6 AND closes_min > opens_min"),
)
APPOINTMENTS = Table(
    "phone_appointments",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("calendar", Integer, ForeignKey("phone_calendars.id"), nullable=False),
    Column("customer", Integer, ForeignKey("phone_customers.id", ondelete="SET NULL"), index=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("key", KEY),
    Column("changed_at", Float, nullable=False),
    CheckConstraint("ends_at > starts_at"),
    UniqueConstraint("key"),
    Index("phone_appointments_by_time", "calendar", "starts_at"),
    sqlite_autoincrement=True,
)
OUTBOX = Table(
    "phone_outbox",
    TABLES,
    Column("id", KEY, primary_key=True),
    Column("call", CALL_ID, nullable=False, index=True, server_default=""),
    Column("made_at", Float, nullable=False),
    Column("due_at", Float, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
