"""One process, and two nodes behind HAProxy, under the same load on one machine: what the way costs.

    python -m bench.nodes [--calls 100] [--pairs 1] [--nodes 2]

The nodes share one CPU with their proxy, as the one process has it for itself; the generator has another.
Told are the nodes' own CPU per call-minute, the proxy's, the audio's way, and how long a webhook takes that
begins no call. The proxy's settings are those of ``llcphone unit haproxy``.
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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from bench.bridges import (
    BRIDGE_CPU,
    BRIDGES,
    GENERATOR_CPU,
    Running,
    Sample,
    environment,
    pin,
    raise_priority,
    run_bridge,
    wait_until_open,
)
from bench.load import FakeWorld
from bench.measure import figures
from bench.samples import Scenario
from llcphone.config import Config
from llcphone.process.haproxy import haproxy_config
from llcphone.sim.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBHOOKS = 300


@attrs.frozen
class ClusterSample(Sample):
    """The nodes, and apart from them the proxy."""

    proxy_cpu_s: float = 0.0


class RunningCluster(Running):
    """Nodes behind a proxy, whose port is theirs."""

    def __init__(self, nodes: list[Running], proxy: subprocess.Popen[bytes], port: int) -> None:
        super().__init__(proxy, port)
        self._nodes = nodes

    def sample(self) -> ClusterSample:
        nodes, proxy = [node.sample() for node in self._nodes], super().sample()
        return ClusterSample(
            at_s=proxy.at_s,
            bridge_cpu_s=sum(node.bridge_cpu_s for node in nodes),
            busy_s=proxy.busy_s,
            steal_s=proxy.steal_s,
            rss_kb=sum(node.rss_kb for node in nodes),
            proxy_cpu_s=proxy.bridge_cpu_s,
        )


@contextmanager
def run_cluster(count: int, model_url: str) -> Iterator[RunningCluster]:
    """Start the nodes and their proxy on one CPU; they are killed at the end."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("no HAProxy here: apt-get install haproxy")
    port, running, processes = free_port(), [], []
    with tempfile.TemporaryDirectory() as folder:
        addresses = {f"n{number}": f"127.0.0.1:{free_port()}" for number in range(1, count + 1)}
        cfg = Path(folder) / "haproxy.cfg"
        cfg.write_text(haproxy_config(Config(), addresses, f"127.0.0.1:{port}"))
        try:
            for name, address in addresses.items():
                own = int(address.rpartition(":")[2])
                (home := Path(folder) / name).mkdir()
                env = environment(
                    BRIDGES["llcphone"], own, model_url, greet=False, ca_file="", folder=str(home)
                )
                env |= {
                    "PUBLIC_URL": f"http://127.0.0.1:{port}",
                    "LLCPHONE_SERVER__NODE": name,
                    "LLCPHONE_JOURNAL__URL": f"sqlite:///{folder}/journal.db",
                }
                processes.append(_started([sys.executable, "-m", "llcphone", "serve"], home, env))
                wait_until_open(processes[-1], own, name)
                running.append(Running(processes[-1], own))
            proxy = _started([program, "-db", "-f", str(cfg)], Path(folder), dict(os.environ))
            processes.append(proxy)
            wait_until_open(proxy, port, "haproxy")
            time.sleep(3)  # until it has looked at each
            yield RunningCluster(running, proxy, port)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _started(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    quiet = None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=quiet
    )
    pin(BRIDGE_CPU, process.pid)
    return process


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


def measure(running: Running, world: FakeWorld, calls: int, name: str) -> float:
    """Print one row; returns the nodes' CPU-seconds per call-minute."""
    webhook = webhook_ms(running.port)
    world.idle(1.5)
    world.run(Scenario(3, warm_s=1.0, window_s=1.5), running.port, running.sample)
    scenario = Scenario(calls, ramp_s=max(0.016, 4.0 / calls), window_s=12.0)
    result = world.run(scenario, running.port, running.sample)
    seen = figures(BRIDGES["llcphone"], "load", result)
    before, after = result.before, result.after
    proxy = getattr(after, "proxy_cpu_s", 0.0) - getattr(before, "proxy_cpu_s", 0.0)
    per_minute = proxy / (after.at_s - before.at_s) * 60 / calls
    print(
        f"{name:12} CPU-s/call-min {seen.cpu_s_per_call_min:.4f} + {per_minute:.4f} proxy, "
        f"webhook p50 {webhook:.2f} ms, to the model p50/p99 {seen.forward_p50_ms}/{seen.forward_p99_ms} ms, "
        f"back {seen.back_p50_ms}/{seen.back_p99_ms} ms, lost {seen.lost}, failed {seen.failed}, "
        f"foreign {seen.foreign}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return seen.cpu_s_per_call_min


def main() -> None:
    """Measure in pairs and print; the last line is the quotient of the medians."""
    parser = argparse.ArgumentParser(prog="bench.nodes", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="priority on a shared machine; -15 needs root")
    options = parser.parse_args()
    raise_priority(options.nice)
    pin(GENERATOR_CPU)
    one, many = [], []
    for _ in range(options.pairs):
        world = FakeWorld()
        try:
            with run_bridge(BRIDGES["llcphone"], world.model_url, greet=False, ca_file="") as running:
                one.append(measure(running, world, options.calls, "one process"))
            with run_cluster(options.nodes, world.model_url) as cluster:
                many.append(measure(cluster, world, options.calls, f"{options.nodes} nodes"))
        finally:
            world.close()
    print(f"nodes / one process: {statistics.median(many) / statistics.median(one):.3f}")


if __name__ == "__main__":
    main()
