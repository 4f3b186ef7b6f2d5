"""The demo on its stage: three processes, and the calls they hold one after the other.

This process is the server, exactly as ``llcphone serve`` runs it (door, quart-trio, phone, with signatures
checked against a made-up token), and each vendor's simulator is a process of its own (``party``). So
only the server's work is in the server's timings, no loop or lock is shared, and what the checks compare was
really seen by different parties. The server believes in a public https address; the simulated Twilio reaches
it on loopback, as through a tunnel.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.config import Config
from llcphone.demo import script as story
from llcphone.demo.facts import CalleesFacts, ModelReport, OutboundFacts, PhoneFacts
from llcphone.demo.process import Census, Party, open_party, warnings_to
from llcphone.demo.scene import Scene
from llcphone.phone_open import open_phone
from llcphone.server.run import serve

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.call.handle import Call
    from llcphone.call.record import CallRecord
    from llcphone.demo.view import CallView
    from llcphone.engine.commands import Note
    from llcphone.phone import Phone
    from llcphone.server.door import Door

PUBLIC_URL = "https://casa-verde.example"
AUTH_TOKEN = "a-made-up-token-for-the-demo"
ACCOUNT_SID = "AC" + "0" * 32

ASK_S = 3.0
"""What the dialect question may take before the caller rings all the same."""

DRAIN_S = 5.0

PLACED_LIMIT_S = 45.0
"""For a call we place; the longest takes 20 s."""


def make_config(model_url: str, twilio_url: str) -> Config:
    """As a user would write it: everything else keeps its default."""
    return Config.from_dict(
        {
            "realtime": {"url": model_url, "api_key": "sk-demo", "transcription_model": "gpt-4o-transcribe"},
            "server": {"port": 0, "public_url": PUBLIC_URL},
            "twilio": {
                "account_sid": ACCOUNT_SID,
                "auth_token": AUTH_TOKEN,
                "phone_number": story.OWN_NUMBER,
                "api_url": twilio_url,
            },
            "outbound": {"allow_prefixes": ["+1555"]},  # numbers of films lie in no country
            "records": {"transcript": True},
        }
    )


@attrs.define(eq=False)
class Stage:
    """One run of the demo."""

    out: Path
    caller: list[str]
    dialect: str
    model_faults: dict[str, Any]
    view: CallView
    inbound: Scene
    outbound: OutboundFacts | None
    """None: no calls are placed."""
    scene: Scene = attrs.field(init=False)
    """The call that is shown now."""
    _placed: dict[str, Scene] = attrs.field(factory=dict)
    """By call id; every other call is the inbound one."""
    guest: Scene | None = None
    """The call to the guest who answers."""

    def __attrs_post_init__(self) -> None:
        self.scene = self.inbound

    # -- the parties ------------------------------------------------------------------------

    async def hold_calls(self, limit_s: float) -> None:
        """Open all three parties, hold the calls, collect the facts."""
        facts = self.inbound.facts
        with trio.move_on_after(limit_s), self.view.open(), warnings_to(self._warned):
            self.view.open_with("simulated Twilio ⇄ llcphone ⇄ simulated Realtime API")
            settings = {"files": self.caller, "dialect": self.dialect, "faults": self.model_faults}
            async with open_party("model", settings) as model:
                ready = await model.next()
                if ready is None:
                    return
                before = Census.take()
                await self._open_telephone(model, ready["url"])
                after = Census.take()
                facts.tasks_left = sorted((after.tasks - before.tasks).elements())
                facts.sockets_left = max(0, after.sockets - before.sockets)
                await model.let_go()
                self._take(await model.report("report", ModelReport))

    async def _open_telephone(self, model: Party, model_url: str) -> None:
        """The telephone must know the server's port and the server its REST address: listen, ask, serve."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        settings = {
            "files": self.caller,
            "auth_token": AUTH_TOKEN,
            "public_url": PUBLIC_URL,
            "port": listeners[0].socket.getsockname()[1],
            "wav": str(self.out / "call.wav"),
            "outbound_wav": str(self.out / "call-outbound.wav"),
        }
        async with listeners[0], open_party("phone", settings) as telephone:
            if (ready := await telephone.next()) is not None:
                await self._serve(make_config(model_url, ready["url"]), listeners, model, telephone)

    async def _serve(
        self, config: Config, listeners: list[trio.SocketListener], model: Party, telephone: Party
    ) -> None:
        async with (
            open_phone(config, story.make_agent(), on_record=self._keep, on_note=self._note) as phone,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._draw, name="view")
            door: Door = await nursery.start(
                partial(serve, phone, config, listeners=listeners), name="server"
            )
            await self._ask(phone)
            await telephone.order("ring")
            self.inbound.facts.phone = await telephone.report("report", PhoneFacts, self._heard)
            if self.outbound is not None:
                await self._place_calls(phone, self.outbound, model, telephone)
            await phone.drain(DRAIN_S)
            door.stop_accepting()
            nursery.cancel_scope.cancel(reason="over")

    async def _ask(self, phone: Phone) -> None:
        """A server that has been up for a while knows the dialect before anybody rings."""
        self.view.say("asking the Realtime API for its dialect, flat first")
        with trio.move_on_after(ASK_S):
            while phone.endpoint.trouble is not None:  # noqa: ASYNC110 (a question, not an event)
                await trio.sleep(0.02)
        answer = phone.endpoint.dialects.answer
        self.inbound.facts.dialect = answer.value if answer is not None else ""
        trouble = phone.endpoint.trouble
        spoken = f"it speaks {self.inbound.facts.dialect}"
        self.view.say(spoken if trouble is None else f"no session yet: {trouble}")

    # -- the calls we place -----------------------------------------------------------------

    async def _place_calls(self, phone: Phone, facts: OutboundFacts, model: Party, telephone: Party) -> None:
        """Ring a guest who answers, then one whose line is busy."""
        await model.order("outbound")
        await model.next()  # from now on sessions are of calls we place
        await telephone.order("answer")
        self.guest = Scene(facts.guest)
        await self._place(phone, self.guest, story.GUEST, "a guest who waits for a table is rung")
        await self._place(phone, Scene(facts.busy), story.BUSY_GUEST, "another guest, whose line is busy")
        await telephone.let_go()
        callees = await telephone.report("callees", CalleesFacts, self._heard)
        if callees is not None:
            facts.orders = callees.orders
            facts.guest.phone = callees.calls.get(story.GUEST)
            facts.busy.phone = callees.calls.get(story.BUSY_GUEST)

    async def _place(self, phone: Phone, scene: Scene, number: str, title: str) -> None:
        self.scene.draw(self.view)
        self.view.next_call(title)
        self.scene = scene
        call = phone.place_call(number, story.make_calling_agent(), context=story.CONTEXT)
        self._placed[call.call_id] = scene
        self.view.say("warming a model session; nobody's telephone rings yet", at_ms=0)
        with trio.move_on_after(PLACED_LIMIT_S):
            await call
        call.end()  # over already, unless it hangs
        record = await call
        scene.draw(self.view)
        self.view.say(f"over: {record.reason.value}", at_ms=round(record.duration_s * 1000))

    def _take(self, report: ModelReport | None) -> None:
        """Give each call its model's facts; the model counts sessions in the order we placed calls."""
        if report is None:
            return
        self.inbound.facts.model = report.inbound
        if self.outbound is not None:
            calls = (self.outbound.guest, self.outbound.busy)
            for facts, model in zip(calls, report.outbound, strict=False):
                facts.model = model

    # -- what the server tells --------------------------------------------------------------

    def _keep(self, record: CallRecord) -> None:
        self._placed.get(record.call_id, self.inbound).facts.record = record

    def _note(self, call: Call, note: Note) -> None:
        self._placed.get(call.call_id, self.inbound).note(call, note)

    def _heard(self, message: dict[str, Any]) -> None:
        """Something happened at the telephone."""
        scene = self.inbound if self.guest is None else self.guest
        scene.elsewhere.append((message["at_s"], "phone", message["what"]))

    def _warned(self, text: str) -> None:
        self.scene.elsewhere.append((time.perf_counter(), "log", text))

    async def _draw(self) -> None:
        try:
            while True:
                self.scene.draw(self.view)
                await trio.sleep(0.1)
        finally:
            self.scene.draw(self.view)
            self.view.finish()
