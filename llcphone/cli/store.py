"""``llcphone store``: a demo database, and deleting. What deletes says first how much, and asks."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter
from sqlalchemy.exc import SQLAlchemyError

from llcphone import settings
from llcphone.cli.calls import loaded_with_store, open_store
from llcphone.cli.options import ConfigPath, agreed, confirmed, number_of
from llcphone.config_store import DEFAULT_FILE
from llcphone.errors import ConfigError
from llcphone.store import history, journal, lines
from llcphone.store.database import Database
from llcphone.store.demo_data import PEOPLE, fill
from llcphone.store.forgetting import forgetting, in_pieces, purging
from llcphone.store.tables import prepare
from llcphone.time_zones import zone_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from llcphone.config import Config
    from llcphone.store.forgetting import ForgottenNumber

store = cyclopts.App(name="store", help="The database of calls: make one to try, delete from it.")


@store.command
def demo(file: Path = Path(DEFAULT_FILE), /, *, timezone: str = "UTC") -> None:
    """Make a database of a small business that is not real: customers, hours, appointments.

    Args:
        file: a file that is not there yet.
        timezone: of its opening hours, such as Europe/Berlin.
    """
    zone_of(timezone, "--timezone")
    if file.exists():
        raise ConfigError("store demo", f"{file} is there already. Fix: name another file")

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
    print(f"{file} has {len(PEOPLE)} customers; one of them rings from {PEOPLE[0][1]}")
    print(f'To use it: store.url = "sqlite:///{file}"')


@store.command
def purge(
    *,
    number: str = "",
    config: ConfigPath = None,
    dry_run: bool = False,
    yes: Annotated[bool, Parameter(help="delete without a question")] = False,
) -> None:
    """Delete what is older than the settings say; with --number, all that is kept of one person.

    Of a person: calls with what was said, messages, notes, appointments and the customer; also their lines in
    records.path, their tapes in records.blackbox_dir, and what the journal has.

    Args:
        number: whose, as +<country><number>.
        dry_run: say what would be deleted, and delete nothing.
    """
    loaded = loaded_with_store(config)
    wanted = number_of(number, "--number") if number else ""
    question = _of_number(wanted, loaded) if wanted else _of_age(loaded)
    if dry_run:
        print(f"a dry run, nothing is deleted. Without it: {question}")
        return
    if not (agreed if yes else confirmed)(question):
        print("nothing was deleted")
        sys.exit(1)
    with open_store(loaded, read_only=False) as run:
        if not wanted:
            kept = loaded.store
            old = purging(now=time.time(), keep_days=kept.keep_days, transcript_days=kept.transcript_days)
            gone = in_pieces(old, run)
            print(f"deleted {gone.calls} calls and {gone.transcripts} transcripts")
            return
        theirs = in_pieces(forgetting(wanted), run)
    _forget_elsewhere(theirs, loaded)
    print(f"deleted {len(theirs.call_ids)} calls and who they are")


def _of_number(number: str, config: Config) -> str:
    with open_store(config, read_only=True) as read:
        found = read(partial(history.summaries, limit=None, number=number))
    return f"Delete {len(found)} calls of this number, with all that is kept of the person?"


def _of_age(config: Config) -> str:
    with open_store(config, read_only=True):  # there is one
        kept = config.store
    ages = {"calls": kept.keep_days, "transcripts": kept.transcript_days}
    old = " and ".join(f"{what} older than {days:g} days" for what, days in ages.items() if days)
    return f"Delete {old}?" if old else "Delete nothing (store.keep_days and store.transcript_days are 0)?"


def _forget_elsewhere(gone: ForgottenNumber, config: Config) -> None:
    """The same calls in the journal, in the file of records, and on tapes."""
    records, journal_url = config.records, settings.with_journal(config).journal.url
    key = "journal.url"
    try:
        if journal_url and config.journal.enabled:
            journal.forget(journal_url, gone.call_sids)
        key = "records.path"
        if records.path:
            lines.forget(records.path, gone.call_ids)
        key = "records.blackbox_dir"
        if records.blackbox_dir:
            for call_id in gone.call_ids:
                (Path(records.blackbox_dir) / f"{call_id}.jsonl").unlink(missing_ok=True)
    except (SQLAlchemyError, OSError) as exc:
        why = f"still has these calls, and cannot be written ({type(exc).__name__})"
        raise ConfigError(key, f"{why}. Fix: make it writable, then delete them there") from None
