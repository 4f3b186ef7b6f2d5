"""A rehearsal: your agent on a real server over real sockets, with both vendors simulated.

    async with rehearse(agent, script=["Good morning!", CallTool("opening_hours")]) as stage:
        call = await stage.ring()
        await call.speak(voices.load("book_table"))
        await call.hears(1.0)
        call.hang_up()
        record = await stage.record()

Everything runs on Trio's clock: under ``trio.testing.MockClock`` minutes take milliseconds. The
simulated vendors are strict, so what passes here is also well-formed for the real ones.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.phone.open import open_phone
from llcphone.server.run import serve
from llcphone.testing.stage import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.engine.note import Note
    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.phone import Phone
    from llcphone.server.listener import PublicListener
    from llcphone.sim.model import Pace
    from llcphone.sim.model.script import Scripted
    from llcphone.sim.twilio import Callee, DialOutcome
    from llcphone.testing.stage import Sections


@attrs.define(eq=False, kw_only=True)
class Rehearsal(Stage):
    """A stage with your agent's server on it."""

    phone: Phone
    listener: PublicListener
    config: Config
    """The settings in force."""
    records: list[CallRecord]
    """Of the calls that have ended."""
    notes: list[tuple[float, Note]]
    """Everything noted in any call, with Trio's time."""
    _news: trio.lowlevel.ParkingLot

    async def record(self, number: int = 1) -> CallRecord:
        """Wait for the ``number``-th call record."""
        while len(self.records) < number:
            await self._news.park()
        return self.records[number - 1]

    def noted(self, kind: str) -> list[Note]:
        """The notes of one kind, in order."""
        return [note for _, note in self.notes if note.kind == kind]


@asynccontextmanager
async def rehearse(
    agent: AgentChoice,
    *,
    script: Scripted = None,
    dialects: Any = "ga",
    profile: Any = "openai",
    faults: Any = None,
    pace: Pace | None = None,
    callee: Callee | Callable[[str], Callee] | None = None,
    dial_outcome: DialOutcome | Callable[[str], DialOutcome] | None = None,
    settings: Sections | None = None,
    on_note: Callable[[Call, Note], None] | None = None,
) -> AsyncIterator[Rehearsal]:
    """Put an agent on a stage; leaving drains the phone.

    Args:
        agent: who answers, or a function that chooses by the webhook's form.
        script: what the simulated model says (see ``llcphone.sim.model``).
        dialects: what the simulated endpoint speaks: ``ga``, ``flat`` or ``both``.
        profile: which kind of endpoint it plays: ``openai``, ``azure``, ``xai`` or ``generic``.
        faults: what goes wrong at the model's end, once the phone's own question was answered.
        pace: how fast the simulated model is.
        callee: how the people behave whom the agent calls, all or by number; None:
            it can call nobody.
        dial_outcome: what becomes of ``<Dial>`` of a number; None: it is answered after 3 s.
        settings: sections of ``llcphone.toml``, over the rehearsal's own.
        on_note: told of every note as it is made, besides ``Rehearsal.notes``.
    """
    records: list[CallRecord] = []
    notes: list[tuple[float, Note]] = []
    news = trio.lowlevel.ParkingLot()

    def keep(record: CallRecord) -> None:
        records.append(record)
        news.unpark_all()

    def note(call: Call, what: Note) -> None:
        notes.append((trio.current_time(), what))
        if on_note is not None:
            on_note(call, what)

    async with open_stage(
        script, dialects=dialects, profile=profile, pace=pace, callee=callee, dial_outcome=dial_outcome
    ) as stage:
        config = stage.make_config(settings or {})
        async with open_phone(config, agent, on_record=keep, on_note=note) as phone:
            await phone.endpoints.first.accepted.wait()
            stage.model.sessions.clear()  # the phone's own question
            if faults is not None:
                stage.model.faults = faults
            async with trio.open_nursery() as nursery:
                listener: PublicListener = await nursery.start(serve, phone, config)
                yield Rehearsal(
                    twilio=stage.twilio,
                    model=stage.model,
                    port=config.server.port,
                    can_dial=stage.can_dial,
                    phone=phone,
                    listener=listener,
                    config=config,
                    records=records,
                    notes=notes,
                    news=news,
                )
                for call in stage.twilio.calls:
                    call.hang_up()
                await phone.drain(5)
                listener.stop_accepting()
