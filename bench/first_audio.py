"""How long a person on the line waits for the first word: pre-warmed, from the pool, and cold.

    python -m bench.first_audio            # real time, about half a minute

The same simulated vendors in one run, with the delays of the issue: model handshake 300 ms,
``session.updated`` 50 ms, first audio 400 ms. Everything runs in one process over loopback, so the
figures hold what the simulators cost too; the differences between the rows are llcphone's doing.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING, Any

import trio
from rich.console import Console
from rich.table import Table

from llcphone import Agent
from llcphone.sim.model import Faults, Pace, Say
from llcphone.sim.twilio import Callee
from llcphone.testing import Rehearsal, rehearse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.twilio import SimCall

HANDSHAKE_S, ACK_S, FIRST_AUDIO_MS = 0.3, 0.05, 400
PAD_MS = 500
ROUNDS = 5
NUMBER = "+15551239999"


async def ring_them(stage: Rehearsal) -> SimCall:
    """Outbound, pre-warmed: the model is ready and has spoken before the phone rings."""
    placed = len(stage.twilio.calls)
    stage.phone.place_call(f"{NUMBER[:-2]}{placed:02}")
    return await stage.twilio.outbound(placed + 1)


async def they_ring(stage: Rehearsal) -> SimCall:
    """Inbound, the stream right behind the webhook: nothing was prepared for this call."""
    return await stage.twilio.ring()


async def measure(
    start: Callable[[Rehearsal], Awaitable[SimCall]], pad_ms: int, settings: dict[str, dict[str, Any]]
) -> list[float]:
    """Milliseconds from the stream's start to the first voice on the wire, a value a round."""
    agent = Agent("Be brief.", opening="greet")
    pace = Pace(ack_delay_s=ACK_S, first_audio_ms=FIRST_AUDIO_MS)
    allow = {"allow_prefixes": ["+1555"], "per_number_min_gap_s": 0.0}
    settings = {"outbound": {**allow, **settings.get("outbound", {})}, **settings}
    waits = []
    async with rehearse(
        agent,
        script=lambda *_: [Say("Hello, this is the bakery.", 1500)],
        pace=pace,
        callee=Callee(ring_s=1.5),
        settings=settings,
    ) as stage:
        stage.model.faults = Faults(handshake_delay_s=HANDSHAKE_S)
        for number in range(1, ROUNDS + 1):
            await trio.sleep(0.6)  # the pool fills again
            call = await start(stage)
            await call.stream_started()
            await call.hears(0.1)
            started_ms = call.record.streams[0].started_at_ms or 0
            waits.append(voice_at_ms(call, pad_ms) - started_ms)
            call.hang_up()
            await stage.record(number)
    return waits


def voice_at_ms(call: SimCall, pad_ms: int) -> float:
    """When the first message with voice in it arrived: the one behind the pad."""
    before = 0.0
    for message in call.received:
        if message.event == "media":
            if before >= pad_ms:
                return message.at_ms
            before += message.audio_ms
    raise AssertionError("no voice arrived")


async def main() -> int:
    """Measure the three, print them side by side; 0 when the marks are met."""
    rows = [
        ("pre-warmed, outbound", f"10 ms after start, plus the {PAD_MS} ms pad", 10.0, ring_them, PAD_MS, {}),
        (
            "adopted from the pool",
            f"100 ms + {FIRST_AUDIO_MS} ms",
            100.0 + FIRST_AUDIO_MS,
            they_ring,
            0,
            {"warm": {"sessions": 2}},
        ),
        ("cold", "for comparison", 10_000.0, they_ring, 0, {}),
    ]
    table = Table("way", "median ms", "worst ms", "mark", title="stream start to first voice sent")
    good = True
    for name, mark, limit_ms, start, pad_ms, settings in rows:
        waits = await measure(start, pad_ms, settings)
        good = good and statistics.median(waits) <= limit_ms
        table.add_row(name, f"{statistics.median(waits):.0f}", f"{max(waits):.0f}", mark)
    Console().print(table)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(trio.run(main))
