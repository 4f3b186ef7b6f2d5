"""How the store's tables are made, and brought forward from older versions (`versions`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Connection, MetaData, String, func, insert, inspect, select, text, update

from llcphone.store.tables import CALENDARS, CALLS, SCHEMA, TABLES, TURNS
from llcphone.store.versions import Versioned

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

VERSION = 4

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


def _calls_to_search(db: Connection) -> None:
    """From 3 to 4: calls have in their rows and indexes what they are searched by."""
    db.execute(text("ALTER TABLE phone_calls ADD COLUMN slowest_ms BIGINT"))
    db.execute(text("ALTER TABLE phone_calls ADD COLUMN attention VARCHAR(255) NOT NULL DEFAULT ''"))
    if db.dialect.name == "postgresql":
        db.execute(
            text("ALTER TABLE phone_calls ALTER COLUMN agent TYPE VARCHAR(255) USING left(agent, 255)")
        )
    slowest = select(func.max(TURNS.c.ear_gap_ms)).where(TURNS.c.call == CALLS.c.id).scalar_subquery()
    db.execute(update(CALLS).values(slowest_ms=slowest, attention=func.substr(CALLS.c.failure, 1, 255)))
    for column in ("ended_at", "caller", "dialled"):
        db.execute(text(f"DROP INDEX ix_phone_calls_{column}"))
    for index in [*CALLS.indexes, *TURNS.indexes]:
        if "_by_" in str(index.name):
            index.create(db)


def _create(db: Connection) -> None:
    db.execute(insert(CALENDARS).values(name="main", timezone="UTC"))
    if db.dialect.name == "postgresql":
        db.execute(text(_NO_OVERLAP_POSTGRES))
        return
    for when, what in (("insert", "INSERT"), ("update", "UPDATE")):
        db.execute(text(_NO_OVERLAP_SQLITE.format(when=when, event=what, why=_OVERLAP)))


VERSIONED = Versioned(
    tables=TABLES,
    row=SCHEMA,
    version=VERSION,
    migrations={1: _outbox_by_call, 2: _unheard_words, 3: _calls_to_search},
    create=_create,
    lock=7108041,
)


def prepare(db: Connection) -> None:
    """`Versioned.prepare`."""
    VERSIONED.prepare(db)


def check(db: Connection, *, whole: bool = False) -> None:
    """`Versioned.check`."""
    VERSIONED.check(db, whole=whole)
