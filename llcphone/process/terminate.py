"""Ending a process: TERM, patience, KILL; and how long patience is."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import trio

from llcphone.process.pidfile import running

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 0.1
KILLED_S = 5.0
"""What the system gets to clear a killed process away."""
TOLD_EVERY_S = 10.0


async def gone(
    pid: int, created: float, within_s: float, tell: Callable[[float], None] | None = None
) -> bool:
    """Wait for the end of a process; ``tell`` receives the seconds waited, every ``TOLD_EVERY_S``."""
    began_s = told_s = trio.current_time()
    while running(pid, created):
        now_s = trio.current_time()
        if now_s - began_s >= within_s:
            return False
        if tell is not None and now_s - told_s >= TOLD_EVERY_S:
            told_s = now_s
            tell(now_s - began_s)
        await trio.sleep(EVERY_S)
    return True


async def end(
    pid: int, created: float, patience_s: float, tell: Callable[[float], None] | None = None
) -> str:
    """TERM, then KILL once patience is over; says how it ended: "ended", "killed", "stays" or "forbidden"."""
    try:
        terminate(pid, created)
        if await gone(pid, created, patience_s, tell):
            return "ended"
        return await kill(pid, created)
    except PermissionError:
        return "forbidden"


def terminate(pid: int, created: float) -> None:
    """Ask a process to end.

    Raises:
        PermissionError: it is another user's.
    """
    _signal(pid, created, signal.SIGTERM)


async def kill(pid: int, created: float) -> str:
    """End a process at once; says how it ended, as `end`."""
    try:
        _signal(pid, created, signal.SIGKILL)
    except PermissionError:
        return "forbidden"
    return "killed" if await gone(pid, created, KILLED_S) else "stays"


def _signal(pid: int, created: float, number: signal.Signals) -> None:
    if running(pid, created):  # right before it: the number may be somebody else's by now
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            try:
                psutil.Process(pid).send_signal(number)
            except psutil.AccessDenied:
                raise PermissionError from None
