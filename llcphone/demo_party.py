"""The demo's two outside parties, each a process of its own: ``python -m llcphone.demo_party ROLE SETTINGS``.

Real vendors share no process, no event loop and no clock drift with us, so neither do the simulators: the
server is measured alone, and a bug of one party cannot hide in another. A party writes JSON lines to stdout:
``ready`` (the model's URL), ``event``s as they happen, at last ``report``. Its stdin is its leash: when the
parent closes it, or dies however, a party reports and ends, so no process is ever left behind.

Moments leave here as ``time.perf_counter()``, which all processes of a machine read from one clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import trio

from llcphone import demo_script as story
from llcphone.demo_facts import ItemFacts, ModelFacts, PhoneFacts
from llcphone.sim.model import SILENCE_MS, Faults, ModelSimulator, Pace, serve_model
from llcphone.sim.phone import CallFaults, CallOver, Signature, SimCall, TwilioSimulator, open_twilio

PATIENCE_S = 20.0
"""No party of the demo waits longer for another to speak."""

FIELD_PACE = Pace(
    first_audio_ms=200, created_ms=280, ack_delay_s=0.26, silence_ms={**SILENCE_MS, "high": 540}
)
"""The model's delays as observed (openai/observed_wire_behaviour_2026-09.json). A detector that understands
words does not take the 480 ms after "Hello!" for the end of a question; one that counts must wait longer."""

FIELD_LINE = CallFaults(connect_delay_s=0.365, first_frame_delay_s=0.15, comfort_noise=True)
"""The telephone's, likewise: from TwiML to stream, and from ``start`` to the first frame; and its hiss."""


def perf_s(trio_s: float) -> float:
    """A moment of Trio's clock on the clock that all processes share."""
    return time.perf_counter() + trio_s - trio.current_time()


def tell(kind: str, **fields: Any) -> None:
    """One line to the parent. It reads at once, so this hardly waits; a dead parent is not our trouble."""
    try:
        sys.stdout.write(json.dumps({"kind": kind, "at_s": time.perf_counter(), **fields}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


async def leash_let_go() -> None:
    """Wait until the parent closes our stdin (``os.read`` in a thread is portable and holds no lock)."""
    while await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        pass


# -- the model --------------------------------------------------------------------------------------------


async def be_model(settings: dict[str, Any]) -> None:
    """Serve the simulated Realtime API until the leash is let go, then report."""
    files = [Path(file) for file in settings["files"]]
    simulator = ModelSimulator(
        story.own_script(files) if files else story.story_script(),
        settings["dialect"],
        Faults(**settings["faults"]),
        FIELD_PACE,
        keep_audio=False,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_model, simulator)
        tell("ready", url=simulator.url)
        await leash_let_go()
        tell("report", report=attrs.asdict(model_facts(simulator)))
        nursery.cancel_scope.cancel()


def model_facts(simulator: ModelSimulator) -> ModelFacts:
    """What the model saw; its last session is the call's, the first was the phone's own question."""
    session = simulator.sessions[-1] if simulator.sessions else None
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
    )


# -- the caller -------------------------------------------------------------------------------------------


async def be_phone(settings: dict[str, Any]) -> None:
    """Ring, hold the call, write the WAV, report."""
    async with (
        open_twilio(
            webhook_url="/twiml",
            auth_token=settings["auth_token"],
            public_url=settings["public_url"],
            connect_to=("127.0.0.1", settings["port"]),
        ) as twilio,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_leave_when_let_go, nursery.cancel_scope, name="leash")
        forged = await twilio.ring(faults=CallFaults(webhook_signature=Signature.WRONG))
        await forged.ended()
        call = twilio.ring_nowait(faults=FIELD_LINE, on_event=lambda _, line: tell("event", what=line))
        files = [Path(file) for file in settings["files"]]
        gave_up = await _hold_call(call, story.own_lines(files) if files else story.STORY, own=bool(files))
        call.write_wav(settings["wav"])
        report = phone_facts(twilio, forged, call, gave_up)
        tell("report", report=attrs.asdict(report))
        nursery.cancel_scope.cancel()


async def _leave_when_let_go(scope: trio.CancelScope) -> None:
    await leash_let_go()
    scope.cancel()


async def _hold_call(call: SimCall, lines: tuple[story.Line, ...], *, own: bool) -> str:
    """The caller's part; returns what the caller waited for in vain, "" if nothing."""
    waits_for = "the call to be answered"
    speeches = [line.load() for line in lines]
    try:
        with trio.fail_after(PATIENCE_S):
            await call.stream_started()
        waits_for = "a greeting"
        with trio.fail_after(PATIENCE_S):
            await call.hears()
        for line, speech in zip(lines, speeches, strict=True):
            waits_for = "the agent to come to an end"
            with trio.fail_after(PATIENCE_S):
                if line.after_s is None:
                    await call.silence_for(story.REACTION_MS)
                else:
                    await call.hears(line.after_s)
            await call.speak(speech)
            waits_for = "an answer"
            with trio.fail_after(PATIENCE_S):
                await call.hears()
        if own:
            with trio.fail_after(PATIENCE_S):
                await call.silence_for(story.REACTION_MS)
            call.hang_up()
        waits_for = "the agent to hang up"
        with trio.fail_after(PATIENCE_S):
            await call.ended()
    except trio.TooSlowError:
        call.hang_up()
        await call.ended()
        return waits_for
    except CallOver:
        return waits_for
    return ""


def phone_facts(twilio: TwilioSimulator, forged: SimCall, call: SimCall, gave_up: str) -> PhoneFacts:
    """What the telephone network saw and the ear heard."""
    record = call.record
    started = [stream.started_at_ms for stream in record.streams if stream.started_at_ms is not None]
    return PhoneFacts(
        born_s=perf_s(call.log.born_at),
        forged_statuses=[status for _, status, _ in forged.record.requests],
        requests=record.requests,
        started_ms=started[0] if started else None,
        ended_by=record.ended_by.value if record.ended_by is not None else "",
        gave_up=gave_up,
        errors=[(error.code, error.text) for error in record.errors],
        said=[(at_ms, len(audio) / 8) for at_ms, audio in call.said],
        ear=[(at_ms, len(audio) / 8) for at_ms, audio in call.ear],
        clears=[each.at_ms for each in call.received if each.event == "clear"],
        media=[(each.at_ms, each.audio_ms) for each in call.received if each.event == "media"],
        open_streams=twilio.open_streams,
    )


def main() -> None:
    """Be the party that the command line names."""
    role, settings = sys.argv[1], json.loads(sys.argv[2])
    trio.run({"model": be_model, "phone": be_phone}[role], settings)


if __name__ == "__main__":
    main()
