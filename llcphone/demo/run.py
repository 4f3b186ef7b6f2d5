"""The demo on its stage: three processes, and the calls they hold one after the other.

This process is the server, exactly as ``llcphone serve`` runs it (door, quart-trio, phone, with signatures
checked against a made-up token), and each vendor's simulator is a process of its own (``simulators``). So
only the server's work is in the server's timings, no loop or lock is shared, and what the checks compare was
really seen by different processes. The server believes in a public https address; the simulated Twilio
reaches it on loopback, as through a tunnel.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.demo import script as story
from llcphone.demo.call import DemoCall
from llcphone.demo.facts import CalleesFacts, ModelReport, OutboundFacts, PhoneFacts
from llcphone.demo.lateness import Lateness
from llcphone.demo.parent import ChildSimulator, OpenResources, open_simulator, warnings_to

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.demo.facts import Facts
    from llcphone.demo.lateness import Stall
    from llcphone.demo.view import CallView
    from llcphone.engine.note import Note
    from llcphone.phone.phone import Phone
    from llcphone.server.listener import PublicListener

PUBLIC_URL = "https://casa-verde.example"
AUTH_TOKEN = "a-made-up-token-for-the-demo"
ACCOUNT_SID = "AC" + "0" * 32

ASK_S = 20.0
"""What the question for the message format may take before the caller rings all the same."""

INTRODUCTION = (
    "All on this computer, without account or network: Twilio's telephone line and OpenAI's Realtime API "
    "(the model that listens and speaks) are simulated, the server between them is the real one."
)
FORMATS = {
    "ga": "old message format refused, using the current one (GA)",
    "flat": "old message format (flat) accepted",
}
"""What came of the question, by dialect."""

DRAIN_S = 5.0

PLACED_LIMIT_S = 45.0
"""For a call we place; the longest takes 20 s."""


def make_config(model_url: str, twilio_url: str) -> Config:
    """As a user would write it: everything else keeps its default."""
    from llcphone.config import Config

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
            "records": {"path": "", "transcript": True},
        }
    )


@attrs.define(eq=False)
class DemoRun:
    """One run of the demo."""

    out: Path
    caller: list[str]
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

    def _story(self) -> str:
        """What will be seen."""
        who = "You ring" if self.caller else "A caller rings"
        story = f"{who} a restaurant, and the server answers with an AI voice."
        if self.caller:
            story += " Nobody here understands your words: the answers you will hear are scripted."
        return story if self.outbound is None else f"{story} Then it rings two guests itself."

    # -- the processes ----------------------------------------------------------------------

    async def hold_calls(self, limit_s: float) -> None:
        """Start both simulators, hold the calls, collect the facts."""
        with trio.move_on_after(limit_s), self.view.open(), warnings_to(self._warned):
            self.view.open_with(self._story(), INTRODUCTION)
            self.view.say("starting: the server, a simulated telephone, a simulated model")
            before = OpenResources.count()
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            vendor = {"files": self.caller, "dialect": self.dialect, "faults": self.model_faults}
            line = {
                "files": self.caller,
                "auth_token": AUTH_TOKEN,
                "public_url": PUBLIC_URL,
                "port": listeners[0].socket.getsockname()[1],
                "wav": str(self.out / "call.wav"),
                "outbound_wav": str(self.out / "call-outbound.wav"),
                "player": self.player,
            }
            async with (
                listeners[0],
                open_simulator("model", vendor) as model,
                open_simulator("phone", line) as telephone,
            ):
                await self._serve(listeners, model, telephone)
                await listeners[0].aclose()
                after = OpenResources.count()
                self.inbound.facts.tasks_left = sorted((after.tasks - before.tasks).elements())
                self.inbound.facts.sockets_left = max(0, after.sockets - before.sockets)
                await model.close_orders()
                self._take(await model.report("report", ModelReport))

    async def _serve(
        self, listeners: list[trio.SocketListener], model: ChildSimulator, telephone: ChildSimulator
    ) -> None:
        """Be the server while the calls are held."""
        # Imported now: the two simulators, whose processes are being started, import at the same time.
        from llcphone.phone.open import open_phone
        from llcphone.server.run import serve

        ready = [await simulator.next() for simulator in (model, telephone)]
        if ready[0] is None or ready[1] is None:
            return
        config = make_config(ready[0]["url"], ready[1]["url"])
        async with (
            open_phone(config, story.make_agent(), on_record=self._keep, on_note=self._note) as phone,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._draw, name="view")
            nursery.start_soon(self._lateness.watch, name="lateness")
            listener: PublicListener = await nursery.start(
                partial(serve, phone, config, listeners=listeners), name="server"
            )
            await self._ask(phone)
            self.view.say("a caller rings")
            await telephone.order("ring")
            self.inbound.facts.phone = await telephone.report("report", PhoneFacts, self._heard)
            if self.inbound.facts.phone is not None:
                self._stalled(self.inbound.facts.phone.stalls)
            if self.outbound is not None:
                await self._place_calls(phone, self.outbound, model, telephone)
            await phone.drain(DRAIN_S)
            listener.stop_accepting()
            nursery.cancel_scope.cancel(reason="over")

    async def _ask(self, phone: Phone) -> None:
        """A server that has been up for a while knows the dialect before anybody rings."""
        with trio.move_on_after(ASK_S):
            while phone.endpoint.trouble is not None:  # noqa: ASYNC110 (a question, not an event)
                await trio.sleep(0.02)
        answer = phone.endpoint.dialects.answer
        self.inbound.facts.dialect = answer.value if answer is not None else ""
        trouble = phone.endpoint.trouble
        text = FORMATS.get(self.inbound.facts.dialect, "no answer")
        self.view.say(f"Realtime API: {text}" if trouble is None else f"no session yet: {trouble}")

    # -- the calls we place -----------------------------------------------------------------

    async def _place_calls(
        self, phone: Phone, facts: OutboundFacts, model: ChildSimulator, telephone: ChildSimulator
    ) -> None:
        """Ring a guest who answers, then one whose line is busy."""
        await model.order("outbound")
        await model.next()  # from now on sessions are of calls we place
        await telephone.order("answer")
        self.guest = DemoCall(facts.guest)
        await self._place(phone, self.guest, story.GUEST, "The server rings a guest who waits for a table")
        await self._place(
            phone, DemoCall(facts.busy), story.BUSY_GUEST, "and another guest, whose line is busy"
        )
        await telephone.close_orders()
        callees = await telephone.report("callees", CalleesFacts, self._heard)
        if callees is not None:
            self._stalled(callees.stalls)
            facts.orders = callees.orders
            facts.guest.phone = callees.calls.get(story.GUEST)
            facts.busy.phone = callees.calls.get(story.BUSY_GUEST)

    async def _place(self, phone: Phone, shown: DemoCall, number: str, title: str) -> None:
        self.shown.draw(self.view)
        self.view.next_call(title)
        self.shown = shown
        call = phone.place_call(number, story.make_calling_agent(), context=story.CONTEXT)
        self._placed[call.call_id] = shown
        self.view.say("connecting the model first; nobody's telephone rings yet", at_ms=0)
        with trio.move_on_after(PLACED_LIMIT_S):
            await call
        call.end()  # over already, unless it hangs
        record = await call
        shown.draw(self.view)
        self.view.say(f"over: {record.reason.value}", at_ms=round(record.duration_s * 1000))

    def _take(self, report: ModelReport | None) -> None:
        """Give each call its model's facts; the model counts sessions in the order we placed calls."""
        if report is None:
            return
        self.inbound.facts.model = report.inbound
        self._stalled([*report.stalls, *self._lateness.stalls])
        if self.outbound is not None:
            calls = (self.outbound.guest, self.outbound.busy)
            for facts, model in zip(calls, report.outbound, strict=False):
                facts.model = model

    def _stalled(self, stalls: list[Stall]) -> None:
        """What kept a process waiting counts for every call."""
        for facts in self._facts():
            facts.stalls += stalls

    def _facts(self) -> list[Facts]:
        placed = [] if self.outbound is None else [self.outbound.guest, self.outbound.busy]
        return [self.inbound.facts, *placed]

    # -- messages of the server -------------------------------------------------------------

    def _keep(self, record: CallRecord) -> None:
        self._placed.get(record.call_id, self.inbound).facts.record = record

    def _note(self, call: Call, note: Note) -> None:
        self._placed.get(call.call_id, self.inbound).note(call, note)

    def _heard(self, message: dict[str, Any]) -> None:
        """Something happened at the telephone."""
        heard_in = self.inbound if self.guest is None else self.guest
        heard_in.elsewhere.append((message["at_s"], "phone", message["what"]))
        if message["kind"] == "trouble":
            self.view.say(message["what"])

    def _warned(self, text: str) -> None:
        self.shown.elsewhere.append((time.perf_counter(), "log", text))

    async def _draw(self) -> None:
        try:
            while True:
                self.shown.draw(self.view)
                await trio.sleep(0.1)
        finally:
            self.shown.draw(self.view)
            self.view.finish()
