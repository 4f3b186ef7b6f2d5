"""Call records as JSON lines, written in a thread so that a slow disk never meets audio.

``open_phone`` opens the file outside the calls' nursery: it flushes after the last call has given its record,
bounded, because a dead disk must not keep a process alive.
"""

from __future__ import annotations

import fcntl
import math
import os
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator

    from llcphone.call.record import CallRecord

log = logger("llcphone.store")

_MOST_WAITING = 10_000


@asynccontextmanager
async def open_record_file(path: str | Path) -> AsyncIterator[Callable[[CallRecord], None]]:
    """Append records to a file, mode 0600; yields a synchronous ``keep(record)``."""
    waiting: list[CallRecord] = []

    def keep(record: CallRecord) -> None:
        if len(waiting) < _MOST_WAITING:
            waiting.append(record)
            writer.news()
        else:
            log.error("call record lost: the disk is too slow", extra={"call": record.call_id})

    async def write() -> bool:
        batch = waiting.copy()
        waiting.clear()
        await _write(Path(path), batch)
        return True

    due = lambda: NOW if waiting else NEVER  # noqa: E731
    writer = BackgroundWriter(write, due, Faults(log), failed="call record lost")
    async with writer.opened("record writer"):
        yield keep


async def _write(path: Path, batch: list[CallRecord]) -> None:
    lost = len(batch)
    with contained() as failure:
        lost = await trio.to_thread.run_sync(_append, path, batch, abandon_on_cancel=True)
    if lost:
        log.error("call record lost", extra={"errors": failure.kinds, "records": lost})


def _append(path: Path, batch: list[CallRecord]) -> int:
    """In a thread, the encoding too: an hour's call takes milliseconds of it. How many could not be written.

    Raises:
        OSError: the file takes nothing, or not all; then it ends where it ended before.
    """
    lines = [line for record in batch if (line := _line(record))]
    with _locked(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as fd:
        _write_all(fd, b"".join(lines))
    return len(batch) - len(lines)


def forget(path: str | Path, call_ids: Collection[str], *, dry_run: bool = False) -> int:
    """Take the records of these calls out of the file, which another process may be writing. How many.

    Raises:
        OSError: the file cannot be read or written; then it is as it was.
    """
    if not call_ids:
        return 0
    return _change(Path(path), lambda line: b"" if _Kept.of(line).call_id in call_ids else line, dry_run)


def forget_old(
    path: str | Path, *, calls_before: float, words_before: float, dry_run: bool = False
) -> tuple[int, int]:
    """Take out calls that ended before a moment, and the words of those before another. How many of each.

    Raises:
        OSError: the file cannot be read or written; then it is as it was.
    """

    def without_words(line: bytes) -> bytes:
        kept = _Kept.of(line)
        if not kept.transcript or kept.ended_at >= words_before:
            return line
        return msgspec.json.encode(msgspec.json.decode(line) | {"transcript": []}) + b"\n"

    def without_call(line: bytes) -> bytes:
        kept = _Kept.of(line)
        return b"" if kept.call_id and kept.ended_at < calls_before else line

    calls = _change(Path(path), without_call, dry_run)
    return calls, _change(Path(path), without_words, dry_run)


def _change(path: Path, change: Callable[[bytes], bytes], dry_run: bool) -> int:
    """Replace lines of the file, by nothing if need be; how many are others now."""
    if not path.exists():
        return 0
    with _locked(path, os.O_RDONLY) as fd:
        before = path.read_bytes().splitlines(keepends=True)
        after = [change(line) for line in before]
        changed = sum(new != old for new, old in zip(after, before, strict=True))
        if changed and not dry_run:
            other = path.with_name(f"{path.name}.new")
            new = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.fstat(fd).st_mode & 0o777)
            try:
                _write_all(new, b"".join(after))
                os.fsync(new)
            finally:
                os.close(new)
            other.replace(path)
    return changed


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    """The file, locked against other writers and against being replaced."""
    while True:
        fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            ours, there = os.fstat(fd), path.stat() if path.exists() else None
            if there is not None and (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
                yield fd
                return
        finally:
            os.close(fd)  # and the lock


class _Kept(msgspec.Struct):
    """What a line says of its call; a line that is no record says nothing."""

    call_id: str = ""
    born_at: float = math.inf
    duration_s: float = 0.0
    transcript: list[msgspec.Raw] = []

    @property
    def ended_at(self) -> float:
        return self.born_at + self.duration_s

    @classmethod
    def of(cls, line: bytes) -> _Kept:
        try:
            return msgspec.json.decode(line, type=cls)
        except msgspec.DecodeError:
            return cls()


def _line(record: CallRecord) -> bytes:
    """A record as a line; empty: it cannot be written."""
    with contained() as failure:
        return msgspec.json.encode(record.as_dict()) + b"\n"
    log.error("call record cannot be written", extra={"call": record.call_id, "errors": failure.kinds})
    return b""


def _write_all(fd: int, text: bytes) -> None:
    """Write all of it or nothing: half a line would spoil the next one too."""
    end, left = os.fstat(fd).st_size, text
    try:
        while left:
            left = left[os.write(fd, left) :]
    except OSError:
        if len(left) < len(text):
            os.ftruncate(fd, end)
        raise
