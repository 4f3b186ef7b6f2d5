"""One wait for all media sockets: the poller reads what is readable, each leg's owner decides what it means.

A task that waits for its own socket costs two system calls and a task switch per frame, and a busy
phone has thousands of frames a second. So a reader may register its leg with the poller. The reader
then parks, and the poller's task passes each complete message to the reader's ``on_message``, in
order. ``on_message`` is synchronous, as a call's step is, and runs in the reader's own context
(``contextvars``), so it makes no difference to the call which task runs it.

Everything that is not an ordinary message (the end, an error, a leg that has more than its share)
wakes the reader, which reads on its own and may register the leg again. An exception of
``on_message`` is raised in the reader, also when polling ended meanwhile: the trouble of one call
stays in that call. A leg that cannot even be woken is no longer watched; the others are served on.

The sockets stand in an epoll set of the poller's own. They are registered once, not for every frame;
Trio watches the set. A busy poller finds many frames at each turn of Trio's loop, so the turn's cost
is shared: the more calls there are, the less a frame costs.
"""

from __future__ import annotations

import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Callable

log = logger("llcphone.wire")

SOCKETS_PER_TURN = 64
"""Sockets served before the other tasks get their turn: about a millisecond."""


class Poller:
    """Watches descriptors for parked tasks."""

    def __init__(self) -> None:
        self._set = select.epoll()
        self._readable: dict[int, Callable[[], None]] = {}

    @staticmethod
    def supported() -> bool:
        """Whether this platform has what a poller needs; without it every reader waits for its own socket."""
        return hasattr(select, "epoll")

    def __len__(self) -> int:
        return len(self._readable)

    def watch(self, fd: int, readable: Callable[[], None]) -> None:
        """Call ``readable`` whenever the descriptor has something; it must not raise, and must read."""
        self._set.register(fd, select.EPOLLIN)
        self._readable[fd] = readable

    def forget(self, fd: int) -> None:
        """Watch no more; to be called before the descriptor is closed. Idempotent."""
        if self._readable.pop(fd, None) is not None and not self._set.closed:
            with suppress(OSError):  # it was closed already, so the kernel has forgotten it too
                self._set.unregister(fd)

    async def run(self) -> None:
        """Serve until cancelled."""
        poll, readable = self._set.poll, self._readable
        try:
            while True:
                await trio.lowlevel.wait_readable(self._set.fileno())
                left = SOCKETS_PER_TURN
                while left > 0 and (events := poll(0, left)):
                    left -= len(events)
                    for fd, _ in events:
                        serve = readable.get(fd)
                        if serve is not None:  # else one before it in this turn has ended it
                            try:
                                serve()
                            except Exception as exc:  # a fault of ours: no other leg waits for it
                                self.forget(fd)
                                log.error("a leg is read no more", extra={"error": type(exc).__name__})
        finally:
            self._set.close()


@attrs.define(eq=False)
class PolledReader:
    """A parked reader, whose leg the poller reads until ``end``."""

    _poller: Poller
    _fd: int
    _serve: Callable[[], bool]
    """Reads the descriptor once, and says whether the poller may go on with it."""
    _reader: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    _failure: BaseException | None = attrs.field(default=None, init=False)

    async def finished(self) -> None:
        """Wait until the reader must read on its own; raises what ``serve`` raised."""
        self._reader = trio.lowlevel.current_task()
        self._poller.watch(self._fd, partial(self._reader.context.run, self._readable))
        await trio.lowlevel.wait_task_rescheduled(self._cancelled)
        if self._failure is not None:
            raise self._failure

    def end(self, failure: BaseException | None = None) -> None:
        """The reader reads on its own, or raises. Idempotent; called before the descriptor is closed."""
        self._failure = self._failure or failure  # perhaps of a turn in which it ended before
        if (reader := self._take_back()) is not None:
            trio.lowlevel.reschedule(reader)

    def _readable(self) -> None:
        try:
            if not self._serve():
                self.end()
        except BaseException as exc:  # the reader's, not the poller's: raised where the leg belongs
            self.end(exc)

    def _cancelled(self, _: object) -> trio.lowlevel.Abort:
        self._take_back()
        return trio.lowlevel.Abort.SUCCEEDED

    def _take_back(self) -> trio.lowlevel.Task | None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._poller.forget(self._fd)
        return reader
