"""Call records as JSON lines, written in a thread so that a slow disk never meets audio.

``open_record_file`` is the outermost of the server's contexts: it flushes after the last call has
given its record, bounded, because a dead disk must not keep a process alive.
"""

from __future__ import annotations

import logging
import math
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from llcphone.call.record import CallRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log = logging.getLogger("llcphone.store")

_FLUSH_S = 5.0
_MOST_WAITING = 10_000


@asynccontextmanager
async def open_record_file(path: str | Path) -> AsyncIterator[Callable[[CallRecord], None]]:
    """Append records to a file, mode 0600; yields a synchronous ``keep(record)``."""
    send, receive = trio.open_memory_channel[CallRecord](_MOST_WAITING)
    finished = trio.Event()

    def keep(record: CallRecord) -> None:
        try:
            send.send_nowait(record)
        except trio.WouldBlock:
            log.error("call record lost: the disk is too slow", extra={"call": record.call_id})

    async def write() -> None:
        async for record in receive:
            batch = [record]
            while True:
                try:
                    batch.append(receive.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
            try:
                await trio.to_thread.run_sync(_append, Path(path), batch, abandon_on_cancel=True)
            except OSError as exc:
                log.error("call record lost", extra={"error": type(exc).__name__, "records": len(batch)})
        finished.set()

    async with trio.open_nursery() as nursery:
        # Records of calls that were cancelled from outside must still be written.
        nursery.cancel_scope.shield = True
        nursery.start_soon(write, name="record writer")
        try:
            yield keep
        finally:
            send.close()
            with trio.CancelScope(deadline=trio.current_time() + _FLUSH_S, shield=True):
                await finished.wait()
            nursery.cancel_scope.deadline = -math.inf


def _append(path: Path, batch: list[CallRecord]) -> None:
    """In a thread, the encoding too: an hour's call takes milliseconds of it."""
    text = b"".join(msgspec.json.encode(one.as_dict()) + b"\n" for one in batch)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)
