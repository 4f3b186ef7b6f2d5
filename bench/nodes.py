"""One process, and several nodes behind HAProxy, under the same load on one machine: what the way costs.

    python -m bench.nodes [--calls 100] [--pairs 3] [--nodes 2] [--database postgres]
    python -m bench.nodes --idle 30

Every row has the same database, and its processes share one CPU with their proxy, as the one process has it
for itself; the generator has another, with the database. A process with fewer calls pays more for each, as a
turn of its event loop serves fewer frames. So there are four rows: one process with all calls, one process
with the calls of one node, several processes without a proxy, and the nodes. Told are the CPU of the
processes per call-minute, that of the proxy and of PostgreSQL, the audio's way, and how long a webhook takes
that begins no call. ``--idle`` tells what a process costs that has no call.
The proxy's settings are those of ``llcphone unit haproxy``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import psutil

from bench.bridges import (
    BRIDGE_CPU,
    BRIDGES,
    GENERATOR_CPU,
    Running,
    Sample,
    environment,
    pin,
    raise_priority,
    wait_until_open,
)
from bench.load import FakeWorld
from bench.measure import figures
from bench.samples import Scenario
from llcphone.config import Config
from llcphone.process.haproxy import haproxy_config
from llcphone.sim.ports import free_port
from tests.store.servers import empty, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WEBHOOKS = 300
SETTLE_S = 3.0
"""Until the proxy has looked at each node."""


@attrs.frozen
class ClusterSample(Sample):
    """The processes, and apart from them the proxy and the database."""

    proxy_cpu_s: float = 0.0
    database_cpu_s: float = 0.0


class Cluster(Running):
    """Processes of one account; ``ports`` is where calls come in."""

    def __init__(self, nodes: list[Running], proxy: Running | None, database: int | None) -> None:
        self.nodes = nodes
        self.ports = [proxy.port] if proxy else [node.port for node in nodes]
        self.port = self.ports[0]
        self._proxy, self._database = proxy, database

    def sample(self) -> ClusterSample:
        nodes = [node.sample() for node in self.nodes]
        return ClusterSample(
            at_s=nodes[0].at_s,
            bridge_cpu_s=sum(node.bridge_cpu_s for node in nodes),
            busy_s=nodes[0].busy_s,
            steal_s=nodes[0].steal_s,
            rss_kb=sum(node.rss_kb for node in nodes),
            proxy_cpu_s=self._proxy.sample().bridge_cpu_s if self._proxy else 0.0,
            database_cpu_s=family_cpu_s(self._database) if self._database else 0.0,
        )


def family_cpu_s(pid: int) -> float:
    """What a process and its children have used, with the children that have ended."""
    first = psutil.Process(pid)
    used = first.cpu_times()
    total = used.user + used.system + used.children_user + used.children_system
    for each in first.children():
        try:
            used = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


@attrs.frozen
class Place:
    """The database of a row; ``pid`` is PostgreSQL's."""

    url: str
    pid: int | None = None


@contextmanager
def database(kind: str) -> Iterator[Place]:
    """One for all rows, on the generator's CPU."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield Place(f"sqlite:///{folder}/journal.db")
        return
    with postgres_server() as server:
        pin(GENERATOR_CPU, server.pid)  # the processes that it starts from now on, too
        yield Place(server.url, server.pid)


@contextmanager
def run_cluster(count: int, place: Place, model_url: str, *, proxied: bool) -> Iterator[Cluster]:
    """Start processes, and a proxy before them, on one CPU; they are killed at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxy_port = free_port()
        ports = {f"n{number}": free_port() for number in range(1, count + 1)}
        nodes = []
        for name, port in ports.items():
            (home := folder / name).mkdir()
            more = {
                "PUBLIC_URL": f"http://127.0.0.1:{proxy_port if proxied else port}",
                "LLCPHONE_SERVER__NODE": name if count > 1 else "",
                "LLCPHONE_JOURNAL__URL": place.url,
            }
            nodes.append(stack.enter_context(_node(home, port, model_url, more)))
        proxy = stack.enter_context(_proxy(folder, proxy_port, ports)) if proxied else None
        time.sleep(SETTLE_S)
        yield Cluster(nodes, proxy, place.pid)


@contextmanager
def _node(home: Path, port: int, model_url: str, more: Mapping[str, str]) -> Iterator[Running]:
    """One ``llcphone serve`` in a folder of its own."""
    env = environment(BRIDGES["llcphone"], port, model_url, greet=False, ca_file="", folder=str(home))
    with _started([sys.executable, "-m", "llcphone", "serve"], home, env | more) as process:
        wait_until_open(process, port, home.name)
        yield Running(process, port)


@contextmanager
def _proxy(folder: Path, port: int, nodes: Mapping[str, int]) -> Iterator[Running]:
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("no HAProxy here: apt-get install haproxy")
    addresses = {name: f"127.0.0.1:{own}" for name, own in nodes.items()}
    (cfg := folder / "haproxy.cfg").write_text(haproxy_config(Config(), addresses, f"127.0.0.1:{port}"))
    with _started([program, "-db", "-f", str(cfg)], folder, dict(os.environ)) as process:
        wait_until_open(process, port, "haproxy")
        yield Running(process, port)


@contextmanager
def _started(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=quiet
    )
    try:
        pin(BRIDGE_CPU, process.pid)
        yield process
    finally:
        process.kill()
        process.wait()


def webhook_ms(port: int) -> float:
    """The median time of a webhook about a call that is over, one after the other."""
    form = b"CallSid=CA1&CallStatus=completed&From=%2B15552223333&To=%2B15550001111"
    head = b"POST /twiml HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    request = head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(form) + form
    took = []
    for _ in range(WEBHOOKS):
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(request)
            while sock.recv(65_536):
                pass
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


@attrs.frozen
class Row:
    """Processes that are compared: how many, with how many calls, and whether a proxy is before them."""

    name: str
    processes: int
    calls: int
    proxied: bool = False


def measure(row: Row, place: Place, window_s: float) -> float:
    """Print one row; returns CPU-seconds of the processes per call-minute."""
    if place.pid is not None:
        empty(place.url)
    world = FakeWorld()
    try:
        with run_cluster(row.processes, place, world.model_url, proxied=row.proxied) as cluster:
            webhook = webhook_ms(cluster.port)
            world.idle(1.5)
            warm = Scenario(2 * row.processes, warm_s=1.0, window_s=1.5)
            world.run(warm, cluster.port, cluster.sample, *cluster.ports[1:])
            scenario = Scenario(row.calls, ramp_s=max(0.016, 4.0 / row.calls), window_s=window_s)
            result = world.run(scenario, cluster.port, cluster.sample, *cluster.ports[1:])
    finally:
        world.close()
    seen = figures(BRIDGES["llcphone"], "load", result)
    before, after = result.before, result.after
    per_minute = 60 / (after.at_s - before.at_s) / row.calls
    proxy = (after.proxy_cpu_s - before.proxy_cpu_s) * per_minute
    base = (after.database_cpu_s - before.database_cpu_s) * per_minute
    print(
        f"{row.name:28} CPU-s/call-min {seen.cpu_s_per_call_min:.4f}, proxy {proxy:.4f}, "
        f"database {base:.4f}; webhook p50 {webhook:.2f} ms, "
        f"to the model p50/p99 {seen.forward_p50_ms}/{seen.forward_p99_ms} ms, "
        f"back {seen.back_p50_ms}/{seen.back_p99_ms} ms, lost {seen.lost}, failed {seen.failed}, "
        f"foreign {seen.foreign}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return seen.cpu_s_per_call_min


def compare(calls: int, nodes: int, pairs: int, kind: str, window_s: float) -> None:
    """Measure all rows, again and again, and print the quotients of their medians."""
    whole = Row(f"1 process, {calls} calls", 1, calls)
    share = Row(f"1 process, {calls // nodes} calls", 1, calls // nodes)
    direct = Row(f"{nodes} processes, {calls} calls", nodes, calls)
    behind = Row(f"{nodes} nodes + HAProxy, {calls}", nodes, calls, proxied=True)
    found: dict[Row, list[float]] = {row: [] for row in (whole, share, direct, behind)}
    for _ in range(pairs):
        for row, costs in found.items():
            with database(kind) as place:
                costs.append(measure(row, place, window_s))
    medians = {row: statistics.median(costs) for row, costs in found.items()}
    for row, base in ((share, whole), (direct, whole), (direct, share), (behind, direct), (behind, whole)):
        print(f"{row.name} / {base.name}: {medians[row] / medians[base]:.3f}")


def idle(seconds: float) -> None:
    """Print what processes cost that have no call: all are measured at the same time."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres_server())
        kinds = {
            "no journal": {"LLCPHONE_JOURNAL__ENABLED": "false"},
            "SQLite journal": {},
            "SQLite journal and limits": {"LLCPHONE_SHARED__URL": "sqlite:///shared.db"},
            "PostgreSQL, n1": {"LLCPHONE_JOURNAL__URL": server.url, "LLCPHONE_SERVER__NODE": "n1"},
            "PostgreSQL, n2": {"LLCPHONE_JOURNAL__URL": server.url, "LLCPHONE_SERVER__NODE": "n2"},
        }
        running = {}
        for number, (kind, more) in enumerate(kinds.items()):
            (home := folder / str(number)).mkdir()
            nowhere = "ws://127.0.0.1:9/v1/realtime"
            running[kind] = stack.enter_context(_node(home, free_port(), nowhere, more))
        time.sleep(SETTLE_S)
        before = {kind: each.sample().bridge_cpu_s for kind, each in running.items()}
        base = family_cpu_s(server.pid)
        time.sleep(seconds)
        for kind, each in running.items():
            used = each.sample().bridge_cpu_s - before[kind]
            print(f"{kind:28} {used / seconds * 1000:.1f} ms of CPU per second")
        print(f"{'PostgreSQL for both':28} {(family_cpu_s(server.pid) - base) / seconds * 1000:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.nodes", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=1, help="how often each row is measured")
    parser.add_argument("--window", type=float, default=12.0, help="seconds each row is watched")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--idle", type=float, default=0, help="measure processes without calls for so long")
    parser.add_argument("--nice", type=int, default=0, help="priority on a shared machine; -15 needs root")
    options = parser.parse_args()
    raise_priority(options.nice)
    pin(GENERATOR_CPU)
    if options.idle:
        idle(options.idle)
        return
    compare(options.calls, options.nodes, options.pairs, options.database, options.window)


if __name__ == "__main__":
    main()
