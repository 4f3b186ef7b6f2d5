"""The folder of recordings: what is there, and of whom. For threads and commands; no call waits for it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from llcphone.recorder.wav import NoRecording, read_head
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from llcphone.recorder.wav import Head

_CALL_ID = re.compile(r"(?:[a-z0-9]{1,16}-)?[0-9a-f]{16}")


def path_of(folder: Path, call_id: str) -> Path | None:
    """Where the recording of a call lies if there is one; None: this is the id of no call."""
    return folder / f"{call_id}.wav" if _CALL_ID.fullmatch(call_id) else None


def head_at(path: Path) -> Head | None:
    """What a file says about itself; None: there is none, or it is no recording.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return read_head(fd)
    except NoRecording:
        return None
    finally:
        os.close(fd)


def found(
    folder: Path, *, call_ids: Collection[str], call_sids: Collection[str] = (), number: str = ""
) -> list[Path]:
    """The recordings of these calls, by our id or Twilio's, and of all from or to a number.

    Each file is asked: a process that was killed has left recordings of which there is no other trace.
    """
    wanted, sids = identity(number), {sid for sid in call_sids if sid}

    def is_wanted(path: Path) -> bool:
        if path.stem in call_ids:
            return True
        with suppress(OSError):
            if (head := head_at(path)) is not None:
                numbers = {identity(head.about.caller), identity(head.about.dialled)}
                return head.about.call_sid in sids or bool(number and wanted in numbers)
        return False

    return sorted(filter(is_wanted, all_in(folder)))


def older_than(folder: Path, before: float) -> list[Path]:
    """The recordings that ended before this moment (Unix time)."""
    old = []
    for path in all_in(folder):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                old.append(path)
    return old


def all_in(folder: Path) -> Iterator[Path]:
    """Every recording; none if there is no such folder."""
    return (path for path in folder.glob("*.wav") if _CALL_ID.fullmatch(path.stem))
