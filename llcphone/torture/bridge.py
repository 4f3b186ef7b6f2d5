"""The bridge under trial: a process of its own, and what the system says that it holds.

Everything is judged from outside. Descriptors, memory and CPU come out of /proc, summed over the process and
its children; where there is no /proc they are not measured.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from llcphone.torture.profile import Place, Profile, ProfileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LAST_WORDS = 8
"""Lines of its output that are shown when a bridge does not start."""
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@attrs.frozen
class Usage:
    """What a process and its children use at a moment."""

    descriptors: int
    rss_kb: int
    cpu_s: float


class Bridge(Protocol):
    def usage(self) -> Usage | None:
        """What it uses now; None where that cannot be known."""

    def terminate(self) -> None:
        """What a service manager does to stop it: SIGTERM."""

    async def exited(self) -> None:
        """Wait until it has ended."""

    @property
    def has_ended(self) -> bool:
        """Whether it has."""


@attrs.define(eq=False)
class BridgeProcess:
    """A bridge as it runs in the world."""

    process: trio.Process

    def usage(self) -> Usage | None:
        try:
            return usage_of(self.process.pid)
        except OSError:
            return None

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exited(self) -> None:
        await self.process.wait()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None


@asynccontextmanager
async def start_process(profile: Profile, place: Place) -> AsyncIterator[Bridge]:
    """Start a bridge and wait until it accepts connections; whatever happens, it and its children are ended.

    Raises:
        ProfileError: it does not start.
    """
    output = Path(place.folder) / "output.log"
    with output.open("wb") as log:
        try:
            process = await trio.lowlevel.open_process(
                [place.fill(word) for word in profile.words()],
                cwd=place.fill(profile.cwd) or place.folder,
                env=place.environment(profile, dict(os.environ)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ProfileError(f"{profile.name} cannot be started: {error}") from None
    try:
        await _until_it_accepts(profile, place, process, output)
        yield BridgeProcess(process)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own: children go with it
        with trio.CancelScope(shield=True):
            await process.wait()


async def _until_it_accepts(profile: Profile, place: Place, process: trio.Process, output: Path) -> None:
    with trio.move_on_after(profile.start_s):
        while process.poll() is None:
            with contextlib.suppress(OSError):
                stream = await trio.open_tcp_stream("127.0.0.1", place.port)
                await stream.aclose()
                return
            await trio.sleep(0.05)
    what = "does not accept connections" if process.poll() is None else "ended at its start"
    raise ProfileError("\n  ".join([f"{profile.name} {what}; its last words:", *_last_words(output)]))


def _last_words(output: Path) -> list[str]:
    return output.read_text("utf-8", "replace").splitlines()[-LAST_WORDS:]


def usage_of(pid: int) -> Usage | None:
    """What a process and its descendants use, by /proc; None elsewhere."""
    proc = Path("/proc")
    if not (proc / "self" / "fd").is_dir():
        return None
    children: dict[int, list[int]] = {}
    stats: dict[int, list[str]] = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                stats[int(folder.name)] = fields
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    descriptors, pages, ticks = 0, 0, 0
    family = [pid]
    for each in family:  # grows while we look
        family += children.get(each, [])
        if each in stats:
            descriptors += len(os.listdir(proc / str(each) / "fd"))
            pages += int(stats[each][21])
            ticks += int(stats[each][11]) + int(stats[each][12])
    return Usage(descriptors, pages * _PAGE // 1024, ticks / _TICKS)
