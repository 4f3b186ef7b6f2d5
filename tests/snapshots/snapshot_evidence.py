"""What the snapshots that ship stand on: calls held under each of them against the simulators.

``python -m tests.snapshots.snapshot_evidence`` holds them anew, in virtual time (half a minute), and writes
``tests/snapshots/snapshot_evidence.json``; `tests.snapshots.test_snapshots` puts it into the snapshots. The
vendors are modelled, `PACE` says how quick they are: so the figures show what llcphone adds to that, not
what a telephone shows.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from trio.testing import MockClock

from llcphone.config import Config
from llcphone.modes import source_of
from llcphone.modes.agent_file import agent_of
from llcphone.sim import voices
from llcphone.sim.model import Pace
from llcphone.sim.twilio import Callee
from llcphone.snapshots.evidence import measure
from llcphone.store.record_file import open_record_file
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

FILE = Path(__file__).with_suffix(".json")
CALLS = 10
PACE = Pace(created_ms=100, first_audio_ms=400, ack_delay_s=0.05)
PROOF = "simulators only, no live account has confirmed it: a start, not a record"
MODELLED = "session.updated after 50 ms, a response after 100 ms, its first audio 400 ms later; no network"
SAYS = ("book_table", "yes_please", "goodbye")
ANSWERS = ["Good morning, what can I do for you?", "Certainly, for how many?", "Very well.", "Good-bye."]


def evidence_of(name: str, sections: dict[str, dict[str, Any]], calls: int = CALLS) -> dict[str, Any]:
    """Hold the calls of one snapshot and measure them as `llcphone snapshot save` does."""
    config = Config.from_dict(sections)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if config.agent.file:
            Path(config.agent.file).write_text(source_of(name), "utf-8")
        clock = MockClock(autojump_threshold=0)
        trio.run(_hold_calls, config, sections, calls, name == "outbound", clock=clock)
        found = measure(config, Path("calls.jsonl"), [])
    dates = {"first_call", "last_call"}  # of the day on which this was run, not of the snapshot
    kept = {key: value for key, value in found.items() if key not in dates}
    return kept | {"proof": PROOF, "modelled": MODELLED}


async def _hold_calls(
    config: Config, sections: dict[str, dict[str, Any]], calls: int, outbound: bool
) -> None:
    agents, callee = agent_of(config), Callee(ring_s=2.0, says=voices.load("hello_opening_hours"))
    for _ in range(calls):
        script = ANSWERS[1:] if outbound else ANSWERS
        opened = rehearse(agents, script=script, pace=PACE, callee=callee, settings=sections)
        async with opened as stage, open_record_file("calls.jsonl") as keep:
            await _talk(await _begun(stage, outbound), outbound)
            keep(await stage.record())


async def _begun(stage: Rehearsal, outbound: bool) -> SimCall:
    if not outbound:
        return await stage.ring()
    stage.phone.place_call("+15551239999", context="The table of tonight is for two.")
    call = await stage.twilio.outbound(1)
    await call.stream_started()
    return call


async def _talk(call: SimCall, outbound: bool) -> None:
    for line in SAYS[1:] if outbound else SAYS:
        await call.hears_out(0.5, 600)
        await call.speak(voices.load(line))
    await call.hears_out(0.3, 600)
    call.hang_up()
    await call.ended()


if __name__ == "__main__":
    from tests.snapshots.test_snapshots import SHIPPED

    began_s, found = time.monotonic(), {}
    for name, (_, sections) in SHIPPED.items():
        found[name] = evidence_of(name, sections)
        print(name, found[name], f"{time.monotonic() - began_s:.0f} s")
    FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
