"""A node hangs: its callers talk again on the other one, the watchdog ends it, and its log says where.

The test plays systemd's part, as the unit of ``llcphone unit systemd --nodes`` asks for it: a process whose
sign of life is late gets SIGABRT, and is started again.
"""

from __future__ import annotations

import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone.process.units import NODE_WATCHDOG_S
from llcphone.sim import voices
from llcphone.sim.model import CallTool
from tests.calls.test_kill_nine import speak
from tests.nodes.cluster import open_cluster, until
from tests.nodes.lost import in_mid_answer, lose, lose_by, stalled_s
from tests.nodes.test_lost_nodes import FROZEN_S, check
from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from llcphone.sim.model import Say
    from tests.nodes.cluster import Cluster, Node

pytestmark = pytest.mark.slow

COUNT = 8
AGENT = """
import time
from pathlib import Path

from llcphone import Agent

agent = Agent("You answer the telephone of a bakery.")


@agent.tool
async def look_up() -> str:
    "Look up an order."
    Path("hangs").touch()
    time.sleep(60)
    return "It is ready."
"""
PLACE = f'agent.py", line {AGENT.splitlines().index("    time.sleep(60)") + 1} in look_up'
"""As Python's own watch names it."""


@attrs.define(eq=False)
class Watchdog:
    """What systemd does with the signs of life of one node."""

    address: str
    ended: bool = False
    """It had to end the process."""

    @property
    def variables(self) -> dict[str, str]:
        """What systemd gives the process."""
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(NODE_WATCHDOG_S * 1_000_000)}

    async def watch(self, node: Node, signs: trio.socket.SocketType) -> None:
        """From one sign of life to the next; SIGABRT is followed by SIGCONT, as systemd does it."""
        late = False
        while not late:
            with trio.move_on_after(NODE_WATCHDOG_S) as limit:
                while b"WATCHDOG=1" not in await signs.recv(4096):
                    pass
            late = limit.cancelled_caught
        self.ended = True
        node.signal(signal.SIGABRT)
        node.signal(signal.SIGCONT)
        with trio.fail_after(HANG_S):
            assert await node.gone() == -signal.SIGABRT


@asynccontextmanager
async def watched_cluster(
    folder: Path, database: str, script: Any
) -> AsyncIterator[tuple[Cluster, Node, Watchdog]]:
    """Two nodes, the first of which is watched until the watchdog ends it."""
    watchdog = Watchdog(f"@llcphone-test-{id(folder)}-{folder.name}")
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as signs:
        await signs.bind("\0" + watchdog.address[1:])

        def environ(name: str) -> Mapping[str, str]:
            return watchdog.variables if name == "n1" else {}

        async with open_cluster(
            folder, database, script, watched=["n1"], agent=AGENT, environ=environ
        ) as cluster:
            node = cluster.nodes["n1"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watchdog.watch, node, signs, name="watchdog")
                yield cluster, node, watchdog


async def is_ended_and_comes_back(cluster: Cluster, node: Node, watchdog: Watchdog) -> None:
    """The watchdog ends it, systemd starts it again, and it takes calls."""
    await until(lambda: node.ended)
    assert watchdog.ended
    assert "Fatal Python error" in node.log  # its words may stand between those of Python's own watch
    await node.start()
    await until(lambda: cluster.servers()["nodes/n1"] == "UP")
    before = len(cluster.calls_of(node))
    while len(cluster.calls_of(node)) == before:
        call = await cluster.ring()
        await call.hears(0.2, stream=1)


async def test_a_process_that_is_stopped(tmp_path: Path, database: str) -> None:
    async with watched_cluster(tmp_path, database, speak) as (cluster, node, watchdog):
        await in_mid_answer(cluster, COUNT)
        before_s = stalled_s()
        loss = await lose(cluster, node, signal.SIGSTOP)
        check(cluster, loss, database, FROZEN_S + stalled_s() - before_s)
        await is_ended_and_comes_back(cluster, node, watchdog)


async def test_a_tool_that_holds_the_loop(tmp_path: Path, database: str) -> None:
    wanted: list[str] = []

    def script(turn: int, conversation: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say | CallTool:
        return CallTool(wanted.pop()) if turn > 2 and wanted else speak(turn, conversation, tools)

    async with watched_cluster(tmp_path, database, script) as (cluster, node, watchdog):
        await in_mid_answer(cluster, COUNT)
        wanted.append("look_up")
        await cluster.calls_of(node)[0].speak(voices.load("yes_please"))
        await until((node.folder / "hangs").exists)
        before_s = stalled_s()
        loss = await lose_by(cluster, node, lambda: None)
        check(cluster, loss, database, FROZEN_S + stalled_s() - before_s)
        await until(lambda: PLACE in node.log)
        await is_ended_and_comes_back(cluster, node, watchdog)
