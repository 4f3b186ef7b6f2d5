"""The databases of journal and store: do they answer, with this address and this user?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import trio

from llcphone.doctor.case import ASK_S
from llcphone.doctor.places import place_of_database
from llcphone.doctor.report import Finding, fail, good
from llcphone.errors import ConfigError
from llcphone.settings import with_journal, with_store
from llcphone.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from llcphone.doctor.case import Case


async def databases(case: Case) -> list[Finding]:
    """All that ``llcphone serve`` would open; nothing is made or changed."""
    config = with_store(with_journal(case.config), case.path)
    asked = {
        "journal.url": config.journal.url if config.journal.enabled else "",
        "store.url": config.store.url if config.store.enabled else "",
        "store.lookup_url": config.store.lookup_url if config.store.enabled else "",
    }
    return [await _examine(key, url) for key, url in asked.items() if url]


async def _examine(key: str, url: str) -> Finding:
    check = f"{key.partition('.')[0]} database"
    try:
        if path := place_of_database(url, key):
            return _file(check, key, path)
        await _server(key, url)
    except ConfigError as exc:
        return fail(check, str(exc), f"set {key} to a database that answers with this user, and start it")
    return good(check, f"{key}: its server answers")


def _file(check: str, key: str, path: Path) -> Finding:
    if not path.exists():
        return good(check, f"{path} is made at the first start")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=ASK_S)) as file:
            file.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as exc:
        seen = f"{path} cannot be read ({type(exc).__name__}: {exc})"
        return fail(
            check, seen, f"move it aside, or set {key} to another file; the next start makes a new one"
        )
    return good(check, f"{path} can be read")


async def _server(key: str, url: str) -> None:
    database = Database(url, key=key, timeout_s=ASK_S, threads=1)
    try:
        with trio.fail_after(ASK_S):
            await database.open(_nothing)
    except trio.TooSlowError:
        raise ConfigError(key, f"its server does not answer within {ASK_S:.0f} s") from None
    finally:
        await database.aclose()


def _nothing(connection: Connection) -> None:
    connection.exec_driver_sql("select 1")
