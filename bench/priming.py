"""What priming is worth on the first turn, if inference begins cold.

    python -m bench.priming                 # real time, under a minute
    python -m bench.priming --cold-ms 300

The vendor has published nothing about cold inference, and no measurement is known
(searched 2026-11-20). So the simulated model is *configured* so that a session's first response takes
``--cold-ms`` longer, and this shows only what llcphone makes of it: how much of that delay the callee no
longer hears when a text-only response was asked for before the phone rang, and how much it costs. Whether a
real session has such a delay must be measured on a live account, by comparing the first turn's
``first_delta`` part in call records with ``opening.priming_outbound`` on and off; no difference is a reason
to turn priming off.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING

import trio
from rich.console import Console
from rich.table import Table

from llcphone import Agent
from llcphone.sim import voices
from llcphone.sim.model import Pace, Say
from llcphone.sim.twilio import Callee
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from llcphone import CallRecord

NUMBER = "+15551239999"
FIRST_AUDIO_MS = 400


async def measure(*, priming: bool, cold_ms: int, rounds: int) -> list[CallRecord]:
    """Records of outbound calls in which the callee speaks first and hears the answer."""
    outbound = {"allow_prefixes": ["+1555"], "per_number_min_gap_s": 0.0}
    async with rehearse(
        Agent("Be brief."),
        script=lambda *_: [Say("Hello, this is the bakery.", 1000)],
        pace=Pace(first_audio_ms=FIRST_AUDIO_MS, cold_ms=cold_ms),
        callee=Callee(ring_s=1.5),
        settings={"outbound": outbound, "opening": {"priming_outbound": priming}},
    ) as stage:
        for number in range(1, rounds + 1):
            stage.phone.place_call(f"{NUMBER[:-2]}{number:02}")
            call = await stage.twilio.outbound(number)
            await call.stream_started()
            await call.speak(voices.load("yes_please"))
            await call.hears_out(0.5, 500)
            call.hang_up()
            await stage.record(number)
    return stage.records


async def main(cold_ms: int, rounds: int) -> int:
    """Measure with and without, print them side by side; 0 when priming has hidden the modelled delay."""
    table = Table(
        "priming", "first delta ms", "heard gap ms", "US$ a call", title=f"first turn, {cold_ms} ms cold"
    )
    deltas = []
    for priming in (True, False):
        records = await measure(priming=priming, cold_ms=cold_ms, rounds=rounds)
        firsts = [record.turns[0] for record in records]
        deltas.append(statistics.median(turn["parts"]["first_delta"] for turn in firsts))
        gap_ms = statistics.median(turn["ear_gap_ms"] for turn in firsts)
        cost_usd = statistics.mean(record.cost_usd or 0.0 for record in records)
        table.add_row("on" if priming else "off", f"{deltas[-1]:.0f}", f"{gap_ms:.0f}", f"{cost_usd:.5f}")
    Console().print(table)
    Console().print("The delay is a model of ours; the real one must be measured on a live account.")
    hidden_ms = deltas[1] - deltas[0]
    return 0 if abs(hidden_ms - cold_ms) <= 50 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.priming", description="Priming, with and without.")
    parser.add_argument(
        "--cold-ms", type=int, default=600, help="modelled delay of a session's first response"
    )
    parser.add_argument("--rounds", type=int, default=3, help="calls of each kind")
    options = parser.parse_args()
    sys.exit(trio.run(main, options.cold_ms, options.rounds))
