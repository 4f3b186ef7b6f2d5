"""``llcphone calls``, ``show``, ``transcript``, ``tail``, ``export``: what is kept, got out again.

Tables mask telephone numbers unless ``--numbers`` is given; JSON and CSV, which are for programs, do not.
Exit codes: 0 found, 1 there is no such call, 2 no store or a wrong command.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from llcphone import settings
from llcphone.cli.calls_view import (
    as_json_text,
    console,
    emit,
    facts_of,
    money,
    or_dash,
    print_json,
    print_lines,
    row_of,
)
from llcphone.cli.options import AsJson, ConfigPath, Count, number_of
from llcphone.errors import ConfigError
from llcphone.recorder.folder import head_at, path_of
from llcphone.store import calls as kept
from llcphone.store import search
from llcphone.store.database import Database
from llcphone.store.deletion import DAY_S
from llcphone.store.schema import check
from llcphone.store.search import CallFilter
from llcphone.store.spreadsheet import as_csv
from llcphone.store.versions import WrongSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from llcphone.config import Config
    from llcphone.recorder.wav import Head
    from llcphone.store.models import CallDetails, CallSummary

Numbers = Annotated[bool, Parameter(help="show complete telephone numbers")]

_POLL_S = 1.0
_LATE_S = 600.0
"""A call may be written this long after its end, behind one that ended later."""

# -- commands -----------------------------------------------------------------------------------


def calls(
    *,
    last: Count = 20,
    number: str = "",
    as_json: AsJson = False,
    numbers: Numbers = False,
    config: ConfigPath = None,
) -> None:
    """List the calls that have ended, newest first.

    Args:
        last: how many.
        number: only calls from or to this number, as +<country><number>.
    """
    wanted = number_of(number, "--number") if number else ""
    with _reading(config) as read:
        found = read(partial(search.page, wanted=CallFilter(number=wanted), most=last))
    if as_json:
        print_json([attrs.asdict(each) for each in found])
        return
    if not found:
        print("no call of this number is kept" if number else "no call has ended yet")
        return
    table = Table("call", "ended", "", "who", "agent", "length", "turns", "outcome", "cost", box=None)
    for each in found:
        table.add_row(*row_of(each, whole=numbers))
    console().print(table)


def show(
    call: str, /, *, as_json: AsJson = False, numbers: Numbers = False, config: ConfigPath = None
) -> None:
    """Show a call's record (without the transcript).

    Args:
        call: its id, the beginning of it, or Twilio's CallSid.
    """
    details = _find(call, config)
    audio = _recording_of(details.summary.id, config)
    if as_json:
        print_json({**attrs.asdict(details), "audio": None if audio is None else str(audio[0])})
        return
    screen = console()
    facts = facts_of(details, whole=numbers)
    if audio is not None:
        facts.append(("audio", f"{audio[1].duration_s:.1f} s; {audio[0]}"))
    for name, text in facts:
        screen.print(f"[bold]{name:<10}[/bold] ", end="")
        screen.print(text, markup=False)
    if details.turns:
        table = Table("turn", "asked by", "answer ms", "ear ms", "longest", "tools", "cost", box=None)
        for number, turn in enumerate(details.turns, 1):
            gaps = [or_dash(turn.get(key)) for key in ("answer_gap_ms", "ear_gap_ms")]
            tools = ", ".join(turn.get("tools") or ())
            cost = money(turn.get("cost_usd"))
            table.add_row(str(number), turn.get("asked", ""), *gaps, turn.get("longest", ""), tools, cost)
        screen.print(table)


def transcript(call: str, /, *, as_json: AsJson = False, config: ConfigPath = None) -> None:
    """Show what was said and heard in a call.

    Args:
        call: its id, the beginning of it, or Twilio's CallSid.
    """
    details = _find(call, config)
    if as_json:
        print_json(list(details.lines))
        return
    if not details.lines:
        print("no words are kept of this call: records.transcript was off, or their days are over")
    print_lines(details)


async def tail(
    *,
    words: bool = False,
    as_json: AsJson = False,
    numbers: Numbers = False,
    config: ConfigPath = None,
) -> None:
    """Show each call as it ends, until interrupted.

    Args:
        words: also what was said.
    """
    with _reading(config) as read:

        def found() -> list[CallSummary]:
            since = time.time() - _LATE_S
            return read(partial(search.page, wanted=CallFilter(ended_from=since), most=None))  # type: ignore[no-any-return]

        shown = {each.id for each in found()}
        while True:
            fresh = {each.id: each for each in found()}
            for each in reversed([each for id_, each in fresh.items() if id_ not in shown]):
                details = read(partial(kept.details, call_id=each.id)) if words else None
                if as_json:
                    print_json(attrs.asdict(details or each))
                    continue
                emit("  ".join(row_of(each, whole=numbers)) + "\n")
                if details is not None:
                    print_lines(details)
            shown = set(fresh)
            await trio.sleep(_POLL_S)


def export(
    *,
    format_: Annotated[Literal["csv", "json"], Parameter(name="--format")] = "csv",
    out: Path | None = None,
    days: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    config: ConfigPath = None,
) -> None:
    """Write all calls that are kept: a row each as CSV, or all of each as JSON lines.

    Args:
        format_: csv or json.
        out: a new file that only you can read; default standard output.
        days: only calls that ended at most this many days ago.
    """
    since = None if days is None else time.time() - days * DAY_S
    with _reading(config) as read:
        found = read(partial(search.page, wanted=CallFilter(ended_from=since), most=None))
        if format_ == "csv":
            text = as_csv(found)
        else:
            whole = (read(partial(kept.details, call_id=each.id)) for each in found)
            text = "".join(as_json_text(attrs.asdict(each)) + "\n" for each in whole if each is not None)
    if out is None:
        emit(text)
        return
    try:
        out.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise ConfigError("--out", f"{out} exists already", "name a new file, or delete that one") from None
    out.write_text(text, "utf-8")
    print(f"{len(found)} calls written to {out}", file=sys.stderr)


# -- reading ------------------------------------------------------------------------------------


def loaded_with_store(path: Path | None) -> Config:
    """The settings, with the store that is theirs by default."""
    return settings.with_store(settings.load(path).config, path)


@contextmanager
def _reading(path: Path | None) -> Iterator[Callable[[Callable[[Connection], Any]], Any]]:
    with open_store(loaded_with_store(path), read_only=True) as run:
        yield run


@contextmanager
def open_store(config: Config, *, read_only: bool) -> Iterator[Callable[[Callable[[Connection], Any]], Any]]:
    """Ask the store in this thread; a person waits, no call does."""
    if not config.store.url:
        raise ConfigError("store.url", "is not set: there is no store", "set it, or store.enabled = true")
    place = Database(config.store.url, key="store.url", timeout_s=10.0, read_only=read_only)
    if place.path is not None and not place.path.is_file():
        raise ConfigError(
            "store.url",
            f"there is no store at {place.path} yet",
            "run this where llcphone serve runs",
        )
    try:
        place.run(partial(check, whole=True))
        yield place.run
    except WrongSchema as exc:
        raise ConfigError("store.url", exc.why, exc.fix) from None
    except SQLAlchemyError as exc:
        raise ConfigError("store.url", f"cannot be read ({type(exc).__name__})", "llcphone doctor") from None
    finally:
        place.close()


def _recording_of(call_id: str, path: Path | None) -> tuple[Path, Head] | None:
    """The file of its recording, and what it says about itself; None: there is none, or none we may read."""
    folder = settings.load(path).config.records.audio_dir
    file = path_of(Path(folder).absolute(), call_id) if folder else None
    with suppress(OSError):
        if file is not None and (head := head_at(file)) is not None:
            return file, head
    return None


def _find(start: str, config: Path | None) -> CallDetails:
    if not start:
        raise ConfigError("call", "is empty", "give the beginning of an id that llcphone calls shows")
    with _reading(config) as read:
        ids = read(partial(kept.ids_like, start=start))
        if len(ids) == 1 or start in ids:
            return read(partial(kept.details, call_id=start if start in ids else ids[0]))  # type: ignore[no-any-return]
    for each in ids:
        print(each, file=sys.stderr)
    print("which of these?" if ids else "no such call is kept", file=sys.stderr)
    sys.exit(1)
