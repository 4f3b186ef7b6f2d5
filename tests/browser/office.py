"""A server whose console shows neither words nor numbers until somebody asks, and callers who hold the line.

    python -m tests.browser.office CALLS

It prints a link, and another for each line of its input: for ``look`` one that may not act; ``end`` ends the
first call before.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import trio

from llcphone.console.access import link
from llcphone.sim.model import Say
from tests.console.browser import KEY, READ_KEY, console_of

if TYPE_CHECKING:
    from llcphone.console.console import Console
    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

CALLER = "+155512301{:02}"
HOSTILE = "<img src=x onerror=alert(1)> \u202egnirts & <script>alert(2)</script>"


async def main(count: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    rehearse = {"script": [[Say(HOSTILE)]], "store": {"url": f"sqlite:///{os.getcwd()}/office.db"}}
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with (
            console_of(sockets={}, rehearse=rehearse) as (console, _, stage),
            trio.open_nursery() as tasks,
        ):
            calls = [await stage.ring(from_=CALLER.format(number)) for number in range(count)]
            tell(console, KEY)
            tasks.start_soon(obey, console, stage, calls)
            async for _ in signals:
                break
            for call in calls:
                call.hang_up()
            tasks.cancel_scope.cancel()


async def obey(console: Console, stage: Rehearsal, calls: list[SimCall]) -> None:
    while True:
        await trio.lowlevel.wait_readable(0)
        asked = os.read(0, 100).decode().strip()
        if asked == "end":
            calls.pop(0).hang_up()
            await stage.record(1)
        tell(console, READ_KEY if asked == "look" else KEY)


def tell(console: Console, key: str) -> None:
    told = {"url": link(console.origin, key), "origin": console.origin, "port": console.port}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
