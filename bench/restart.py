"""The server is restarted again and again under live calls and new callers: which are refused or cut off?

    python -m bench.restart [--restarts 20] [--calls 20] [--rate 20]

Real processes in real time: ``llcphone serve`` and ``llcphone restart`` as a person runs them, both vendors
simulated over loopback. The live calls last through all restarts; the drain limit is so short that the
journal hands them from one process to the next, while new callers ring at the given rate, hear the greeting
and hang up. Whether somebody was refused or cut off is what the simulated Twilio says.

The verdict does not depend on how busy the machine is. Vendors and servers share it, so no limit of time that
blames a slow vendor, and no measure of overload, is to end a call here; and no new caller rings while
`MOST_AT_ONCE` are on the line: a machine that is too slow for the pace gets fewer callers, and the pace that
was reached is reported. Each restart and each wait is bounded.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim import voices
from llcphone.sim.twilio import CallOver
from tests.calls.test_kill_nine import all_of, speak, talk
from tests.process.deployment import Deployment, deploy

if TYPE_CHECKING:
    from llcphone.sim.twilio import SimCall

DRAIN_S = 2
GREETED_S = 60.0
"""A caller who hears nothing for this long waited in vain, also on a busy machine."""
RESTARTED_S = 120.0
"""A restart that takes longer has failed."""
MOST_AT_ONCE = 200
"""New callers on the line: ten seconds of them at the usual pace, each on for half a second once greeted."""
PATIENT = {
    "opening": {"warm_deadline_ms": 60_000, "cold_deadline_ms": 60_000},
    "call": {"start_timeout_s": 60},
    "recovery": {"limit_s": 25, "stall_s": 60},
    "overload": {"lag_limit_ms": 0},
    "process": {"start_timeout_s": 60},
}
"""Settings for simulated vendors that may get no processor for a while."""


@attrs.define
class Outcome:
    restarts: list[int | None] = attrs.field(factory=list)
    """Exit codes; None: not within `RESTARTED_S`."""
    took_s: list[float] = attrs.field(factory=list)
    rang: int = 0
    ringing_s: float = 0.0
    """How long new callers rang, all in all."""
    greeted: int = 0
    refused: Counter[str] = attrs.field(factory=Counter)
    """New callers who were not greeted, by what ended their call."""
    cut: Counter[str] = attrs.field(factory=Counter)
    """Live calls that ended, by what ended them."""
    moved: int = 0
    """Media streams that live calls had after their first."""
    said: list[str] = attrs.field(factory=list)
    """By restarts that failed."""

    @property
    def good(self) -> bool:
        well = all(code == 0 for code in self.restarts)
        return well and not self.refused and not self.cut and self.greeted == self.rang

    def lines(self) -> list[str]:
        took = sorted(self.took_s)
        pace = self.rang / self.ringing_s if self.ringing_s else 0.0
        return [
            f"restarts        {len(self.restarts)}, exit codes {dict(Counter(self.restarts))}, "
            f"{took[0]:.1f} to {took[-1]:.1f} s",
            f"new callers     {self.rang}, {pace:.1f} a second, greeted {self.greeted}, "
            f"refused {dict(self.refused) or 0}",
            f"live calls cut  {dict(self.cut) or 0}; handed over {self.moved} times",
            *self.said,
        ]


def end_of(call: SimCall) -> str:
    """How a telephone call ended, as the simulated Twilio has it."""
    return str(call.record.ended_by.value) if call.over else "still on the line"


async def ring(deployed: Deployment, outcome: Outcome) -> None:
    """One new caller: greeted, and gone."""
    outcome.rang += 1
    call = deployed.twilio.ring_nowait()
    with trio.move_on_after(GREETED_S) as waited:
        try:
            await call.stream_started()
            await call.hears(0.3)
        except Exception as error:
            outcome.refused[f"{end_of(call)} ({type(error).__name__})"] += 1
            return
    if waited.cancelled_caught:
        outcome.refused[f"heard nothing, {end_of(call)}"] += 1
    else:
        outcome.greeted += 1
    call.hang_up()


async def arrive(deployed: Deployment, outcome: Outcome, rate: float, arriving: trio.CancelScope) -> None:
    """New callers at an even pace until that scope is cancelled; those who rang are heard to the end."""
    async with trio.open_nursery() as callers:
        began_s = trio.current_time()
        with arriving:
            for number in itertools.count():
                await trio.sleep_until(began_s + number / rate)
                if len(callers.child_tasks) < MOST_AT_ONCE:
                    callers.start_soon(ring, deployed, outcome)
        outcome.ringing_s = trio.current_time() - began_s


async def restart(deployed: Deployment, outcome: Outcome) -> None:
    """One restart, and what it said if it failed."""
    began_s, code, said = trio.current_time(), None, f"not within {RESTARTED_S:.0f} s"
    with trio.move_on_after(RESTARTED_S):
        code, said = await deployed.run("restart")
    outcome.took_s.append(trio.current_time() - began_s)
    outcome.restarts.append(code)
    if code != 0:
        outcome.said.append(said)


async def measure(restarts: int, calls: int, rate: float, *, pause_s: float = 1.0) -> Outcome:
    """All of it, in a folder of its own."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        async with deploy(Path(folder), speak, within_s=math.inf) as deployed:
            deployed.configure(server={"max_calls": 2_000}, drain={"limit_s": DRAIN_S}, **PATIENT)
            await deployed.serve()
            live = [deployed.twilio.ring_nowait() for _ in range(calls)]
            await all_of(talk, live)
            async with trio.open_nursery() as nursery:
                arriving = trio.CancelScope()
                nursery.start_soon(arrive, deployed, outcome, rate, arriving)
                for _ in range(restarts):
                    await restart(deployed, outcome)
                    await trio.sleep(pause_s)
                arriving.cancel(reason="enough")
            async with trio.open_nursery() as nursery:
                for call in live:
                    nursery.start_soon(go_on, call, outcome)
    return outcome


async def go_on(call: SimCall, outcome: Outcome) -> None:
    """One live call after all restarts: in another process by now, and still answered."""
    with trio.move_on_after(GREETED_S) as waited, suppress(CallOver):
        await call.stream_started(2)
        await call.speak(voices.load("yes_please"))
        await call.hears(0.3)
    outcome.moved += len(call.record.streams) - 1
    if call.over or waited.cancelled_caught:
        outcome.cut[end_of(call)] += 1
    call.hang_up()


def main() -> None:
    """Measure and print; 1 when somebody was refused or cut off."""
    parser = argparse.ArgumentParser(prog="bench.restart", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20, help="live calls that last through all restarts")
    parser.add_argument("--rate", type=float, default=20.0, help="new callers a second")
    options = parser.parse_args()
    outcome = trio.run(measure, options.restarts, options.calls, options.rate)
    print(*outcome.lines(), sep="\n")
    sys.exit(0 if outcome.good else 1)


if __name__ == "__main__":
    main()
