"""The journal's tables, and the statements that write rows of many calls at a time.

    calls   one row per call
    lines   its conversation, one row per line

PostgreSQL plans each statement anew, as nothing is prepared. So it gets one for many rows, as JSON: the
driver writes arrays in Python, which costs the node more than it saves the server. SQLite plans a statement
once.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from llcphone.store.tables import CALL_ID, KEY, LIFE, WORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TABLES = MetaData()


CALLS = Table(
    "llcphone_calls",
    TABLES,
    Column("id", CALL_ID, primary_key=True),
    Column("call_sid", KEY, nullable=False, index=True),
    Column("generation", Integer, key="run_number", nullable=False),  # existing databases have this name
    Column("planned", Integer, nullable=False, server_default="0"),
    Column("run", CALL_ID, nullable=False),
    Column("salt", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("direction", WORD, nullable=False),
    Column("agent", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owed", WORD, nullable=False),
    Column("born_at", Float, nullable=False),
    Column("touched_at", Float, nullable=False, index=True),
    Column("over", Text, nullable=False),
    Column("life", LIFE, nullable=False, server_default=""),
)
HELD = (CALLS.c.over == "") & (CALLS.c.life != "")
BY_LIFE = Index("llcphone_calls_by_life", CALLS.c.life, postgresql_where=HELD, sqlite_where=HELD)
LINES = Table(
    "llcphone_lines",
    TABLES,
    Column("call", CALL_ID, primary_key=True),
    Column("item_id", KEY, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

_KEY = {"b_id": CALLS.c.id, "b_run_number": CALLS.c.run_number, "b_life": CALLS.c.life}
"""A row is ours only with this run number and life."""
_BY_KEY = update(CALLS).where(and_(*(own == bindparam(name) for name, own in _KEY.items())))


_MANY = 8
"""From so many rows on, PostgreSQL gets them as JSON. It takes JSON for 100 rows, and reads all of a table of
10,000 calls to find them: 3 ms, which one birth must not cost."""


def update_rows(db: Connection, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Set these columns of calls. Each row also has ``b_id``, ``b_run_number`` and ``b_life``, its key."""
    if db.dialect.name == "postgresql" and len(rows) >= _MANY:
        db.execute(_update_of_many(tuple(names)), _as_json(rows, *_KEY))
    else:
        db.execute(_BY_KEY.values({name: bindparam(name) for name in names}), rows)


def upsert_lines(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write lines that are new, or that have changed."""
    if db.dialect.name == "postgresql" and len(rows) >= _MANY:
        db.execute(_UPSERT_MANY, _as_json(rows, "call", "item_id"))
    else:
        db.execute(_UPSERT[db.dialect.name], rows)


def _on_conflict(new: Any) -> Any:
    changed = {"place": new.excluded.place, "body": new.excluded.body}
    return new.on_conflict_do_update(index_elements=[LINES.c.call, LINES.c.item_id], set_=changed)


def _given(columns: Mapping[str, Column[Any]]) -> Any:
    """A table of the rows in the parameter ``rows``, with columns of these names and types."""
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
    given = [column(name, each.type) for name, each in columns.items()]
    return rows.table_valued(*given, name="given").render_derived(with_types=True)


@cache
def _update_of_many(names: tuple[str, ...]) -> Any:
    given = _given({**_KEY, **{name: CALLS.c[name] for name in names}})
    ours = and_(*(own == given.c[name] for name, own in _KEY.items()))
    return update(CALLS).where(ours).values({name: given.c[name] for name in names})


_UPSERT = {
    "postgresql": _on_conflict(postgresql.insert(LINES)),
    "sqlite": _on_conflict(sqlite.insert(LINES)),
}
_GIVEN_LINES = _given(dict(LINES.c.items()))
_UPSERT_MANY = _on_conflict(
    postgresql.insert(LINES).from_select(list(LINES.c.keys()), select(*_GIVEN_LINES.c))
)


def _as_json(rows: Sequence[Mapping[str, Any]], *key: str) -> dict[str, str]:
    """The parameter; of rows with the same key it has the last one, as one statement writes a row once."""
    last = {tuple(row[name] for name in key): row for row in rows}
    return {"rows": msgspec.json.encode(list(last.values())).decode()}
