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

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlsplit

import attrs
import trio

from llcphone.config import Config
from llcphone.phone.open import open_phone
from llcphone.server.run import serve
from llcphone.sim.model import ModelSession, ModelSimulator, Pace, open_model
from llcphone.sim.phone import Callee, DialOutcome, Ring, SimCall, TwilioSimulator, open_twilio
from llcphone.sim.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.engine.notes import Note
    from llcphone.phone.phone import AgentChoice, Phone
    from llcphone.server.listener import PublicListener
    from llcphone.sim.model.script import Scripted

AUTH_TOKEN = "rehearsal-0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 32
NUMBER = "+15551230002"
"""Our own number, the caller ID of outbound rehearsals."""


@attrs.define(eq=False)
class Stage:
    """The parties of a rehearsal, for driving them and for assertions."""

    phone: Phone
    twilio: TwilioSimulator
    model: ModelSimulator
    door: PublicListener
    config: Config
    records: list[CallRecord] = attrs.field(factory=list)
    notes: list[tuple[float, Note]] = attrs.field(factory=list)
    """Everything noted in any call, with Trio's time."""
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def ring(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; returns when the media stream has started."""
        call = await self.twilio.ring(**how)
        await call.stream_started()
        return call

    async def session(self, number: int = 1) -> ModelSession:
        """The ``number``-th model session of a call."""
        return await self.model.session(number)

    async def record(self, number: int = 1) -> CallRecord:
        """Wait for the ``number``-th call record."""
        while len(self.records) < number:
            await self._news.park()
        return self.records[number - 1]

    def keep(self, record: CallRecord) -> None:
        """Take a call's record."""
        self.records.append(record)
        self._news.unpark_all()

    def noted(self, kind: str) -> list[Note]:
        """The notes of one kind, in order."""
        return [note for _, note in self.notes if note.kind == kind]


@asynccontextmanager
async def rehearse(
    agent: AgentChoice,
    *,
    script: Scripted = None,
    dialects: Any = "ga",
    faults: Any = None,
    pace: Pace | None = None,
    callee: Callee | Callable[[str], Callee] | None = None,
    dial_outcome: DialOutcome | Callable[[str], DialOutcome] | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
    on_note: Callable[[Call, Note], None] | None = None,
) -> AsyncIterator[Stage]:
    """Put an agent on a stage; leaving drains the phone.

    Args:
        agent: who answers, or a function that chooses by the webhook's form.
        script: what the simulated model says (see ``llcphone.sim.model``).
        dialects: what the simulated endpoint speaks: ``ga``, ``flat`` or ``both``.
        faults: what goes wrong at the model's end, once the phone's own question was answered.
        pace: how fast the simulated model is.
        callee: how people behave whom ``stage.phone.place_call`` rings, all or by number; None:
            nobody can be rung.
        dial_outcome: what becomes of ``<Dial>`` of a number; None: it is answered after 3 s.
        settings: sections of ``llcphone.toml``, over the rehearsal's own.
        on_note: told of every note as it is made, besides ``Stage.notes``.
    """
    async with AsyncExitStack() as stack:
        paced: dict[str, Any] = {} if pace is None else {"pace": pace}
        model = await stack.enter_async_context(open_model(script, dialects=dialects, **paced))
        public_url = f"http://127.0.0.1:{free_port()}"
        people: dict[str, Any] = {} if callee is None else {"callee": callee}
        people |= {} if dial_outcome is None else {"dial_outcome": dial_outcome}
        twilio = await stack.enter_async_context(
            open_twilio(webhook_url=f"{public_url}/twiml", auth_token=AUTH_TOKEN, **people)
        )
        own: dict[str, dict[str, Any]] = {
            "server": {"public_url": public_url, "port": urlsplit(public_url).port}
        }
        if callee is not None:
            own["twilio"] = {"account_sid": ACCOUNT_SID, "api_url": twilio.api_url, "phone_number": NUMBER}
            own["outbound"] = {"allow_prefixes": ["+1555"]}  # numbers of films: no country knows them
        config = rehearsal_config(model.url, own, settings or {})
        stage: Stage | None = None

        def keep(record: CallRecord) -> None:
            if stage is not None:
                stage.keep(record)

        def note(call: Call, what: Note) -> None:
            if stage is not None:
                stage.notes.append((trio.current_time(), what))
                if on_note is not None:
                    on_note(call, what)

        async with open_phone(config, agent, on_record=keep, on_note=note) as phone:
            await phone.endpoint.accepted.wait()
            model.sessions.clear()  # the phone's own question
            if faults is not None:
                model.faults = faults
            async with trio.open_nursery() as nursery:
                door: PublicListener = await nursery.start(serve, phone, config)
                stage = Stage(phone, twilio, model, door, config)
                yield stage
                for call in twilio.calls:
                    call.hang_up()
                await phone.drain(5)
                door.stop_accepting()


def rehearsal_config(model_url: str, *overlays: dict[str, dict[str, Any]]) -> Config:
    """Settings for loopback, with sections of ``llcphone.toml`` laid over them, the last on top."""
    port = free_port()
    data: dict[str, dict[str, Any]] = {
        "realtime": {"url": model_url, "api_key": "sk-rehearsal-0123456789"},
        "server": {"public_url": f"http://127.0.0.1:{port}", "port": port},
        "twilio": {"auth_token": AUTH_TOKEN},
        "records": {"path": "", "transcript": True},
    }
    for overlay in overlays:
        for section, values in overlay.items():
            data[section] = {**data.get(section, {}), **values}
    return Config.from_dict(data)
