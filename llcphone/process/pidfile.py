"""Which process serves: a small JSON file, written once it listens and removed when it ends.

The system reuses pids, so the file also holds the start time of the process, by a clock that cannot be set.
It holds the command, so that the server can be started in the same way again, and the address where it
listens: health requests go there, even if the settings have changed since.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil  # type: ignore[import-untyped]

from llcphone.runtime.host import PROCESS
from llcphone.runtime.log_lines import logger
from llcphone.server.port_owners import began, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator


log = logger("llcphone.process")

REPLACE = "--replace"
"""The option of ``serve`` that is for one start only."""

_SAME_S = 0.2
"""Two readings of when a process began differ by less, where it is read with a rounding."""


class PidFile(msgspec.Struct, frozen=True):
    """One serving process, as its file describes it."""

    pid: int
    created: float
    """When the process began (``port_owners.began``)."""
    boot: str
    """Which start of the system that counts from."""
    pids: str
    """Among which processes the number counts: a container has its own."""
    host: str
    """As it was configured."""
    port: int
    identity: str
    """What its ``/healthz`` says."""
    handover: str
    """Where the next process asks for its port; "": nowhere."""
    argv: list[str]
    cwd: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs, as far as can be seen from here."""
        return self.boot == _boot() and self.pids == _pids() and running(self.pid, self.created)

    @property
    def elsewhere(self) -> bool:
        """Whether it is a process of another container, which cannot be seen from here."""
        return self.boot == _boot() and self.pids != _pids()

    @property
    def settings(self) -> str:
        """The settings file it was started with."""
        return settings_of(self.argv, self.cwd)


def _boot() -> str:
    return _text_of("/proc/sys/kernel/random/boot_id")


def _pids() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return ""


def running(pid: int, created: float | None = None) -> bool:
    """Whether a process runs (a zombie does not); without ``created``, whichever has this pid."""
    try:
        process = psutil.Process(pid)
        if created is not None and abs(began(pid) - created) > _SAME_S:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def read_pid_file(path: str) -> PidFile | None:
    """What the file says; None when there is none, or it cannot be read."""
    return _read(path)[0]


def trouble_with(path: str) -> str:
    """Why a pid file cannot be read; "" when it can, or there is none."""
    return _read(path)[1]


def _read(path: str) -> tuple[PidFile | None, str]:
    if not path:
        return None, ""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=PidFile), ""
    except FileNotFoundError:
        return None, ""
    except OSError as exc:
        return None, exc.strerror or type(exc).__name__
    except msgspec.DecodeError:
        return None, "it is not one that this version writes"


def forget(path: str) -> None:
    """Remove a pid file that is not true any more."""
    with suppress(OSError):
        Path(path).unlink()


def own_pid_file(host: str, port: int, handover: str = "") -> PidFile:
    pid, words = os.getpid(), [each for each in sys.argv[1:] if each != REPLACE]
    argv = [sys.executable, "-m", "llcphone", *words]
    cwd = str(Path.cwd())
    return PidFile(pid, began(pid), _boot(), _pids(), host, port, PROCESS, handover, argv, cwd)


@contextmanager
def written(path: str, pid_file: PidFile) -> Iterator[None]:
    """Say in the file that this process serves, for as long as the block lasts."""
    if not path:
        yield
        return
    file = Path(path).absolute()
    fresh = file.with_name(f"{file.name}.{pid_file.pid}")
    try:
        fresh.write_bytes(msgspec.json.encode(pid_file) + b"\n")
        fresh.chmod(0o600)
        fresh.replace(file)
    except OSError as exc:  # a folder that may not be written is no reason to take no calls
        log.warning("no pid file", extra={"error": exc.strerror})
    try:
        yield
    finally:
        # A successor may have written its own meanwhile: that one stays.
        if (now := read_pid_file(str(file))) is not None and now.pid == pid_file.pid:
            with suppress(OSError):
                file.unlink()
