"""``llcphone store``: a demo database, and deleting (`purging`)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts

from llcphone.cli.calls_view import print_json
from llcphone.cli.options import AsJson
from llcphone.cli.purging import purge
from llcphone.config.store import DEFAULT_FILE
from llcphone.errors import ConfigError
from llcphone.runtime.time_zones import zone_of
from llcphone.store.database import Database
from llcphone.store.demo_data import PEOPLE, fill
from llcphone.store.schema import prepare

if TYPE_CHECKING:
    from sqlalchemy import Connection

store = cyclopts.App(name="store", help="The database of calls: make one to try, delete from it.")
store.command(purge)


@store.command
def demo(file: Path = Path(DEFAULT_FILE), /, *, timezone: str = "UTC", as_json: AsJson = False) -> None:
    """Make a database with invented customers, hours and appointments.

    Args:
        file: a file that is not there yet.
        timezone: of its opening hours, such as Europe/Berlin.
    """
    zone_of(timezone, "--timezone")
    if file.exists():
        raise ConfigError("store demo", f"{file} exists already", "name another file")

    def make(db: Connection) -> None:
        prepare(db)
        fill(db, time.time(), timezone=timezone)

    place = Database(f"sqlite:///{file}", key="store demo", timeout_s=10.0)
    try:
        place.make_file()
        place.run(make)
    except BaseException:  # half a database would be in the way of the next try
        file.unlink(missing_ok=True)
        raise
    finally:
        place.close()
    url = f"sqlite:///{file}"
    if as_json:
        print_json({"file": str(file), "url": url, "customers": len(PEOPLE), "number": PEOPLE[0][1]})
        return
    print(f"{file} has {len(PEOPLE)} customers; one of them rings from {PEOPLE[0][1]}")
    print(f'To use it: store.url = "{url}"')
