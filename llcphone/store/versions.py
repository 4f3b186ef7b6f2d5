"""Which version of some tables a database has; how they are made, and brought forward.

A database is used only if it says which version of the tables it has, and if that is ours or an older
one that we know how to bring forward. Tables without a version belong to another program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sqlalchemy import Connection, MetaData, Table, insert, inspect, select, text, update

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANOTHER = "use another database"


class WrongSchema(Exception):
    """Tables that this version must not touch."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"{why}. Fix: {fix}")
        self.why = why
        self.fix = fix


def lock(db: Connection, key: int) -> None:
    """Let one transaction at a time go on from here, until its end; SQLite has one writer anyway.

    What the one before wrote is seen by the *next* statement: this one still has the view of its beginning.
    """
    if db.dialect.name == "postgresql":
        db.execute(text(f"SELECT pg_advisory_xact_lock({key})"))


@attrs.frozen(kw_only=True)
class Versioned:
    """Tables that have a version."""

    tables: MetaData
    row: Table
    """Holds the version in its one row."""
    version: int
    migrations: Mapping[int, Callable[[Connection], None]]
    """What brings the tables from this version to the next."""
    create: Callable[[Connection], None]
    """Makes what the tables need beside themselves."""
    lock: int

    def prepare(self, db: Connection) -> None:
        """Make the tables, or bring older ones forward.

        Raises:
            WrongSchema: there are tables of a newer version, or of none.
        """
        lock(db, self.lock)  # two that start at once: one makes them
        if not set(inspect(db).get_table_names()) & set(self.tables.tables):
            self.tables.create_all(db)
            db.execute(insert(self.row).values(version=self.version))
            self.create(db)
            return
        self.check(db)
        version = db.execute(select(self.row.c.version)).scalar_one()
        for old in range(version, self.version):
            self.migrations[old](db)
        if version < self.version:
            db.execute(update(self.row).values(version=self.version))

    def check(self, db: Connection, *, whole: bool = False) -> None:
        """Raise WrongSchema unless these tables are ours; ``whole``: of this exact version, for readers."""
        if not inspect(db).has_table(self.row.name):
            prefix = self.row.name.partition("_")[0]
            why = f"has tables named {prefix}_* without a version: they are not llcphone's"
            raise WrongSchema(why, _ANOTHER)
        versions = db.execute(select(self.row.c.version)).scalars().all()
        if len(versions) != 1:
            raise WrongSchema("does not say which version its tables have", _ANOTHER)
        (version,) = versions
        if version > self.version:
            raise WrongSchema(
                f"was made by a newer llcphone (tables {version}, this one knows {self.version})",
                "use that llcphone, or another database",
            )
        known = all(old in self.migrations for old in range(version, self.version))
        if version < self.version and (whole or not known):
            raise WrongSchema(
                f"has tables of version {version}, and this llcphone needs {self.version}",
                "start llcphone serve once, or use another database",
            )
