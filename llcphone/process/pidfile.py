"""Which process serves: a small JSON file, written once it listens and removed when it ends.

A pid alone proves nothing, for the system gives it to somebody else in time; with the moment that process
began it does. Who started it, and how, stands there too, so that it can be started again like that.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil  # type: ignore[import-untyped]

from llcphone.server.identity import PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterator


log = logging.getLogger("llcphone.process")

_SAME_S = 0.2
"""Two readings of when a process began differ by less."""


class Mark(msgspec.Struct, frozen=True):
    """One serving process as its file tells."""

    pid: int
    created: float
    """When the process began, as the system has it."""
    port: int
    identity: str
    """What its ``/healthz`` says."""
    argv: list[str]
    cwd: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return running(self.pid, self.created)


def running(pid: int, created: float | None = None) -> bool:
    """Whether a process runs; one that waits to be reaped does not.

    Args:
        pid: its number.
        created: when it began; None takes whoever has the number.
    """
    try:
        process = psutil.Process(pid)
        if created is not None and abs(process.create_time() - created) > _SAME_S:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def read_mark(path: str) -> Mark | None:
    """What the file says; None when there is none, or it cannot be read."""
    if not path:
        return None
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


def forget(path: str) -> None:
    """Remove a pid file that is not true any more."""
    with suppress(OSError):
        Path(path).unlink()


def own_mark(port: int) -> Mark:
    """This process's."""
    argv = [sys.executable, "-m", "llcphone", *sys.argv[1:]]
    return Mark(os.getpid(), psutil.Process().create_time(), port, PROCESS, argv, str(Path.cwd()))


@contextmanager
def marked(path: str, port: int) -> Iterator[None]:
    """Say in the file that this process serves, for as long as the block lasts."""
    if not path:
        yield
        return
    file = Path(path).absolute()
    mark = own_mark(port)
    fresh = file.with_name(f"{file.name}.{mark.pid}")
    try:
        fresh.write_bytes(msgspec.json.encode(mark) + b"\n")
        fresh.chmod(0o600)
        fresh.replace(file)
    except OSError as exc:  # a folder that may not be written is no reason to take no calls
        log.warning("no pid file", extra={"error": exc.strerror})
    try:
        yield
    finally:
        # A successor may have written its own meanwhile: that one stays.
        if (now := read_mark(str(file))) is not None and now.pid == mark.pid:
            with suppress(OSError):
                file.unlink()
