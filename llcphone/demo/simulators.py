"""The demo's two simulators, each a process of its own: ``python -m llcphone.demo.simulators ROLE SETTINGS``.

Real vendors share no process, no event loop and no clock drift with us, so neither do the simulators: the
server is measured alone, and a bug of one process cannot hide in another. ``child`` says how they talk
with their parent; the model stands here, the telephone in ``telephone``.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.demo import script as story
from llcphone.demo.child import orders, perf_s, tell
from llcphone.demo.facts import ItemFacts, ModelFacts, ModelReport
from llcphone.demo.lateness import Lateness
from llcphone.sim.model import SILENCE_MS, Faults, ModelSimulator, Pace, serve_model

if TYPE_CHECKING:
    from llcphone.sim.model import ModelSession

FIELD_PACE = Pace(
    first_audio_ms=200, created_ms=280, ack_delay_s=0.26, silence_ms={**SILENCE_MS, "high": 540}
)
"""The model's delays as observed (openai/observed_wire_behaviour_2026-09.json). A detector that understands
words does not take the 480 ms after "Hello!" for the end of a question; one that counts must wait longer."""


async def be_model(settings: dict[str, Any]) -> None:
    """Serve the simulated Realtime API until the parent closes the pipe, then report.

    The word ``outbound`` changes the script: sessions opened from then on are of calls that are placed.
    """
    files = [Path(file) for file in settings["files"]]
    simulator = ModelSimulator(
        story.own_script(files) if files else story.story_script(),
        settings["dialect"],
        Faults(**settings["faults"]),
        FIELD_PACE,
        keep_audio=False,
    )
    inbound: int | None = None
    moments: dict[int, Moments] = {}
    lateness = Lateness()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_model, simulator)
        nursery.start_soon(_watch, simulator, moments, nursery, name="watch")
        nursery.start_soon(lateness.watch, name="lateness")
        tell("ready", url=simulator.url)
        async for _ in orders():
            inbound = len(simulator.sessions)
            simulator.script = story.calling_script()
            tell("changed")
        report = ModelReport(
            # The inbound call's is the last before any call was placed; the first was the phone's question.
            inbound=model_facts(simulator, simulator.sessions[:inbound][-1:], moments),
            outbound=[
                model_facts(simulator, [session], moments)
                for session in simulator.sessions[len(simulator.sessions) if inbound is None else inbound :]
            ],
            stalls=lateness.stalls,
        )
        tell("report", report=attrs.asdict(report))
        nursery.cancel_scope.cancel()


@attrs.define
class Moments:
    """When what happened to a session, by the clock that all processes share."""

    primed_s: float | None = None
    closed_s: float | None = None

    async def watch(self, session: ModelSession) -> None:
        """Until the session is over."""

        def is_primed() -> bool:
            return any(not each.in_conversation and each.status == "completed" for each in session.responses)

        await session.until(lambda: is_primed() or not session.is_open)
        if is_primed():
            self.primed_s = perf_s(trio.current_time())
        await session.until(lambda: not session.is_open)
        self.closed_s = perf_s(trio.current_time())


async def _watch(simulator: ModelSimulator, moments: dict[int, Moments], nursery: trio.Nursery) -> None:
    for number in count(1):
        session = await simulator.session(number)
        moments[number] = Moments()
        nursery.start_soon(moments[number].watch, session, name=f"watch session {number}")


def model_facts(
    simulator: ModelSimulator, sessions: list[ModelSession], moments: dict[int, Moments]
) -> ModelFacts:
    """What the model saw of one session, or of none."""
    session = sessions[0] if sessions else None
    seen = moments.get(session.number, Moments()) if session is not None else Moments()
    items = [] if session is None else [*session.conversation.items, *session.conversation.deleted]
    return ModelFacts(
        refusals=simulator.refusals,
        sessions=len(simulator.sessions),
        live_sessions=simulator.live_sessions,
        dialect=session.dialect.value if session is not None else "",
        close_code=session.close_code if session is not None else None,
        skipped_tools=session.skipped_tools if session is not None else [],
        items=[
            ItemFacts(
                type=item.type,
                role=item.role or "",
                name=item.body.get("name", ""),
                call_id=item.body.get("call_id", ""),
                output=item.body.get("output", ""),
                generated_ms=item.generated_ms,
                truncated_ms=item.truncated_ms,
                deleted=item.deleted,
            )
            for item in items
        ],
        instructions=session.config.get("instructions", "") if session is not None else "",
        primed_s=seen.primed_s,
        closed_s=seen.closed_s,
    )


def main() -> None:
    """Be the simulator that the command line names."""
    role, settings = sys.argv[1], json.loads(sys.argv[2])
    if role == "model":
        trio.run(be_model, settings)
    else:
        from llcphone.demo.telephone import be_phone  # the model need not wait for what this imports

        trio.run(be_phone, settings)


if __name__ == "__main__":
    main()
