"""One bridge's measurements, in the order they are taken."""

from __future__ import annotations

import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from bench.bridges import Bridge, Running, certificate, run_bridge
from bench.load import FakeWorld, Result
from bench.samples import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GREETING = {"turns": False, "handshake_s": 0.3, "configure_s": 0.05, "think_s": 0.4}
"""The model's delays for the first-audio tests: handshake, session.updated, first delta."""
RINGS_S = 1.5
"""How long the telephone rings in the second of them: longer than all these together."""
MOST_P99_MS = 20.0
"""A bridge carries a load if the 99th percentile stays below, both ways, and nothing is lost."""


@attrs.frozen
class Figures:
    """One load on one bridge, ready to be printed or written as JSON."""

    bridge: str
    test: str
    calls: int
    forward_p50_ms: float | None
    forward_p99_ms: float | None
    back_p50_ms: float | None
    back_p99_ms: float | None
    lost: int
    """Frames, and 20 ms pieces of answers, that never arrived, or later than a second after the window."""
    failed: int
    """Calls that were refused or cut."""
    cpu_s_per_call_min: float
    frame_us: float
    """CPU time per caller frame, everything else of a call shared out to its frames."""
    kb_per_call: float | None
    first_audio_ms: float | None
    """From stream start, median."""
    answered_audio_ms: float | None
    """From the dial of the stream, median: what the caller waits."""
    foreign: float
    """Share of the bridge's CPU that others used, stolen time included: above 0.1 distrust the row."""
    generator: float
    """Share of its own CPU the generator used: above 0.8 distrust the row."""

    @property
    def carried(self) -> bool:
        """Whether the bridge was up to it."""
        p99s = (self.forward_p99_ms, self.back_p99_ms)
        quick = all(p99 is not None and p99 < MOST_P99_MS for p99 in p99s)
        return quick and not self.lost and not self.failed


@attrs.frozen
class Plan:
    few: tuple[int, ...] = (1, 10)
    """Calls of the latency test."""
    steps: tuple[int, ...] = (80, 200)
    """Calls of the load test, until one is too many."""
    rings: tuple[float, ...] = (0.0, RINGS_S)
    """From TwiML to the media stream, in seconds, in the first-audio test."""
    window_s: float = 8.0
    tests: tuple[str, ...] = ("lat", "load", "first")


def measure(bridge: Bridge, plan: Plan, tell: Callable[[Figures], None]) -> None:
    if "lat" in plan.tests or "load" in plan.tests:
        with started(bridge, greet=False) as (world, running):
            idle_kb = running.sample().rss_kb
            if "lat" in plan.tests:
                for calls in plan.few:
                    scenario = Scenario(calls, bursts=False, warm_s=2.0, window_s=plan.window_s)
                    tell(figures(bridge, "lat", world.run(scenario, running.port, running.sample)))
            for calls in plan.steps if "load" in plan.tests else ():
                # Up to 25 births a second: a ramp is not a storm, and the phases of the calls spread.
                scenario = Scenario(calls, ramp_s=max(0.016, 4.0 / calls), window_s=plan.window_s)
                result = world.run(scenario, running.port, running.sample)
                tell(seen := figures(bridge, "load", result, idle_kb=idle_kb))
                if not seen.carried and (seen.failed or seen.lost or (seen.forward_p99_ms or 0) > 200):
                    break
    if "first" in plan.tests:
        with started(bridge, greet=True) as (world, running):
            for ring_s in plan.rings:
                # One call after the other: a session that speaks before it hears is recognized by its turn.
                scenario = Scenario(4, ring_s=ring_s, ramp_s=1.5, warm_s=1.5, window_s=0.5, **GREETING)
                tell(
                    figures(
                        bridge,
                        "rung" if ring_s else "first",
                        world.run(scenario, running.port, running.sample),
                    )
                )


@contextmanager
def started(bridge: Bridge, *, greet: bool) -> Iterator[tuple[FakeWorld, Running]]:
    """The bridge, warmed up by three calls, and the world it lives in."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca_file = None, ""
        if bridge.tls:
            leaf, ca_file = certificate(Path(folder))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            leaf.configure_cert(context)
        world = FakeWorld(context)
        try:
            with run_bridge(bridge, world.model_url, greet=greet, ca_file=ca_file) as running:
                world.idle(1.5)
                world.run(Scenario(3, warm_s=1.0, window_s=1.5), running.port, running.sample)
                yield world, running
        finally:
            world.close()


def figures(bridge: Bridge, test: str, result: Result, *, idle_kb: float | None = None) -> Figures:
    before, after = result.before, result.after
    seconds = after.at_s - before.at_s
    cpu = (after.bridge_cpu_s - before.bridge_cpu_s) / seconds
    busy = (after.busy_s - before.busy_s) / seconds
    steal = (after.steal_s - before.steal_s) / seconds
    lost_pieces = result.lost_chars // 214
    return Figures(
        bridge=bridge.name,
        test=test,
        calls=result.calls,
        forward_p50_ms=quantile(result.forward, 0.5),
        forward_p99_ms=quantile(result.forward, 0.99),
        back_p50_ms=quantile(result.back, 0.5),
        back_p99_ms=quantile(result.back, 0.99),
        # While a greeting guard holds, caller frames are meant to stay behind.
        lost=lost_pieces + (0 if test in ("first", "rung") else result.lost_frames),
        failed=result.failed,
        cpu_s_per_call_min=round(cpu * 60 / result.calls, 4),
        frame_us=round(cpu / result.calls / 50 * 1e6, 1),
        kb_per_call=None if idle_kb is None else round((after.rss_kb - idle_kb) / result.calls, 1),
        first_audio_ms=quantile(result.first_audio, 0.5),
        answered_audio_ms=quantile(result.answered_audio, 0.5),
        foreign=round(max(0.0, busy - cpu) + steal, 3),
        generator=round(result.generator_busy, 3),
    )


def quantile(ordered: list[float], share: float) -> float | None:
    return round(ordered[int((len(ordered) - 1) * share)], 3) if ordered else None
