"""The bridges that are measured: how each is started, alone on one CPU, and what it uses of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import psutil
import trustme

from llcphone.sim.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BRIDGE_CPU, GENERATOR_CPU = 0, 1
CONSOLE_KEY = "console-key-of-the-bench-0123456789"


@attrs.frozen
class Bridge:
    """A program that answers calls."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = attrs.field(factory=dict)
    tls: bool = False
    """Whether its model leg is wss://."""
    viewers: int | None = None
    """Pages that watch its console; None: it has none."""


def _llcphone(
    name: str, *, tls: bool = False, recorded: bool = False, viewers: int | None = None, **wire: str
) -> Bridge:
    env = {f"LLCPHONE_WIRE__{key.upper()}": value for key, value in wire.items()}
    # What is measured is where calls begin to suffer: so none is refused before, as [overload] would.
    env |= {"LLCPHONE_OVERLOAD__LAG_LIMIT_MS": "0"}
    env |= {"LLCPHONE_PROCESS__PID_FILE": ""}
    if recorded:
        env |= {"LLCPHONE_RECORDS__AUDIO_DIR": "audio"}  # in the folder of its own where it runs
    return Bridge(name, "llcphone", ("serve",), env, tls, viewers)


BRIDGES = {
    "llcphone": _llcphone("llcphone"),
    "llcphone-tls": _llcphone("llcphone-tls", tls=True),
    "llcphone-adapters": _llcphone("llcphone-adapters", model="trio-websocket", phone="quart"),
    "llcphone-recorded": _llcphone("llcphone-recorded", recorded=True),
    "llcphone-console": _llcphone("llcphone-console", viewers=0),
    "llcphone-viewed": _llcphone("llcphone-viewed", viewers=1),
    "naive-trio": Bridge("naive-trio", "bench.naive_trio"),
    "asyncio": Bridge("asyncio", "bench.asyncio_bridge"),
    "asyncio-tls": Bridge("asyncio-tls", "bench.asyncio_bridge", tls=True),
}
DEFAULT_BRIDGES = ("naive-trio", "asyncio", "llcphone", "llcphone-tls", "llcphone-adapters")


@attrs.frozen
class Sample:
    """A look at a bridge and at its CPU."""

    at_s: float
    bridge_cpu_s: float
    busy_s: float
    """Of its CPU, by whomever."""
    steal_s: float
    rss_kb: float


class Running:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self.pid = process.pid
        self._process = psutil.Process(process.pid)

    def sample(self) -> Sample:
        family = [self._process, *self._process.children(recursive=True)]
        used = [each.cpu_times() for each in family]
        cpu = psutil.cpu_times(percpu=True)[BRIDGE_CPU]
        idle = cpu.idle + getattr(cpu, "iowait", 0.0)
        return Sample(
            at_s=time.monotonic(),
            bridge_cpu_s=sum(each.user + each.system for each in used),
            busy_s=sum(cpu[:8]) - idle,  # the fields after the eighth are counted in the first ones already
            steal_s=getattr(cpu, "steal", 0.0),
            rss_kb=sum(each.memory_info().rss for each in family) / 1024,
        )


@contextmanager
def run_bridge(bridge: Bridge, model_url: str, *, greet: bool, ca_file: str) -> Iterator[Running]:
    """Start it on its CPU and wait until it accepts; it is killed at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", bridge.module, *bridge.arguments],
            cwd=folder,  # without any llcphone.toml or .env
            env=environment(bridge, port, model_url, greet=greet, ca_file=ca_file, folder=folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
        )
        try:
            pin(BRIDGE_CPU, process.pid)
            wait_until_open(process, port, bridge.name)
            with _viewers(bridge, port):
                yield Running(process, port)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _viewers(bridge: Bridge, port: int) -> Iterator[None]:
    """The pages that watch it, on the generator's CPU."""
    command = [sys.executable, "-m", "bench.viewer", str(_console_port(port)), CONSOLE_KEY]
    viewers = [subprocess.Popen(command, cwd=ROOT) for _ in range(bridge.viewers or 0)]
    try:
        for viewer in viewers:
            pin(GENERATOR_CPU, viewer.pid)
        yield
        if any(viewer.poll() is not None for viewer in viewers):
            raise RuntimeError(f"{bridge.name}: a viewer has ended")
    finally:
        for viewer in viewers:
            viewer.kill()
            viewer.wait()


def _console_port(port: int) -> int:
    return port + 1 if port < 65_535 else port - 1


def pin(cpu: int, pid: int = 0) -> bool:
    """Keep a process on one CPU; False where the system cannot, or has only one."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return False
    os.sched_setaffinity(pid, {cpu})
    return True


def raise_priority(nice: int) -> None:
    """Go before others' processes, so that a shared machine disturbs less; below 0 needs root."""
    os.nice(nice)
    try:  # Linux groups priorities by session: nice alone would only count among ourselves
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(nice))
    except OSError:
        pass


def certificate(folder: Path) -> tuple[trustme.LeafCert, str]:
    """A certificate for 127.0.0.1, and the file of the authority that signed it."""
    authority = trustme.CA()
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority.issue_cert("127.0.0.1"), str(path)


def environment(
    bridge: Bridge, port: int, model_url: str, *, greet: bool, ca_file: str, folder: str
) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LLCPHONE_")}
    env |= {
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "MODEL_URL": model_url,
        "GREET": "1" if greet else "",
        "OPENAI_API_KEY": "sk-bench-0123456789abcdef",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LLCPHONE_REALTIME__URL": model_url,
        "LLCPHONE_OPENING__INBOUND": "greet" if greet else "listen",
        "LLCPHONE_SERVER__CHECK_SIGNATURES": "false",
        "LLCPHONE_SERVER__MAX_CALLS": "5000",
        "LLCPHONE_SERVER__MAX_PENDING": "1000",
        "LLCPHONE_RECORDS__PATH": f"{folder}/calls.jsonl",
        "LLCPHONE_LOG__LEVEL": "error",
    }
    if bridge.viewers is not None:
        env |= {
            "LLCPHONE_CONSOLE__PORT": str(_console_port(port)),
            "LLCPHONE_CONSOLE__KEY": CONSOLE_KEY,
            "LLCPHONE_CONSOLE__WORDS": "show",
        }
    if bridge.tls:
        env |= {"CA_FILE": ca_file, "LLCPHONE_WIRE__CA_FILE": ca_file}
    return env | bridge.env


def wait_until_open(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended at its start (BENCH_VERBOSE=1 shows why)")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{name} does not answer on its port")
