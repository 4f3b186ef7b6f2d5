"""A whole house on loopback: server, simulated Twilio and simulated Realtime API, all real sockets.

    async with open_house(script=["Hello!"]) as house:
        call = await house.ring()
        ...
        record = await house.record()

Everything runs on Trio's clock, so under ``autojump_clock`` minutes take milliseconds.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from llcphone import Agent
from llcphone.rehearsal import AUTH_TOKEN as TOKEN
from llcphone.rehearsal import Stage, rehearse
from llcphone.sim import voices
from llcphone.sim.model import Faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llcphone.sim.model import Pace, Scripted

QUESTION = voices.load("book_table")
INTERRUPTION = voices.load("yes_please")
GOODBYE = voices.load("goodbye")

TRANSPORTS = [("fast", "fast"), ("trio-websocket", "quart")]
"""(model leg, phone leg): both pairs run the same calls."""


House = Stage


@asynccontextmanager
async def open_house(
    *,
    script: Scripted = None,
    agent: Agent | None = None,
    transports: tuple[str, str] = ("fast", "fast"),
    dialects: str = "ga",
    faults: Any = None,
    pace: Pace | None = None,
    **settings: dict[str, Any],
) -> AsyncIterator[House]:
    """A rehearsal on one transport pair; ``settings`` are sections of the TOML file."""
    wire = {"model": transports[0], "phone": transports[1], **settings.pop("wire", {})}
    dialect = {"dialect": "ga" if dialects == "ga" else "auto", **settings.pop("realtime", {})}
    async with rehearse(
        agent or Agent("Be brief."),
        script=script,
        dialects=dialects,
        faults=faults,
        pace=pace,
        settings={"wire": wire, "realtime": dialect, **settings},
    ) as house:
        yield house


def task_names() -> Counter[str]:
    """Every task below the root, by name."""

    def walk(task: trio.lowlevel.Task) -> Iterator[str]:
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield child.name
                yield from walk(child)

    root = trio.lowlevel.current_root_task()
    return Counter(walk(root)) if root is not None else Counter()


def tasks_below(nursery: trio.Nursery) -> list[str]:
    """The names of a nursery's own children, sorted."""
    return sorted(task.name for task in nursery.child_tasks)


def open_fds() -> Counter[str]:
    """What this process has open, by kind (``socket``, ``anon_inode`` ...)."""
    kinds: Counter[str] = Counter()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            kinds[os.readlink(fd).split(":")[0]] += 1
        except OSError:
            continue
    return kinds


@asynccontextmanager
async def nothing_left(settle_s: float = 3.0) -> AsyncIterator[None]:
    """Assert that the body leaves as many tasks and descriptors as it found."""
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    tasks, fds = task_names(), open_fds()
    yield
    await trio.sleep(settle_s)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    assert task_names() == tasks
    assert open_fds() == fds


__all__ = [
    "GOODBYE",
    "INTERRUPTION",
    "QUESTION",
    "TOKEN",
    "TRANSPORTS",
    "Faults",
    "House",
    "nothing_left",
    "open_house",
    "tasks_below",
]
