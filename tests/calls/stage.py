"""Whole calls on loopback: server, simulated Twilio and simulated Realtime API, all real sockets.

    async with rehearsal(script=["Hello!"]) as stage:
        call = await stage.ring()
        ...
        record = await stage.record()

Everything runs on Trio's clock, so under ``autojump_clock`` minutes take milliseconds.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from llcphone import Agent, open_phone
from llcphone.server.run import serve
from llcphone.sim import voices
from llcphone.sim.model import Faults
from llcphone.sim.twilio import open_twilio
from llcphone.testing import AUTH_TOKEN as TOKEN
from llcphone.testing import Rehearsal, rehearsal_config, rehearse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llcphone import Call, CallRecord, Config, Phone
    from llcphone.engine import CallEngine
    from llcphone.phone.agents import AgentChoice
    from llcphone.sim.model import Pace
    from llcphone.sim.model.script import Scripted
    from llcphone.sim.twilio import Callee, TwilioSimulator

QUESTION = voices.load("book_table")
INTERRUPTION = voices.load("yes_please")
GOODBYE = voices.load("goodbye")

JUST_END = {"enabled": False, "apology_file": "off"}
"""``[recovery]`` for tests of how a call ends when nothing is done about a lost model."""

TRANSPORTS = [("fast", "fast"), ("trio-websocket", "quart")]
"""(model leg, phone leg): both pairs run the same calls."""


@asynccontextmanager
async def rehearsal(
    *,
    script: Scripted = None,
    agent: Agent | None = None,
    transports: tuple[str, str] = ("fast", "fast"),
    dialects: str = "ga",
    faults: Any = None,
    pace: Pace | None = None,
    callee: Callee | None = None,
    **settings: dict[str, Any],
) -> AsyncIterator[Rehearsal]:
    """A rehearsal on one transport pair; ``settings`` are sections of the TOML file."""
    wire = {"model": transports[0], "phone": transports[1], **settings.pop("wire", {})}
    dialect = {"dialect": "ga" if dialects == "ga" else "auto", **settings.pop("realtime", {})}
    async with rehearse(
        agent or Agent("Be brief."),
        script=script,
        dialects=dialects,
        faults=faults,
        pace=pace,
        callee=callee,
        settings={"wire": wire, "realtime": dialect, **settings},
    ) as stage:
        yield stage


def make_config(
    model_url: str, transports: tuple[str, str] = ("fast", "fast"), **sections: dict[str, Any]
) -> Config:
    """A rehearsal's settings on one transport pair; ``sections`` are those of the TOML file."""
    return rehearsal_config(model_url, {"wire": {"model": transports[0], "phone": transports[1]}}, sections)


@attrs.frozen
class ServedPhone:
    """A served phone and the Twilio that rings it; the model is the test's own."""

    phone: Phone
    twilio: TwilioSimulator
    records: list[CallRecord]


@asynccontextmanager
async def serve_phone(config: Config, agent: AgentChoice | None = None) -> AsyncIterator[ServedPhone]:
    """Open a phone that does not wait for its model to be well, as ``llcphone serve`` does not."""
    records: list[CallRecord] = []
    async with (
        open_phone(config, agent or Agent("Be brief."), on_record=records.append) as phone,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(serve, phone, config)
        url = f"{config.server.public_url}/twiml"
        async with open_twilio(webhook_url=url, auth_token=TOKEN) as twilio:
            yield ServedPhone(phone, twilio, records)
        await phone.drain(5)
        nursery.cancel_scope.cancel()


def engine_of(call: Call) -> CallEngine:
    """A live call's engine, for what neither its status nor its record says."""
    return call.run._core.engine


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
    gc.freeze()  # what is here is no garbage of the body: the collection after it looks at the body's alone
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
    "JUST_END",
    "QUESTION",
    "TOKEN",
    "TRANSPORTS",
    "Faults",
    "Rehearsal",
    "ServedPhone",
    "engine_of",
    "make_config",
    "nothing_left",
    "rehearsal",
    "serve_phone",
    "tasks_below",
]
