"""The demo's simulators as the server's process sees them, and a count of what that process has open.

Each simulator is a child process with its stdin and stdout piped (``child`` says what goes through them), in
a session of its own. So Ctrl-C reaches this process alone, and the simulators end in order. Leaving
``open_simulator`` closes the child's stdin, waits a bounded time, then kills: no process stays behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import msgspec
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

T = TypeVar("T")

EXIT_S = 5.0
"""What a simulator gets to report and end, once its stdin is closed."""


@attrs.define(eq=False)
class ChildSimulator:
    """One simulator's process."""

    _process: trio.Process
    _text: bytes = b""

    async def next(self) -> dict[str, Any] | None:
        """Its next message; None when it has ended."""
        assert self._process.stdout is not None
        while b"\n" not in self._text:
            more = await self._process.stdout.receive_some()
            if not more:
                return None
            self._text += more
        line, _, self._text = self._text.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    async def order(self, word: str) -> None:
        """Instruct it what to do next; that it has ended shows in ``next``."""
        assert self._process.stdin is not None
        with contextlib.suppress(trio.BrokenResourceError):
            await self._process.stdin.send_all(word.encode() + b"\n")

    async def close_orders(self) -> None:
        """Ask it to report and to end."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()

    async def report(
        self, kind: str, type_: type[T], on_event: Callable[[dict[str, Any]], None] | None = None
    ) -> T | None:
        """Read on to a report; None when it ended without one."""
        while (message := await self.next()) is not None:
            if message["kind"] == kind:
                return msgspec.convert(message["report"], type_)
            if message["kind"] in ("event", "trouble") and on_event is not None:
                on_event(message)
        return None

    async def aclose(self) -> None:
        """See it end, by itself or killed. Bounded, whatever is cancelled around it."""
        with trio.CancelScope(shield=True):
            await self.close_orders()
            with trio.move_on_after(EXIT_S):
                while await self.next() is not None:  # a full pipe would keep it
                    pass
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            assert self._process.stdout is not None
            await self._process.stdout.aclose()


@asynccontextmanager
async def open_simulator(role: str, settings: Mapping[str, Any]) -> AsyncIterator[ChildSimulator]:
    """Run a simulator for as long as the block lasts.

    Args:
        role: ``model`` or ``phone``.
        settings: what it must know; see ``simulators`` and ``telephone``.
    """
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "llcphone.demo.simulators", role, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    simulator = ChildSimulator(process)
    try:
        yield simulator
    finally:
        await simulator.aclose()


# -- what is left -----------------------------------------------------------------------------------------


@attrs.frozen
class OpenResources:
    """What this process has open at a moment."""

    tasks: Counter[str]
    sockets: int

    @classmethod
    def count(cls) -> OpenResources:
        """Count every task below Trio's root, and every socket where the system lists them."""
        root = trio.lowlevel.current_root_task()
        tasks = Counter(_names(root)) if root is not None else Counter[str]()
        return cls(tasks, sum(map(_is_socket, _descriptors())))


def _names(task: trio.lowlevel.Task) -> Iterator[str]:
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child.name
            yield from _names(child)


def _descriptors() -> list[str]:
    try:
        return [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    except OSError:  # not Linux: tasks and the other processes' sockets must do
        return []


def _is_socket(path: str) -> bool:
    try:
        return os.readlink(path).startswith("socket:")
    except OSError:
        return False


# -- logs -------------------------------------------------------------------------------------------------


@contextmanager
def warnings_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Send llcphone's warnings to ``tell`` instead of the terminal that is being drawn on."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(record.getMessage())

    log, handler = logging.getLogger("llcphone"), Teller(logging.WARNING)
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
