"""``llcphone dnc``: the do-not-call list that all processes share (``[shared]``)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import cyclopts
from cyclopts import Parameter
from sqlalchemy.exc import SQLAlchemyError

from llcphone import settings
from llcphone.cli.calls_view import print_json
from llcphone.cli.options import AsJson, ConfigPath, number_of
from llcphone.errors import ConfigError
from llcphone.phone.do_not_call import read_numbers
from llcphone.shared import do_not_call
from llcphone.shared.tables import VERSIONED
from llcphone.store.database import Database
from llcphone.store.engines import cause
from llcphone.store.versions import WrongSchema
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")

_LIMIT_S = 10.0

dnc = cyclopts.App(name="dnc", help="The do-not-call list of all processes: show it, add, remove.")


@dnc.command
def add(
    *numbers: str,
    file: Annotated[Path | None, Parameter(help="add the numbers of this file, one per line")] = None,
    config_path: ConfigPath = None,
) -> None:
    """Never dial these numbers.

    Args:
        numbers: with + and the country code.
    """
    wanted = {identity(number_of(number, "dnc add")) for number in numbers}
    if file is not None:
        wanted |= read_numbers(file, None, "--file")
    if not wanted:
        raise ConfigError("dnc add", "no number is given", "name numbers, or --file")
    added = _ask(config_path, lambda db: do_not_call.add(db, wanted))
    print(f"{added} added, {len(wanted) - added} were on the list")


@dnc.command
def remove(number: str, /, *, config_path: ConfigPath = None) -> None:
    """Let a number be dialled again.

    Args:
        number: with + and the country code.
    """
    wanted = identity(number_of(number, "dnc remove"))
    removed = _ask(config_path, lambda db: do_not_call.remove(db, wanted))
    print("removed" if removed else "it was not on the list")
    if not removed:
        sys.exit(1)


@dnc.command(name="list")
def show(*, config_path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show the list, one number per line."""
    found = list(_ask(config_path, do_not_call.numbers))
    if as_json:
        print_json({"numbers": found})
        return
    for number in found:
        print(number)


def _ask(config_path: Path | None, work: Callable[[Connection], T]) -> T:
    """Ask the shared database, which is made if it is not there yet."""
    url = settings.load(config_path).config.shared_url
    if not url:
        why = "is not set, so processes share no list"
        raise ConfigError("shared.url", why, "set it, or write the number into outbound.do_not_call_file")
    place = Database(url, key="shared.url", timeout_s=_LIMIT_S)
    try:
        place.make_file()
        place.run(VERSIONED.prepare)
        return place.run(work)
    except WrongSchema as exc:
        raise ConfigError("shared.url", exc.why, exc.fix) from None
    except (SQLAlchemyError, OSError) as exc:
        fix = "set it to a database that answers with this user, and start it"
        raise ConfigError("shared.url", f"cannot be used ({cause(exc)})", fix) from None
    finally:
        place.close()
