"""Black boxes: one file per call with everything its engine was given and decided, for ``llcphone replay``.

Off unless ``records.blackbox_dir`` is set. ``engine.tape`` says what is written and what is left out; this
module has only the files. Lines are put in memory by the call's own step and
written by a thread, some at a time, so that a slow disk never meets audio. Two limits: each call has
``TAPE_LIMIT`` bytes, and all that waits for the disk together has 64 MiB. At either the
tape says that it was cut, and the call continues without it.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.engine.tape.recorder import Recorder, cut_line
from llcphone.errors import ConfigError
from llcphone.runtime.background import NEVER, BackgroundWriter
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llcphone.call.services import Taping
    from llcphone.config import RecordsConfig
    from llcphone.engine.call import CallEngine

log = logger("llcphone.blackbox")

_in_thread = trio.to_thread.run_sync

TAPE_LIMIT = 16 * 2**20
"""Bytes of one call's tape, about an hour of talk."""
_BATCH_S = 0.5
_MOST_WAITING = 64 * 1024 * 1024
_CUT_LINE = 128
"""Bytes kept free in every box for the line that says why it ends."""


@attrs.define(eq=False)
class BlackBox:
    """One call's file, and what waits to be written to it."""

    path: Path
    room: int
    """Bytes it may still take."""
    boxes: BlackBoxes
    waiting: list[bytes] = attrs.field(factory=list)
    broken: bool = False
    """The disk has refused it."""

    def write(self, line: bytes) -> bool:
        """Keep a line; False when there will be no more."""
        if self.broken or len(line) > self.room - _CUT_LINE:
            return self._cut("the limit of one tape")
        if self.boxes.waiting + len(line) > _MOST_WAITING:
            return self._cut("the disk is too slow")
        self._keep(line)
        return True

    def _cut(self, why: str) -> bool:
        if not self.broken:
            self._keep(cut_line(why))
        return False

    def _keep(self, line: bytes) -> None:
        self.room -= len(line)
        self.waiting.append(line)
        self.boxes.has_news(self, len(line))


class BlackBoxes:
    """The boxes with something to write."""

    def __init__(self) -> None:
        self.waiting = 0
        """Bytes that are not on disk yet."""
        self.writer = BackgroundWriter(
            self._write_batch, self._due, Faults(log), failed="tapes not written", pauses_s=(_BATCH_S,)
        )
        self._dirty: dict[BlackBox, None] = {}
        self._due_at = 0.0

    def has_news(self, box: BlackBox, size: int) -> None:
        """This box has that many more bytes to write."""
        if not self._dirty:
            self._due_at = trio.current_time() + _BATCH_S
        self.waiting += size
        self._dirty[box] = None
        self.writer.news()

    def _due(self) -> float:
        return self._due_at if self._dirty else NEVER

    async def _write_batch(self) -> bool:
        batch = {box: b"".join(box.waiting) for box in self._dirty}
        for box in batch:
            box.waiting.clear()
        self._dirty.clear()
        work = [(box.path, text) for box, text in batch.items() if not box.broken]
        failed: dict[Path, str] = {}
        with contained() as failure:
            failed = await _in_thread(_append_all, work, abandon_on_cancel=True)
        if failure.error is not None:
            failed = {box.path: failure.kinds[0] for box in batch}
        for box, text in batch.items():
            self.waiting -= len(text)
            if (error := failed.get(box.path)) is not None:
                box.broken = True
                log.error("tape lost", extra={"call": box.path.stem, "error": error})
        return True


@asynccontextmanager
async def open_black_boxes(records: RecordsConfig) -> AsyncIterator[Taping | None]:
    """Yield what gives each call its recorder; None when black boxes are off.

    Raises:
        ConfigError: the folder cannot be made.
    """
    if not records.blackbox_dir:
        yield None
        return
    folder = Path(records.blackbox_dir)
    version = importlib.metadata.version("llcphone")
    boxes = BlackBoxes()

    def tape(call_id: str, engine: CallEngine) -> Recorder:
        box = BlackBox(folder / f"{call_id}.jsonl", TAPE_LIMIT, boxes)
        return Recorder(engine, box.write, version=version)

    await _in_thread(_make, folder)
    async with boxes.writer.opened("black boxes"):
        yield tape


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        why = errno.errorcode.get(exc.errno or 0, "unknown error")
        raise ConfigError(
            "records.blackbox_dir",
            f"this folder cannot be made: {why}",
            "name a folder that llcphone may write",
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _append_all(work: Sequence[tuple[Path, bytes]]) -> dict[Path, str]:
    """Append to each file; the types of error by the files that failed."""
    failed: dict[Path, str] = {}
    for path, text in work:
        try:
            with open(path, "ab", opener=_private) as file:
                file.write(text)
        except (OSError, ValueError) as exc:
            failed[path] = type(exc).__name__
    return failed
