"""The store's tables, and which version of them a database has.

    calls ── turns, tools, lines          one row per call, and what it consists of
      └───── messages, notes              written by agents; a note may be about a customer alone
    customers ── appointments ── calendars ── hours
    outbox                                what the webhook has still to deliver

No two appointments of a calendar that are not cancelled may overlap. That is a rule of the tables: an
exclusion constraint of PostgreSQL, triggers of SQLite (which has one writer at a time, so they cannot
race).

A database is used only if it says which version of the tables it has, and if that is ours or an older
one that we know how to bring forward. Tables without a version belong to another program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.types import TypeEngine

VERSION = 3
_ANOTHER = "use another database"

TABLES = MetaData()

CALL_ID, NUMBER, KEY, WORD = String(64), String(512), String(255), String(64)
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
    Column("agent", Text, nullable=False),
    Column("caller", NUMBER, nullable=False, index=True),
    Column("dialled", NUMBER, nullable=False, index=True),
    Column("context", Text, nullable=False),
    Column("reason", WORD, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("born_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False, index=True),
    Column("duration_s", Float, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("barge_ins", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("failure", Text, nullable=False),
    Column("generation", Integer, key="run_number", nullable=False),  # existing databases have this name
    Column("resumed_from", CALL_ID, nullable=False),
    Column("record", Text, nullable=False),
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

_OVERLAP = "this time is taken"

_NO_OVERLAP_POSTGRES = """
ALTER TABLE phone_appointments ADD CONSTRAINT phone_appointments_one_at_a_time
EXCLUDE USING gist (int4range(calendar, calendar, '[]') WITH &&, int8range(starts_at, ends_at) WITH &&)
WHERE (NOT cancelled)
"""  # ranges, where "calendar WITH =" would need the extension btree_gist

_NO_OVERLAP_SQLITE = """
CREATE TRIGGER phone_appointments_one_at_a_time_{when} BEFORE {event} ON phone_appointments
WHEN NOT NEW.cancelled AND EXISTS (
    SELECT 1 FROM phone_appointments AS other
    WHERE other.calendar = NEW.calendar AND NOT other.cancelled AND other.id IS NOT NEW.id
    AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
) BEGIN SELECT RAISE(ABORT, '{why}'); END
"""


class WrongSchema(Exception):
    """Tables that this version must not touch."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"{why}. Fix: {fix}")
        self.why = why
        self.fix = fix


def widen(db: Connection, tables: MetaData) -> None:
    """Make columns at least as wide as these tables have them. SQLite has no widths."""
    if db.dialect.name != "postgresql":
        return
    for table in tables.sorted_tables:
        for found in inspect(db).get_columns(table.name):
            wanted = table.c.get(found["name"])
            if wanted is not None and _narrower(found["type"], wanted.type):
                change = f"ALTER COLUMN {wanted.name} TYPE {wanted.type.compile(db.dialect)}"
                db.execute(text(f"ALTER TABLE {table.name} {change}"))


def _narrower(found: TypeEngine[Any], wanted: TypeEngine[Any]) -> bool:
    match wanted:
        case BigInteger():
            return not isinstance(found, BigInteger)
        case String(length=int() as length):
            return isinstance(found, String) and (found.length or length) < length
    return False


def _outbox_by_call(db: Connection) -> None:
    """From 1 to 2: longer identities, larger times, and posts that say of which call they are."""
    widen(db, TABLES)
    column = "call VARCHAR(64) NOT NULL DEFAULT ''"
    db.execute(text(f"ALTER TABLE phone_outbox ADD COLUMN {column}"))
    db.execute(text("UPDATE phone_outbox SET call = replace(id, '-ended', '')"))
    db.execute(text("CREATE INDEX ix_phone_outbox_call ON phone_outbox (call)"))


def _unheard_words(db: Connection) -> None:
    """From 2 to 3: lines keep the words that were generated and cut off."""
    db.execute(text("ALTER TABLE phone_lines ADD COLUMN unheard TEXT"))


MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {1: _outbox_by_call, 2: _unheard_words}
"""What brings the tables from this version to the next."""


def prepare(db: Connection) -> None:
    """Make the tables, or bring older ones forward.

    Raises:
        WrongSchema: there are tables of a newer version, or of none.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(7108041)"))  # two that start at once: one makes them
    found = {name for name in inspect(db).get_table_names() if name.startswith("phone_")}
    if not found & set(TABLES.tables):
        _create(db)
        return
    check(db)
    version = db.execute(select(SCHEMA.c.version)).scalar_one()
    for old in range(version, VERSION):
        MIGRATIONS[old](db)
    if version < VERSION:
        db.execute(update(SCHEMA).values(version=VERSION))


def check(db: Connection, *, whole: bool = False) -> None:
    """Raise WrongSchema unless these tables are ours; ``whole``: of this exact version, as readers need."""
    if not inspect(db).has_table(SCHEMA.name):
        raise WrongSchema("has tables named phone_* without a version: they are not llcphone's", _ANOTHER)
    versions = db.execute(select(SCHEMA.c.version)).scalars().all()
    if len(versions) != 1:
        raise WrongSchema("does not say which version its tables have", _ANOTHER)
    (version,) = versions
    if version > VERSION:
        raise WrongSchema(
            f"was made by a newer llcphone (tables {version}, this one knows {VERSION})",
            "use that llcphone, or another database",
        )
    if version < VERSION and (whole or not all(old in MIGRATIONS for old in range(version, VERSION))):
        raise WrongSchema(
            f"has tables of version {version}, and this llcphone needs {VERSION}",
            "start llcphone serve once, or use another database",
        )


def _create(db: Connection) -> None:
    TABLES.create_all(db)
    db.execute(insert(SCHEMA).values(version=VERSION))
    db.execute(insert(CALENDARS).values(name="main", timezone="UTC"))
    if db.dialect.name == "postgresql":
        db.execute(text(_NO_OVERLAP_POSTGRES))
        return
    for when, what in (("insert", "INSERT"), ("update", "UPDATE")):
        db.execute(text(_NO_OVERLAP_SQLITE.format(when=when, event=what, why=_OVERLAP)))
