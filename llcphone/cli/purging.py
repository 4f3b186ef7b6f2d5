"""``llcphone store purge``: shows what it would delete, asks, and deletes it everywhere.

A call is in the database, in the file of records, on a tape, in a recording and in the journal. Recordings by
Twilio and voicemail are in Twilio's account: the command lists them, but does not delete them.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter
from sqlalchemy.exc import SQLAlchemyError

from llcphone import settings
from llcphone.cli.calls import loaded_with_store, open_store
from llcphone.cli.calls_view import print_json
from llcphone.cli.options import AsJson, ConfigPath, agreed, confirmed, number_of
from llcphone.errors import ConfigError
from llcphone.recorder import folder as recordings
from llcphone.store import journal_deletion, record_file, search
from llcphone.store.deletion import (
    DAY_S,
    ForgottenCalls,
    count_of_number,
    count_old,
    forgetting,
    forgetting_call,
    ids_of,
    in_pieces,
    purging,
)
from llcphone.store.search import CallFilter

if TYPE_CHECKING:
    from llcphone.config import Config

Counts = dict[str, int]
"""How much of what, in words for a person and a program alike."""


def purge(
    *,
    number: str = "",
    call: str = "",
    config: ConfigPath = None,
    dry_run: bool = False,
    yes: Annotated[bool, Parameter(help="delete without a question")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is older than the settings allow; or all data of one person, or of one call.

    In the database, records.path, records.blackbox_dir and records.audio_dir. Of a person: calls with what
    was said, messages, notes, appointments and the customer; also what the journal has.

    Args:
        number: whose, as +<country><number>.
        call: its id, or Twilio's CallSid; all runs of a call that was resumed are deleted.
        dry_run: say what would be deleted, and delete nothing.
    """
    loaded = loaded_with_store(config)
    if number and call:
        raise ConfigError("--call", "cannot be used with --number", "purge one, then the other")
    what: OfCall | OfNumber | OfAge = OfAge(loaded)
    if number:
        what = OfNumber(loaded, number_of(number, "--number"))
    elif call:
        what = OfCall(loaded, call)
    if as_json and not (yes or dry_run):
        raise ConfigError("--json", "cannot be used with a question", "add --yes or --dry-run")
    found = what.found()
    question = f"Delete {_told(found)}?"
    if as_json and dry_run:
        print_json({"dry_run": True, **found})
    elif dry_run:
        print(f"a dry run, nothing is deleted. Without it: {question}")
    elif as_json or (agreed if yes else confirmed)(question):
        what.delete()
        print_json({"dry_run": False, **found}) if as_json else print(f"deleted {_told(found)}")
        if found["calls"] and (kept := at_twilio(loaded)):
            print(f"{' and '.join(kept)} are in Twilio's account: delete them there", file=sys.stderr)
    else:
        print("nothing was deleted")
        sys.exit(1)


def at_twilio(config: Config) -> list[str]:
    """What Twilio keeps of calls in the account, which no command here deletes."""
    kept = {
        "recordings of calls": config.transfers.record_calls,
        "messages left on voicemail": config.transfers.voicemail,
    }
    return [name for name, is_kept in kept.items() if is_kept]


def _told(found: Counts) -> str:
    *most, last = [f"{count} {what.replace('_', ' ')}" for what, count in found.items()]
    return f"{', '.join(most)} and {last}"


@attrs.frozen
class Files:
    """What is kept of calls outside the database."""

    config: Config
    number: str = attrs.field(default="", repr=False)
    """Recordings of this number are found even if their calls are in no database."""

    def delete(self, gone: ForgottenCalls, *, dry_run: bool) -> Counts:
        """Delete what there is of these calls; how much that is."""
        records, in_file = self.config.records, 0
        if not dry_run:
            self._forget_in_journal(gone.call_sids)
        if records.path:
            with _still_there("records.path"):
                in_file = record_file.forget(records.path, set(gone.call_ids), dry_run=dry_run)
        folder = Path(records.blackbox_dir)
        tapes = [folder / f"{each}.jsonl" for each in gone.call_ids] if records.blackbox_dir else []
        return {
            "record_lines": in_file,
            "tapes": _delete("records.blackbox_dir", tapes, dry_run=dry_run),
            "recordings": _delete("records.audio_dir", self._recordings(gone), dry_run=dry_run),
        }

    def _recordings(self, gone: ForgottenCalls) -> list[Path]:
        if not self.config.records.audio_dir:
            return []
        with _still_there("records.audio_dir"):
            return recordings.found(
                Path(self.config.records.audio_dir),
                call_ids=gone.call_ids,
                call_sids=gone.call_sids,
                number=self.number,
            )

    def _forget_in_journal(self, call_sids: tuple[str, ...]) -> None:
        found = settings.with_journal(self.config).journal
        if found.url and found.enabled:
            with _still_there("journal.url"):
                journal_deletion.forget(found.url, call_sids)


@attrs.frozen
class OfNumber:
    """All that is kept of one person."""

    config: Config
    number: str = attrs.field(repr=False)

    def found(self) -> Counts:
        """How much there is; nothing is changed."""
        with open_store(self.config, read_only=True) as read:
            calls = read(partial(search.page, wanted=CallFilter(number=self.number), most=None))
            counts = read(partial(count_of_number, number=self.number))
        known = ForgottenCalls(tuple(each.id for each in calls), tuple(each.call_sid for each in calls))
        return {"calls": len(calls), **counts, **Files(self.config, self.number).delete(known, dry_run=True)}

    def delete(self) -> None:
        """Delete it everywhere."""
        with open_store(self.config, read_only=False) as run:
            gone = in_pieces(forgetting(self.number), run)
        Files(self.config, self.number).delete(gone, dry_run=False)


@attrs.frozen
class OfCall:
    """All that is kept of one call."""

    config: Config
    call: str

    def found(self) -> Counts:
        """How much there is; nothing is changed."""
        with open_store(self.config, read_only=True) as read:
            known = read(partial(ids_of, call=self.call))
        ids, sids = tuple(id_ for id_, _ in known), tuple(sid for _, sid in known)
        return {"calls": len(known), **Files(self.config).delete(self._too(ids, sids), dry_run=True)}

    def delete(self) -> None:
        """Delete it everywhere."""
        with open_store(self.config, read_only=False) as run:
            gone = in_pieces(forgetting_call(self.call), run)
        Files(self.config).delete(self._too(gone.call_ids, gone.call_sids), dry_run=False)

    def _too(self, ids: tuple[str, ...], sids: tuple[str, ...]) -> ForgottenCalls:
        """What it was called by is searched for, too: its process may have been killed."""
        return ForgottenCalls((*ids, self.call), (*sids, self.call))


@attrs.frozen
class OfAge:
    """What is older than the days in ``[store]`` and ``records.audio_days``; 0 keeps for ever."""

    config: Config
    now: float = attrs.field(factory=time.time)

    @property
    def _calls_before(self) -> float:
        days = self.config.store.keep_days
        return self.now - days * DAY_S if days else -math.inf

    @property
    def _words_before(self) -> float:
        days = self.config.store.transcript_days
        return self.now - days * DAY_S if days else -math.inf

    def found(self) -> Counts:
        """How much there is; nothing is changed."""
        with open_store(self.config, read_only=True) as read:
            old = read(partial(count_old, calls_before=self._calls_before, words_before=self._words_before))
        return {"calls": old.calls, "transcripts": old.transcripts, **self._files(dry_run=True)}

    def delete(self) -> None:
        """Delete it everywhere."""
        days = self.config.store
        with open_store(self.config, read_only=False) as run:
            old = purging(now=self.now, keep_days=days.keep_days, transcript_days=days.transcript_days)
            in_pieces(old, run)
        self._files(dry_run=False)

    def _files(self, *, dry_run: bool) -> Counts:
        records, in_file = self.config.records, (0, 0)
        if records.path:
            moments = {"calls_before": self._calls_before, "words_before": self._words_before}
            with _still_there("records.path"):
                in_file = record_file.forget_old(records.path, **moments, dry_run=dry_run)
        tapes = []
        if records.blackbox_dir:
            with _still_there("records.blackbox_dir"):
                every = Path(records.blackbox_dir).glob("*.jsonl")
                tapes = [each for each in every if each.stat().st_mtime < self._calls_before]
        old = []
        if records.audio_dir:
            days = records.audio_days
            before = max(self._calls_before, self.now - days * DAY_S if days else -math.inf)
            with _still_there("records.audio_dir"):
                old = recordings.older_than(Path(records.audio_dir), before)
        return {
            "record_lines": in_file[0],
            "record_transcripts": in_file[1],
            "tapes": _delete("records.blackbox_dir", tapes, dry_run=dry_run),
            "recordings": _delete("records.audio_dir", old, dry_run=dry_run),
        }


def _delete(key: str, paths: list[Path], *, dry_run: bool) -> int:
    with _still_there(key):
        there = [each for each in paths if each.exists()]
        for each in () if dry_run else there:
            each.unlink(missing_ok=True)
    return len(there)


@contextmanager
def _still_there(key: str) -> Iterator[None]:
    """A place that cannot be read or written is named by its setting."""
    try:
        yield
    except (SQLAlchemyError, OSError) as exc:
        why = f"still has these calls, and cannot be read or written ({type(exc).__name__})"
        raise ConfigError(key, why, "make it writable, then purge again") from None
