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

import attrs
import trio
import trio.testing

from llcphone import Agent, Call, CallRecord, Config, Note, Phone, open_phone
from llcphone.server.run import serve
from llcphone.sim import voices
from llcphone.sim.model import Faults, ModelSession, ModelSimulator, Pace, Scripted, open_model
from llcphone.sim.phone import SimCall, TwilioSimulator, open_twilio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llcphone.server.door import Door

TOKEN = "house-token-0123456789abcdef"
QUESTION = voices.load("book_table")
INTERRUPTION = voices.load("yes_please")
GOODBYE = voices.load("goodbye")

TRANSPORTS = [("fast", "fast"), ("trio-websocket", "quart")]
"""(model leg, phone leg): both pairs run the same calls."""


@attrs.define(eq=False)
class House:
    """Everything in it, for assertions."""

    phone: Phone
    twilio: TwilioSimulator
    model: ModelSimulator
    door: Door
    config: Config
    records: list[CallRecord]
    notes: list[tuple[float, Note]]
    _recorded: trio.Condition = attrs.field(factory=trio.Condition)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def ring(self, **how: Any) -> SimCall:
        """A caller rings and the media stream starts."""
        call = await self.twilio.ring(**how)
        await call.stream_started()
        return call

    async def session(self, number: int = 1) -> ModelSession:
        """The ``number``-th call's model session; the phone's own question came before."""
        return await self.model.session(number)

    async def record(self, number: int = 1) -> CallRecord:
        """Wait for the ``number``-th call record."""
        while len(self.records) < number:
            await self._news.park()
        return self.records[number - 1]

    def keep(self, record: CallRecord) -> None:
        self.records.append(record)
        self._news.unpark_all()

    def noted(self, kind: str) -> list[Note]:
        """The notes of one kind, in order."""
        return [note for _, note in self.notes if note.kind == kind]


def make_config(model_url: str, port: int, transports: tuple[str, str], **settings: Any) -> Config:
    """A configuration for loopback; ``settings`` are sections of the TOML file."""
    data: dict[str, dict[str, Any]] = {
        "realtime": {"url": model_url, "api_key": "sk-house-0123456789"},
        "server": {"public_url": f"http://127.0.0.1:{port}", "port": port},
        "twilio": {"auth_token": TOKEN},
        "wire": {"model": transports[0], "phone": transports[1]},
        "records": {"transcript": True},
    }
    for section, values in settings.items():
        data.setdefault(section, {}).update(values)
    return Config.from_dict(data)


@asynccontextmanager
async def open_house(
    *,
    script: Scripted = None,
    agent: Agent | None = None,
    transports: tuple[str, str] = ("fast", "fast"),
    dialects: str = "ga",
    faults: Any = None,
    pace: Pace | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Open all four parties; leaving drains the phone."""
    settings.setdefault("realtime", {}).setdefault("dialect", "ga" if dialects == "ga" else "auto")
    options: dict[str, Any] = {"dialects": dialects}
    if pace is not None:
        options["pace"] = pace
    async with open_model(script, **options) as model:
        port = free_port()
        config = make_config(model.url, port, transports, **settings)
        records: list[CallRecord] = []
        notes: list[tuple[float, Note]] = []
        house: House | None = None

        def keep(record: CallRecord) -> None:
            assert house is not None
            house.keep(record)

        def note(call: Call, what: Note) -> None:
            notes.append((trio.current_time(), what))

        async with open_phone(config, agent or Agent("Be brief."), on_record=keep, on_note=note) as phone:
            await phone.endpoint.accepted.wait()
            model.sessions.clear()  # the phone's own question
            if faults is not None:
                model.faults = faults
            async with trio.open_nursery() as nursery:
                door: Door = await nursery.start(serve, phone, config)
                url = f"http://127.0.0.1:{port}/twiml"
                async with open_twilio(webhook_url=url, auth_token=TOKEN) as twilio:
                    house = House(phone, twilio, model, door, config, records, notes)
                    yield house
                await phone.drain(5)
                door.stop_accepting()


def free_port() -> int:
    """A port nobody listens on."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def task_names() -> Counter[str]:
    """Every task below the root, by name."""

    def walk(task: trio.lowlevel.Task) -> Iterator[str]:
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield child.name
                yield from walk(child)

    root = trio.lowlevel.current_root_task()
    return Counter(walk(root)) if root is not None else Counter()


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
]
