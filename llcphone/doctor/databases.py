"""The databases of journal and store: do they answer, with this address and this user?"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import trio
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from llcphone.doctor.context import ASK_S
from llcphone.doctor.places import place_of_database
from llcphone.doctor.report import Finding, fail, good, refused, warn
from llcphone.errors import ConfigError
from llcphone.settings import with_journal, with_store
from llcphone.shared.node_url import is_reached_here_only
from llcphone.shared.tables import VERSIONED
from llcphone.store.database import Database
from llcphone.store.engines import cause
from llcphone.store.schema import check
from llcphone.store.versions import WrongSchema

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from llcphone.doctor.context import DoctorContext


async def databases(context: DoctorContext) -> list[Finding]:
    """All that ``llcphone serve`` would open; nothing is made or changed."""
    config = with_store(with_journal(context.config), context.path)
    asked = {
        "journal.url": config.journal.url if config.journal.enabled else "",
        "shared.url": config.shared_url,
        "store.url": config.store.url if config.store.enabled else "",
        "store.lookup_url": config.store.lookup_url if config.store.enabled else "",
    }
    found = [await _examine(key, url) for key, url in asked.items() if url]
    with suppress(ConfigError):  # an address that cannot be read is among them already
        if config.server.node and is_reached_here_only(config):
            evidence = f"server.host is {config.server.host}: nodes of other machines do not reach this one"
            fix = "set server.host to an address of this machine, or shared.node_url"
            found.append(warn("node address", evidence, fix))
    return found


async def _examine(key: str, url: str) -> Finding:
    check = f"{key.partition('.')[0]} database"
    try:
        if path := place_of_database(url, key):
            return good(check, _file(key, path))
        await _server(key, url)
    except ConfigError as exc:
        return refused(check, exc)
    except WrongSchema as exc:
        return fail(check, f"{key}: {exc.why}", exc.fix)
    return good(check, f"{key}: its server answers")


def _file(key: str, path: Path) -> str:
    """How a file of SQLite is; it is opened for reading only.

    Raises:
        ConfigError: it cannot be read.
        WrongSchema: it is not one of ours.
    """
    try:
        if not path.exists():
            return f"{path} is made at the first start"
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=ASK_S)) as file:
            engine = create_engine("sqlite://", creator=lambda: file, poolclass=NullPool)
            with engine.connect() as connection:
                _ours(key, connection)
    except (OSError, sqlite3.Error, SQLAlchemyError) as exc:
        raise ConfigError(
            key,
            f"{path} cannot be read ({cause(exc)})",
            f"move it aside, or set {key} to another file; the next start makes a new one",
        ) from None
    return f"{path} can be read"


async def _server(key: str, url: str) -> None:
    database = Database(url, key=key, timeout_s=ASK_S, threads=1)
    try:
        with trio.fail_after(ASK_S):
            await database.open(partial(_ours, key))
    except trio.TooSlowError:
        raise ConfigError(
            key,
            f"its server does not answer within {ASK_S:.0f} s",
            f"set {key} to a database that answers with this user, and start it",
        ) from None
    finally:
        await database.aclose()


def _ours(key: str, connection: Connection) -> None:
    """See that it answers, and that the tables with a version are of a version that this one can use.

    Raises:
        WrongSchema: they are not.
    """
    tables = inspect(connection).get_table_names()
    if key == "shared.url":
        if VERSIONED.row.name in tables:
            VERSIONED.check(connection)
    elif key != "journal.url" and any(name.startswith("phone_") for name in tables):
        check(connection)
