"""Writes the recordings of all calls, in a thread, each once a second.

Off unless ``records.audio_dir`` is set. A disk that is full or slow never touches a call: its recording ends
before it, which is said in the log. What is in a file by then can be played, as it can be when the process is
killed. A file that somebody deletes during the call is not made again.

Callers hear `transfers.record_notice` before a call is recorded (``phone/transfers/recordings.py``). A call
that continues is recorded only if it was before: nobody says the notice twice.
"""

from __future__ import annotations

import errno
import math
import os
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from llcphone.errors import ConfigError
from llcphone.recorder.folder import older_than
from llcphone.recorder.recording import TOO_SLOW, Job, Recording, Waiting
from llcphone.recorder.wav import WIDTH, label_of, labelled
from llcphone.runtime.background import NEVER, BackgroundWriter
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import SeldomLog, logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llcphone.config import RecordsConfig
    from llcphone.recorder.wav import About

log = logger("llcphone.recorder")

in_thread = trio.to_thread.run_sync

_EVERY_S = 1.0
_SLICE = 10
"""Recordings of which is taken what came, before other tasks get their turn."""
_SPREAD_S, _PAUSE_S = 0.5, 0.01
"""How long the thread takes for all recordings, and its longest pause between two: Python runs one thread at
a time, so while it works the calls' own waits, each time for a tenth of a millisecond."""
_STUCK_S = 10.0
"""A disk that has not answered for so long gets no further calls."""
_DAY_S = 86_400.0


class Recorder:
    """The recordings of one phone."""

    def __init__(self, folder: Path, days: float) -> None:
        self.folder = folder
        self._days = days
        self._open: dict[Recording, None] = {}
        self._waiting = Waiting()
        self._faults = Faults(log)
        self._seldom = SeldomLog(log)
        self._due_at = 0.0
        self._writing_since = math.inf
        """When the thread began what it still does."""
        self._writer = BackgroundWriter(
            self._write_batch, self._due, self._faults, failed="recordings not written", pauses_s=(_EVERY_S,)
        )

    def of_call(self, about: About, *, born_at: float) -> Recording:
        """The recording of a call that is born now, at this Unix time; it begins with its stream."""
        clock = trio.lowlevel.current_clock().current_time
        return Recording(
            path=self.folder / f"{about.call}.wav",
            about=about,
            born_at=born_at,
            born_s=clock(),
            follows=self.folder / f"{about.resumed_from}.wav" if about.resumed_from else None,
            clock=clock,
            waiting=self._waiting,
            begin=self._begin,
        )

    def _begin(self, recording: Recording) -> None:
        now_s = trio.current_time()
        if now_s - self._writing_since > _STUCK_S:
            recording.ended_early = TOO_SLOW
            self._seldom.error("a call is not recorded", error=TOO_SLOW)
            return
        if not self._open:
            self._due_at = now_s + _EVERY_S
        self._open[recording] = None
        self._writer.news()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Write, and delete what is too old, until the block is left; then write the rest."""
        async with self._writer.opened("recorder"), trio.open_nursery() as nursery:
            if self._days:
                tidy = "old recordings not deleted"
                nursery.start_soon(self._faults.keep, tidy, self._keep_tidy, name="recordings' retention")
            yield
            nursery.cancel_scope.cancel(reason="leaving")

    def _due(self) -> float:
        return self._due_at if self._open else NEVER

    async def _write_batch(self) -> bool:
        """What came of each recording since the last time."""
        self._due_at = trio.current_time() + _EVERY_S
        jobs = await self._take_all()
        pause_s = 0.0 if self._writer.leaving else min(_PAUSE_S, _SPREAD_S / len(jobs))
        failed: dict[Recording, str] = {}
        self._writing_since = trio.current_time()
        with contained() as failure:
            failed = await in_thread(_write_all, jobs, pause_s, abandon_on_cancel=True)
        self._writing_since = math.inf
        for number, job in enumerate(jobs, 1):
            recording = job.recording
            recording.written(job)
            why = recording.ended_early or failed.get(recording) or "".join(failure.kinds[:1])
            recording.ended_early = why
            if why and why not in _NO_FAULT:
                self._seldom.error("a recording ends before its call", error=why)
            elif recording.dropped:
                self._seldom.error("a recording lacks audio of the caller", error=TOO_SLOW)
            if why or job.last or recording.layout.over:
                self._open.pop(recording, None)
                recording.close()
                recording.written(recording.take())  # what came meanwhile
            if number % _SLICE == 0:
                await trio.lowlevel.checkpoint()
        return True

    async def _take_all(self) -> list[Job]:
        jobs: list[Job] = []
        for recording in list(self._open):
            jobs.append(recording.take())
            if len(jobs) % _SLICE == 0:
                await trio.lowlevel.checkpoint()
        return jobs

    async def _keep_tidy(self) -> None:
        while True:
            await in_thread(_delete_old, self.folder, time.time() - self._days * _DAY_S)
            await trio.sleep(_DAY_S)


@asynccontextmanager
async def open_recorder(records: RecordsConfig) -> AsyncIterator[Recorder | None]:
    """Yield what records calls; None when ``records.audio_dir`` is not set.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    if not records.audio_dir:
        yield None
        return
    recorder = Recorder(Path(records.audio_dir), records.audio_days)
    await in_thread(_make, recorder.folder)
    async with recorder.opened():
        yield recorder


def _make(folder: Path) -> None:
    fix = "name a folder that llcphone may write"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        why = errno.errorcode.get(exc.errno or 0, "unknown error")
        raise ConfigError("records.audio_dir", f"this folder cannot be made: {why}", fix) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("records.audio_dir", "this folder cannot be written", fix)


# -- in the thread --------------------------------------------------------------------------------

_NOT_BEFORE = "the run before was not recorded"
_DELETED = "its file was deleted"
_NO_FAULT = {_NOT_BEFORE, _DELETED}


def _write_all(jobs: Sequence[Job], pause_s: float) -> dict[Recording, str]:
    """Write to each file, with pauses between; why not, by the recordings that failed."""
    failed: dict[Recording, str] = {}
    for number, job in enumerate(jobs):
        if number and pause_s:
            time.sleep(pause_s)
        if job.recording.ended_early:
            continue
        try:
            why = _write(job)
        except OSError as exc:
            why = errno.errorcode.get(exc.errno or 0, "unknown error")
        except Exception as exc:  # its text may hold audio
            why = type(exc).__name__
        if why:
            failed[job.recording] = why
    return failed


def _write(job: Job) -> str:
    """Write what there is of one; why that is not to be, if so."""
    recording = job.recording
    layout = recording.layout
    received = list(zip(job.came, job.received, strict=True))
    piece = layout.add(received, job.sent, job.now_s, last=job.last)
    job.forget()
    if piece is None:
        return ""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    label = recording.label
    if not label:
        if recording.follows is not None and not recording.follows.exists():
            return _NOT_BEFORE
        flags |= os.O_CREAT | os.O_EXCL
        assert layout.began_s is not None
        after_s = layout.began_s - recording.born_s
        about = msgspec.structs.replace(
            recording.about,
            call_sid=recording.about.call_sid or layout.call_sid,
            began_at=recording.born_at + after_s,
            after_birth_ms=round(after_s * 1000),
        )
        label = label_of(about)
    try:
        fd = os.open(recording.path, flags, 0o600)
    except FileNotFoundError:
        if not recording.label:
            raise
        return _DELETED
    try:
        recording.label = label
        head = labelled(label, layout.written)
        at = len(head) + piece.at * WIDTH
        there = (piece.agent_at - piece.at) * WIDTH
        _write_at(fd, piece.over(os.pread(fd, there, at) if there else b""), at)
        _write_at(fd, head, 0)
    finally:
        os.close(fd)
    return ""


def _write_at(fd: int, data: bytes, at: int) -> None:
    """All of it.

    Raises:
        OSError: the disk takes no more.
    """
    view = memoryview(data)
    while view:
        taken = os.pwrite(fd, view, at)
        view, at = view[taken:], at + taken


def _delete_old(folder: Path, before: float) -> None:
    for path in older_than(folder, before):
        path.unlink(missing_ok=True)
