"""Several nodes as an operator runs them: real ``llcphone serve`` processes behind a real HAProxy with the
settings that ``llcphone unit haproxy`` writes, on one real PostgreSQL. Both vendors are simulated here.

    async with open_cluster(tmp_path, database, speak) as cluster:
        call = await cluster.ring()
        cluster.node_of(call).kill()
        await call.stream_started(2)

HAProxy is Debian's package (``apt-get install haproxy``). Where there is none, tests that need it are
skipped, unless ``NEED_HAPROXY`` is set, as ``.ci/run`` does. Time is real: tests wait for what happens, and
never for a guessed time. Whatever a cluster starts is ended when it is left.

Tests with the marker ``nodes`` take long; ``.ci/run`` runs them (with those of ``deploy``), and a plain
``./dev test`` leaves them out.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import trio

from llcphone.call.node_names import node_of
from llcphone.config import Config
from llcphone.process.haproxy import haproxy_config
from llcphone.sim.model import Pace
from llcphone.sim.ports import free_port
from llcphone.sim.twilio import Callee
from llcphone.testing import Stage, open_stage, write_toml
from llcphone.testing.stage import layered
from tests.patience import HANG_S, START_S

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable, Collection, Mapping
    from pathlib import Path

    from llcphone.sim.twilio import SimCall

WHY = "no HAProxy here: apt-get install haproxy"
PACE = Pace(ack_delay_s=0.3, created_ms=50, first_audio_ms=400)
"""A model far away: a session is there after 300 ms, a response begins after 50, its voice after 400."""
PATIENT = {
    "agent": {"instructions": "You answer the telephone of a bakery."},
    "overload": {"lag_limit_ms": 0},
    "process": {"start_timeout_s": START_S},
    "recovery": {"stall_s": 60},
}
"""One agent, which is asked for in a moment; and a crowded machine ends no call."""
QUICK = "    timeout check 1s\n"
"""How long the proxy waits for an answer to a look."""
_FOR_TESTS = """
global
    log stdout format timed local0
    stats socket {socket} mode 600 level admin
"""


def haproxy() -> str:
    """The program; skips the test where there is none."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        if os.environ.get("NEED_HAPROXY"):
            pytest.fail(WHY)
        pytest.skip(WHY)
    return program


async def until(holds: Callable[[], Any], within_s: float = HANG_S) -> None:
    """Look again and again at what gives no sign of its own."""
    with trio.fail_after(within_s):
        while not holds():  # noqa: ASYNC110
            await trio.sleep(0.02)


@attrs.define(eq=False, kw_only=True)
class Node:
    """One ``llcphone serve``, with a folder, a port and a name of its own."""

    name: str
    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    """Of ``llcphone serve``."""
    environ: Mapping[str, str] = attrs.field(factory=dict)
    """Variables of its own."""
    process: trio.Process | None = None

    @property
    def url(self) -> str:
        """Where it is reached without the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged, in all its lives."""
        return (self.folder / "llcphone.log").read_text()

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        before = len(self.log) if (self.folder / "llcphone.log").exists() else 0
        with (self.folder / "llcphone.log").open("ab") as out:
            command = [sys.executable, "-m", "llcphone", "serve", *self.arguments]
            environ = {**os.environ, **self.environ}
            self.process = await trio.lowlevel.open_process(
                command, cwd=self.folder, env=environ, stderr=out, stdout=out
            )
        await until(lambda: "serving" in self.log[before:] or self.ended, START_S)
        assert not self.ended, self.log[before:]

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.process is None or self.process.poll() is not None

    def signal(self, what: signal.Signals) -> None:
        """SIGTERM drains, SIGKILL kills, SIGSTOP freezes, SIGCONT wakes."""
        assert self.process is not None
        self.process.send_signal(what)

    async def gone(self) -> int:
        """Wait until it runs no more; its exit code."""
        assert self.process is not None
        return await self.process.wait()


@attrs.define(eq=False, kw_only=True)
class Cluster(Stage):
    """The nodes, their proxy, and both vendors; ``port`` and ``url`` are the proxy's."""

    nodes: dict[str, Node]
    folder: Path
    proxy: trio.Process

    def node_of(self, call: SimCall) -> Node:
        """The node that the newest media stream of a call leads to."""
        return self.nodes[node_named_in(call.record.streams[-1].url)]

    def calls_of(self, node: Node) -> list[SimCall]:
        """The calls whose newest media stream leads to it."""
        streamed = [call for call in self.twilio.calls if call.record.streams and not call.over]
        return [call for call in streamed if self.node_of(call) is node]

    async def ask(self, method: str, path: str, node: Node | None = None, **more: Any) -> httpx.Response:
        """A request to the proxy, or to a node."""
        async with httpx.AsyncClient(base_url=node.url if node else self.url, trust_env=False) as client:
            return await client.request(method, path, timeout=HANG_S, **more)

    def servers(self) -> dict[str, str]:
        """The proxy's view: ``node_n1/n1`` → ``UP`` or ``DOWN``."""
        table = self.command("show stat").splitlines()
        names = table[0].lstrip("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in table[1:] if line]
        return {f"{row['pxname']}/{row['svname']}": row["status"].split()[0] for row in rows}

    def command(self, text: str) -> str:
        """A question to the proxy's own socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "haproxy.sock"))
            sock.sendall(text.encode() + b"\n")
            answer = b""
            while more := sock.recv(65_536):
                answer += more
        return answer.decode()

    @property
    def proxy_log(self) -> str:
        """A line for each request, and for each node that was lost or found."""
        return (self.folder / "haproxy.log").read_text()


def node_named_in(url: str) -> str:
    """Of the address of a media stream."""
    return url.rpartition("/")[2].partition(".")[0]


def node_of_call_id(call_id: str) -> str:
    """Of a record's ``call_id``."""
    return node_of(call_id)


@asynccontextmanager
async def open_cluster(
    folder: Path,
    database: str,
    script: Any = "Good morning.",
    *,
    nodes: int = 2,
    pace: Pace = PACE,
    callee: Callee | Callable[[str], Callee] = Callee(),  # noqa: B008 (frozen)
    watched: Collection[str] = (),
    agent: str = "",
    environ: Callable[[str], Mapping[str, str]] = lambda name: {},
    within_s: float = HANG_S,
    **sections: dict[str, Any],
) -> AsyncIterator[Cluster]:
    """Start the nodes n1, n2 ... and their proxy.

    ``sections`` are settings of all of them, ``agent`` is the text of a file that has their agent, and
    ``environ`` gives a node's own variables by its name. Only for the nodes that are ``watched`` the proxy
    waits the second for an answer to its looks that it is told to. For the others it waits longer: nodes of
    a crowded machine are slow, and not frozen.
    """
    program = haproxy()
    with trio.fail_after(within_s):
        async with open_stage(script, pace=pace, callee=callee) as stage:
            names = [f"n{number}" for number in range(1, nodes + 1)]
            ports = {name: free_port() for name in names}
            all_nodes = {name: Node(name=name, folder=folder / name, port=ports[name]) for name in names}
            shared = layered(
                stage.settings(PATIENT, {"journal": {"url": database}, "realtime": {"dialect": "ga"}}),
                sections,
            )
            for node in all_nodes.values():
                node.folder.mkdir()
                own = {"server": {"node": node.name, "port": node.port}}
                write_toml(node.folder / "llcphone.toml", layered(shared, own))
                node.environ = environ(node.name)
                if agent:
                    (node.folder / "agent.py").write_text(agent)
                    node.arguments = ("--agent", "agent.py")
            addresses = {node.name: f"127.0.0.1:{node.port}" for node in all_nodes.values()}
            proxied = haproxy_config(Config.from_dict(shared), addresses, f"127.0.0.1:{stage.port}")
            assert proxied.count(QUICK) == 1
            proxied = proxied.replace(QUICK, f"    timeout check {round(START_S)}s\n")
            for name in watched:
                head = f"\nbackend node_{name}\n"
                assert head in proxied
                proxied = proxied.replace(head, head + QUICK)
            proxy = await _start_proxy(program, folder, proxied)
            cluster = Cluster(
                twilio=stage.twilio,
                model=stage.model,
                port=stage.port,
                can_dial=True,
                nodes=all_nodes,
                folder=folder,
                proxy=proxy,
            )
            try:
                async with trio.open_nursery() as nursery:
                    for node in all_nodes.values():
                        nursery.start_soon(node.start)
                await until(
                    lambda: all(state in {"UP", "OPEN", "no"} for state in cluster.servers().values())
                )
                yield cluster
            finally:
                with trio.CancelScope(shield=True):
                    for process in [proxy, *(node.process for node in all_nodes.values())]:
                        if process is not None:
                            process.kill()  # frozen or not
                            await process.wait()


async def _start_proxy(program: str, folder: Path, proxied: str) -> trio.Process:
    """HAProxy by the settings that we write; a second file adds a log and a socket for the test."""
    (folder / "haproxy.cfg").write_text(proxied)
    (folder / "for_tests.cfg").write_text(_FOR_TESTS.format(socket=folder / "haproxy.sock"))
    command = [program, "-db", "-f", str(folder / "for_tests.cfg"), "-f", str(folder / "haproxy.cfg")]
    with (folder / "haproxy.log").open("wb") as out:
        proxy = await trio.lowlevel.open_process(command, stdout=out, stderr=out)
    await until(lambda: (folder / "haproxy.sock").exists() or proxy.poll() is not None)
    assert proxy.poll() is None, (folder / "haproxy.log").read_text()
    return proxy
