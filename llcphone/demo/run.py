"""The demo on its stage: the calls it holds one after the other, between the two simulated vendors.

The server is the one that ``llcphone serve`` runs, and everybody talks over sockets: what the checks compare
was seen by different sides, each by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.demo import script as story
from llcphone.demo import telephone
from llcphone.demo.call import DemoCall, draw
from llcphone.demo.facts import ModelFacts, OutboundFacts
from llcphone.demo.lateness import Lateness
from llcphone.demo.listening_in import play_live
from llcphone.sim.model import SILENCE_MS, Faults, Pace
from llcphone.sim.twilio import CallFaults, Signature
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from llcphone.call.call import Call
    from llcphone.demo.facts import Facts
    from llcphone.demo.view import CallView
    from llcphone.engine.note import Note
    from llcphone.testing import Rehearsal

FORMATS = {
    "ga": "old message format refused, using the current one (GA)",
    "flat": "old message format (flat) accepted",
}
"""What came of the question, by dialect."""

FIELD_PACE = Pace(
    first_audio_ms=200, created_ms=280, ack_delay_s=0.26, silence_ms={**SILENCE_MS, "high": 540}
)
"""The model's delays as observed (openai/observed_wire_behaviour_2026-09.json). A detector that understands
words does not take the 480 ms after "Hello!" for the end of a question; one that counts must wait longer."""

DRAIN_S = 5.0

PLACED_LIMIT_S = 45.0
"""For a call we place; the longest takes 20 s."""


@attrs.define(eq=False)
class DemoRun:
    """One run of the demo."""

    out: Path
    caller: Sequence[Path]
    dialect: str
    model_faults: dict[str, Any]
    view: CallView
    inbound: DemoCall
    outbound: OutboundFacts | None
    """None: no calls are placed."""
    player: tuple[str, ...] = ()
    """Plays the calls while they go on; empty: nothing does."""
    shown: DemoCall = attrs.field(init=False)
    """The call that is shown now."""
    _placed: dict[str, DemoCall] = attrs.field(factory=dict)
    """By call id; every other call is the inbound one."""
    guest: DemoCall | None = None
    """The call to the guest who answers."""
    _lateness: Lateness = attrs.field(factory=Lateness)

    def __attrs_post_init__(self) -> None:
        self.shown = self.inbound

    async def hold_calls(self, limit_s: float) -> None:
        """Open the stage, hold the calls, collect the facts."""
        with trio.move_on_after(limit_s), self.view.open(), warnings_to(self._warned):
            tasks, sockets = open_now()
            async with (
                rehearse(
                    story.make_agent(),
                    script=story.own_script(self.caller) if self.caller else story.story_script(),
                    dialects=self.dialect,
                    faults=Faults(**self.model_faults),
                    pace=FIELD_PACE,
                    callee=telephone.callee,
                    settings={"realtime": {"transcription_model": "gpt-4o-transcribe"}},
                    on_note=self._note,
                ) as stage,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(draw, self.view, lambda: self.shown, name="view")
                nursery.start_soon(self._lateness.watch, name="lateness")
                await self._answer(stage)
                if self.outbound is not None:
                    await self._place_calls(stage, self.outbound)
                await stage.phone.drain(DRAIN_S)
                self._collect(stage)
                nursery.cancel_scope.cancel(reason="over")
            left_tasks, left_sockets = open_now()
            self.inbound.facts.tasks_left = sorted((left_tasks - tasks).elements())
            self.inbound.facts.sockets_left = max(0, left_sockets - sockets)

    async def _answer(self, stage: Rehearsal) -> None:
        """The call that comes in, and a forged request before it."""
        facts = self.inbound.facts
        answer = stage.phone.endpoints.first.dialects.answer
        facts.dialect = answer.value if answer is not None else ""
        self.view.say(f"Realtime API: {FORMATS.get(facts.dialect, 'no answer')}")
        self.view.say("a caller rings")
        forged = await stage.twilio.ring(faults=CallFaults(webhook_signature=Signature.WRONG))
        await forged.ended()
        call = stage.twilio.ring_nowait(
            faults=telephone.FIELD_LINE, on_event=partial(self._heard, self.inbound)
        )
        lines = story.own_lines(self.caller) if self.caller else story.STORY
        async with play_live(call, self.player, self._say_trouble):
            gave_up = await telephone.hold_call(call, lines, own=bool(self.caller))
        call.write_wav(self.out / "call.wav")
        facts.phone = telephone.phone_facts(call, gave_up, stage.twilio.open_streams, forged)
        with trio.move_on_after(telephone.OVER_S):
            facts.record = await stage.record()

    # -- the calls we place -----------------------------------------------------------------

    async def _place_calls(self, stage: Rehearsal, facts: OutboundFacts) -> None:
        """Ring a guest who answers, then one whose line is busy."""
        stage.model.script = story.calling_script()
        self.guest = DemoCall(facts.guest)
        await self._place(stage, self.guest, story.GUEST, "The server rings a guest who waits for a table")
        await self._place(
            stage, DemoCall(facts.busy), story.BUSY_GUEST, "and another guest, whose line is busy"
        )
        facts.orders = [form["To"][0] for form in stage.twilio.rest.creates]

    async def _place(self, stage: Rehearsal, shown: DemoCall, number: str, title: str) -> None:
        self.shown.draw(self.view)
        self.view.next_call(title)
        self.shown = shown
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pick_up, stage, shown, name="guest")
            call = stage.phone.place_call(number, story.make_calling_agent(), context=story.CONTEXT)
            self._placed[call.call_id] = shown
            self.view.say("connecting the model first; the telephone does not ring yet", at_ms=0)
            with trio.move_on_after(PLACED_LIMIT_S):
                await call
            call.end()  # over already, unless it hangs
            shown.facts.record = record = await call
            shown.draw(self.view)
            self.view.say(f"over: {record.reason.value}", at_ms=round(record.duration_s * 1000))
            if not record.call_sid:
                nursery.cancel_scope.cancel(reason="nobody was rung")

    async def _pick_up(self, stage: Rehearsal, shown: DemoCall) -> None:
        """Be the guest who is rung; whose line is busy has nothing to do."""
        is_guest = shown is self.guest
        call = await stage.twilio.outbound(1 if is_guest else 2)
        gave_up = ""
        if is_guest:
            call.log.on_event = partial(self._heard, shown)
            async with play_live(call, self.player, self._say_trouble):
                gave_up = await telephone.hold_call(call, story.GUEST_SAYS, greeted=False)
            call.write_wav(self.out / "call-outbound.wav")
        await telephone.told_the_end(call)
        shown.facts.phone = telephone.phone_facts(call, gave_up, stage.twilio.open_streams)

    # -- what is known then -----------------------------------------------------------------

    def _collect(self, stage: Rehearsal) -> None:
        """Give each call its model's facts: sessions were opened in the order of the calls."""
        for facts, session in zip(self._facts(), stage.model.sessions, strict=False):
            facts.model = ModelFacts.of(stage.model, session)
            facts.stalls = self._lateness.stalls

    def _facts(self) -> list[Facts]:
        placed = [] if self.outbound is None else [self.outbound.guest, self.outbound.busy]
        return [self.inbound.facts, *placed]

    def _note(self, call: Call, note: Note) -> None:
        self._placed.get(call.call_id, self.inbound).note(call, note)

    def _heard(self, shown: DemoCall, _: int, what: str) -> None:
        """Something happened at the telephone."""
        shown.elsewhere.append((trio.current_time(), "phone", what))

    def _say_trouble(self, what: str) -> None:
        self._heard(self.shown, 0, what)
        self.view.say(what)

    def _warned(self, text: str) -> None:
        self.shown.elsewhere.append((trio.current_time(), "log", text))


def open_now() -> tuple[Counter[str], int]:
    """The names of all tasks below Trio's root, and how many sockets this process has open."""
    import psutil  # type: ignore[import-untyped]

    root = trio.lowlevel.current_root_task()
    return Counter(_names(root)), len(psutil.Process().net_connections("inet"))


def _names(task: trio.lowlevel.Task | None) -> Iterator[str]:
    for nursery in [] if task is None else task.child_nurseries:
        for child in nursery.child_tasks:
            yield child.name
            yield from _names(child)


@contextmanager
def warnings_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Send llcphone's warnings to ``tell`` instead of the terminal that is being drawn on."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(record.getMessage())

    log, handler = logging.getLogger("llcphone"), Teller(logging.WARNING)
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
