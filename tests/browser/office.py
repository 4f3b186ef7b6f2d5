"""A server whose console shows neither words nor numbers until somebody asks, and callers who hold the line.

    python -m tests.browser.office CALLS [no-store]

It prints a link, the live calls, and what viewers have added to the loop; and the same again for each line
of its input: for ``look`` with a link that may not act; ``end`` ends the first call before. It has a doctor,
with a report of one finding of each kind, and ends when it is drained.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.console.access import link
from llcphone.console.console import Operations
from llcphone.sim.model import Say
from tests.console.browser import KEY, READ_KEY, console_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.console.console import Console
    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

CALLER = "+155512301{:02}"
DRAIN_S = 5.0
RING_AT_ONCE = 5
"""So that each is answered in time on a busy machine."""
FINDINGS = [
    {"check": "configuration", "status": "pass", "evidence": "read: llcphone.toml"},
    {
        "check": "snapshot",
        "status": "warn",
        "evidence": "none is known-good",
        "fix": "llcphone snapshot save <name>",
    },
    {
        "check": "webhook",
        "status": "fail",
        "evidence": "the number has another URL",
        "fix": "llcphone number set",
    },
    {
        "check": "clock",
        "status": "unknown",
        "evidence": "no server of time answers",
        "fix": "check UDP port 123",
    },
]
SETTINGS = [
    ("server.port", "8081", "llcphone.toml"),
    ("server.host", "127.0.0.1", "default"),
    ("agent.instructions", "You are the receptionist of Casa Verde. " * 12, "llcphone.toml"),
    ("realtime.api_key", "sk-…", ".env"),
]
HOSTILE = "<img src=x onerror=alert(1)> \u202egnirts & <script>alert(2)</script>"


class Added(trio.abc.Instrument):
    """What viewers add to the wait of anybody else, for each pass of Trio's loop.

    It is the time that the console's live task had on the processor. Neither what the process waited for
    one nor what the collector of garbage took is in it.
    """

    def __init__(self) -> None:
        self.us: list[int] = []
        """Of the passes in which viewers were served."""
        self._pass_ns = self._began_ns = self._collected_ns = 0
        gc.callbacks.append(self._collecting)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == "live calls":
            self._began_ns = time.thread_time_ns()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._began_ns:
            self._pass_ns += time.thread_time_ns() - self._began_ns
            self._began_ns = 0

    def before_io_wait(self, timeout: float) -> None:
        if self._pass_ns:
            self.us.append(self._pass_ns // 1000)
            self._pass_ns = 0

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collected_ns = time.thread_time_ns()
        elif self._began_ns:
            self._began_ns += time.thread_time_ns() - self._collected_ns


async def main(count: int, *options: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    store = {} if "no-store" in options else {"store": {"url": f"sqlite:///{os.getcwd()}/office.db"}}
    rehearse = {"script": [[Say(HOSTILE)]], **store}
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        drain = trio.Event()
        operations = Operations(
            drain=drain.set,
            doctor=[
                sys.executable,
                "-c",
                f"print({json.dumps(json.dumps({'ok': False, 'findings': FINDINGS}))})",
            ],
            settings=SETTINGS,
        )
        async with (
            console_of(sockets={}, rehearse=rehearse, operations=operations) as (console, _, stage),
            trio.open_nursery() as tasks,
        ):
            calls: list[SimCall] = []
            few = trio.CapacityLimiter(RING_AT_ONCE)

            async def ring(number: int) -> None:
                async with few:
                    calls.append(await stage.ring(from_=CALLER.format(number)))

            async with trio.open_nursery() as callers:
                for number in range(count):
                    callers.start_soon(ring, number, name=f"caller {number}")
            added = Added()
            trio.lowlevel.add_instrument(added)
            tell_all = partial(tell, console, stage, added)
            tell_all(KEY)
            tasks.start_soon(obey, stage, calls, tell_all)
            tasks.start_soon(end_when_drained, drain, stage, tasks)
            async for _ in signals:
                break
            for call in calls:
                call.hang_up()
            tasks.cancel_scope.cancel()


async def end_when_drained(asked: trio.Event, stage: Rehearsal, tasks: trio.Nursery) -> None:
    await asked.wait()
    await stage.phone.drain(DRAIN_S)
    tasks.cancel_scope.cancel(reason="drained")


async def obey(stage: Rehearsal, calls: list[SimCall], tell_all: Callable[[str], None]) -> None:
    while True:
        await trio.lowlevel.wait_readable(0)
        asked = os.read(0, 100).decode().strip()
        if asked == "end":
            calls.pop(0).hang_up()
            await stage.record(1)
        tell_all(READ_KEY if asked == "look" else KEY)


def tell(console: Console, stage: Rehearsal, added: Added, key: str) -> None:
    told = {
        "url": link(console.origin, key),
        "origin": console.origin,
        "port": console.port,
        "calls": [call.call_id for call in stage.phone.calls()],
        "added_us": added.us,
    }
    added.us = []
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), *sys.argv[2:])
