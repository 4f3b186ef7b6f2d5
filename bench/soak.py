"""Calls that come and go for minutes or hours: does anything grow?

    python -m bench.soak --minutes 10 [--limit 100] [--share 0.6] [--life 30] [--json FILE]

``llcphone serve`` in a process of its own, journal and metrics on, at a share of its call limit. Every caller
hangs up after a while and another one rings: most say ``stop``, some lose their connection, and some calls
lose their model session in the middle. Once a minute: memory, descriptors, Trio tasks, CPU, the latency of
audio both ways (from outside), loop lag and orphans (from /metrics). Before and after there are no callers:
then descriptors and tasks must be the same, to the last one.

Slopes are least squares over the minutes after the warm-up: caches that remember the last 2,000 calls are
full only after as many. Bars: memory below 1 MB per hour, descriptors and tasks flat, p99 flat.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import psutil

from bench.bridges import GENERATOR_CPU, Bridge, pin, run_bridge
from bench.churn import Churn
from bench.load import FakeWorld
from bench.loop import connect, now
from llcphone.sim.ports import free_port

if TYPE_CHECKING:
    from bench.bridges import Running
    from bench.loop import Conn

SETTLE_S = 12.0


@attrs.frozen
class Minute:
    minute: float
    live: int
    born: int
    failed: int
    rss_kb: float
    fds: int
    tasks: int
    cpu: float
    forward_p99_ms: float
    back_p99_ms: float
    lag_p99_ms: float
    gc_ms: float
    """Upper bound of the longest full garbage collection."""
    orphans: int


class Scrape:
    """One look at /metrics, without waiting for it."""

    def __init__(self, world: FakeWorld, port: int) -> None:
        self.text = ""
        self._conn = connect(world.loop, port, self)
        self._conn.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def on_head(self, conn: Conn, head: bytes, rest: bytes) -> None:
        self.text += rest.decode()

    def on_end(self, conn: Conn) -> None:
        self.text += conn._in.decode()

    def buckets(self, name: str) -> Counter[float]:
        found = re.findall(rf'^llcphone_{name}_bucket{{le="([^"]+)"}} (\S+)', self.text, re.M)
        return Counter({float(le): int(float(count)) for le, count in found})

    def value(self, name: str) -> int:
        found = re.search(rf"^llcphone_{name} (\S+)", self.text, re.M)
        return int(float(found[1])) if found else -1


class Soak:
    def __init__(self, world: FakeWorld, running: Running, private_port: int) -> None:
        self._world = world
        self._running = running
        self._port = private_port
        self._process = psutil.Process(running.pid)
        self._seen: dict[str, Counter[float]] = {}
        """The histograms at the last look."""

    def scrape(self) -> Scrape:
        """Ask, and let the loop run until the answer is there."""
        scrape = Scrape(self._world, self._port)
        self._world.idle(0.5)
        return scrape

    def idle(self) -> tuple[int, int]:
        """Descriptors and tasks while there are no calls."""
        return self._process.num_fds(), self.scrape().value("tasks")

    def minutes(self, churn: Churn, count: float, tell: bool = True) -> list[Minute]:
        rows: list[Minute] = []
        began, born, failed = now(), 0, 0
        cpu, scrape = self._running.sample(), self.scrape()
        self._grown(scrape, "loop_lag_seconds", 1.0)
        self._grown(scrape, "gc_pause_seconds", 1.0)
        while now() - began < count * 60:
            self._world.idle(min(60.0, count * 60 - (now() - began)) - 0.5)
            scrape, after = self.scrape(), self._running.sample()
            rows.append(
                Minute(
                    minute=round((now() - began) / 60, 2),
                    live=churn.live(),
                    born=churn.born - born,
                    failed=churn.failed - failed,
                    rss_kb=after.rss_kb,
                    fds=self._process.num_fds(),
                    tasks=scrape.value("tasks"),
                    cpu=round((after.bridge_cpu_s - cpu.bridge_cpu_s) / (after.at_s - cpu.at_s), 3),
                    forward_p99_ms=churn.forward.take(0.99),
                    back_p99_ms=churn.back.take(0.99),
                    lag_p99_ms=self._grown(scrape, "loop_lag_seconds", 0.99),
                    gc_ms=self._grown(scrape, "gc_pause_seconds", 1.0),
                    orphans=scrape.value("orphans"),
                )
            )
            born, failed, cpu = churn.born, churn.failed, after
            if tell:
                print(line(rows[-1]), flush=True)
        return rows

    def _grown(self, scrape: Scrape, name: str, share: float) -> float:
        """This quantile of what was observed since the last look, in ms; an upper bound, by its bucket."""
        seen = scrape.buckets(name)
        before, self._seen[name] = self._seen.get(name, Counter()), seen
        grown = {le: seen[le] - before[le] for le in sorted(seen)}
        whole = max(grown.values(), default=0)
        return (
            min((le for le, count in grown.items() if whole and count >= whole * share), default=0.0) * 1000
        )


def slope(rows: list[Minute], name: str) -> float:
    """Growth per hour, least squares."""
    if len(rows) < 3:
        return 0.0
    at = [row.minute for row in rows]
    return 60 * statistics.linear_regression(at, [float(getattr(row, name)) for row in rows]).slope


def line(row: Minute) -> str:
    return (
        f"{row.minute:>6.1f} min  {row.live:>3} live {row.born:>4} born {row.failed:>2} failed  "
        f"{row.rss_kb / 1024:>7.2f} MB  {row.fds:>4} fds {row.tasks:>4} tasks  {row.cpu:>5.2f} cpu  "
        f"p99 out {row.forward_p99_ms:>6.2f} back {row.back_p99_ms:>6.2f} ms  "
        f"lag ≤{row.lag_p99_ms:>3.0f} gc ≤{row.gc_ms:>3.0f} ms  {row.orphans} orphans"
    )


def judge(rows: list[Minute], before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    """What misses its bar; empty when nothing does."""
    misses = []
    hours = (rows[-1].minute - rows[0].minute) / 60 if rows else 0.0
    grown_mb = slope(rows, "rss_kb") / 1024 * hours
    if grown_mb > max(1.0 * hours, 1.0):  # in less than an hour: no more than that hour may have
        misses.append(f"memory grew by {grown_mb:.2f} MB")
    if after != before:
        misses.append(f"descriptors and tasks without calls: {before} before, {after} after")
    third = max(1, len(rows) // 3)
    for name, slack in (("forward_p99_ms", 1.0), ("back_p99_ms", 1.0), ("fds", 8), ("tasks", 8)):
        first, last = (
            statistics.median(getattr(row, name) for row in part) for part in (rows[:third], rows[-third:])
        )
        if last > first * 1.25 + slack:
            misses.append(f"{name} rose from {first} to {last}")
    misses += ["orphans"] * any(row.orphans for row in rows)
    misses += ["calls failed"] * any(row.failed for row in rows)
    return misses


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.soak", description="Calls that come and go: what grows?")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, help="minutes before slopes count; default a fifth")
    parser.add_argument("--limit", type=int, default=100, help="server.max_calls")
    parser.add_argument("--share", type=float, default=0.6, help="of the limit, live at once")
    parser.add_argument("--life", type=float, default=30.0, help="mean seconds of a call")
    parser.add_argument("--json", type=Path, default=Path(tempfile.gettempdir()) / "llcphone-soak.json")
    options = parser.parse_args()
    pin(GENERATOR_CPU)
    private_port = free_port()
    env = {
        "LLCPHONE_SERVER__MAX_CALLS": str(options.limit),
        "LLCPHONE_METRICS__PORT": str(private_port),
        "LLCPHONE_BREAKER__FAILURES": "0",
    }
    world = FakeWorld()
    with run_bridge(
        Bridge("llcphone", "llcphone", ("serve",), env), world.model_url, greet=False, ca_file=""
    ) as running:
        world.idle(1.5)
        soak = Soak(world, running, private_port)
        calls = round(options.limit * options.share)
        gc.collect()
        gc.freeze()
        # One short crowd first: what is made once (threads, pools, caches of code) is no leak.
        churn = world.load = Churn(world, running.port, calls, 3.0)
        world.idle(10.0)
        churn.end()
        world.idle(SETTLE_S)
        before = soak.idle()
        print(f"{calls} calls at once, {options.life:.0f} s each; before: {before[0]} fds, {before[1]} tasks")
        churn = world.load = Churn(world, running.port, calls, options.life)
        rows = soak.minutes(churn, options.minutes)
        churn.end()
        world.idle(SETTLE_S)
        after = soak.idle()
    world.close()
    warm_up = options.minutes / 5 if options.warm_up is None else options.warm_up
    counted = [row for row in rows if row.minute > warm_up] or rows
    print(f"after: {after[0]} fds, {after[1]} tasks; {sum(row.born for row in rows)} calls in all")
    for name, unit, scale in (("rss_kb", "MB", 1024), ("fds", "fds", 1), ("tasks", "tasks", 1)):
        print(f"slope after {warm_up:.1f} min: {slope(counted, name) / scale:+.2f} {unit} per hour")
    misses = judge(counted, before, after)
    print("\n".join(misses) if misses else "nothing grows")
    options.json.write_text(json.dumps([attrs.asdict(row) for row in rows]))
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
