"""A simulated Twilio: rings your server over real sockets and behaves as the telephone network does.

    async with open_twilio(webhook_url="http://127.0.0.1:8081/twiml", auth_token="secret") as twilio:
        call = await twilio.ring(from_="+15551230001", to="+15551230002")
        await call.stream_started()
        await call.speak(voices.load("hello_opening_hours"))
        await call.hears(2.0)
        call.hang_up()
        record = await call.ended()

It signs its webhooks and its stream, runs the TwiML it is given, plays agent audio in real time and echoes
marks when they are heard. It is strict: what Twilio refuses or ignores is refused or ignored here, and is
noted in the call's record under Twilio's own error code. Time is Trio's, so a call runs as well under
``trio.testing.MockClock``.

It imports nothing of llcphone but its own parts: a simulator that shared code with what it tests would share
its errors.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict, Unpack
from urllib.parse import urlsplit

import attrs
import trio

from llcphone.sim.twilio.call import SimCall
from llcphone.sim.twilio.crossing import CrossedMouth
from llcphone.sim.twilio.follow import live
from llcphone.sim.twilio.http import Route, Webhooks, call_form, make_client
from llcphone.sim.twilio.mouth import Mouth
from llcphone.sim.twilio.playout import Playout
from llcphone.sim.twilio.record import (
    CallFaults,
    CallLog,
    CallRecord,
    EventPrinter,
)
from llcphone.sim.twilio.rest import Form, RestApi, RestError
from llcphone.sim.twilio.steps import (
    Callee,
    DialOutcome,
    Document,
    Exchange,
    Fetch,
    RingOut,
    StatusCallbacks,
    Step,
    make_sid,
)
from llcphone.sim.twilio.unknowns import Unknowns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from llcphone.sim.twilio.handset import Handset

CLOSE_LIMIT_S = 5.0
CALLER, NUMBER = "+15551230001", "+15551230002"
ACCOUNT_SID = "AC" + "0" * 32


class Ring(TypedDict, total=False):
    """How a caller rings."""

    from_: str
    """The caller's number as Twilio gives it; it may be ``anonymous``."""
    to: str
    """The number that was dialled."""
    faults: CallFaults
    """What goes wrong, or differs, in this call."""
    fields: Mapping[str, str]
    """Further or other form fields of the webhooks."""
    twiml: str
    """Run this document instead of asking the webhook."""
    on_event: EventPrinter
    """Receives each event, in words without personal data."""
    handset: Handset
    """Who speaks and hears, if it is somebody outside."""


@attrs.define(eq=False)
class TwilioSimulator:
    """One account with one number whose voice webhook is ``webhook_url``."""

    webhook_url: str
    status_callback_url: str
    exchange: Exchange
    number: str
    callee: Callable[[str], Callee]
    keep_audio: bool
    nursery: trio.Nursery
    """Owns the calls."""
    rest: RestApi = attrs.field(init=False)
    """The REST API: its requests, its messages, its faults."""
    api_url: str = ""
    """Where the REST API is served, in place of ``https://api.twilio.com``."""
    calls: list[SimCall] = attrs.field(factory=list)
    """Every call so far."""
    on_event: EventPrinter | None = None
    """Receives each event of the calls that the server places."""
    _placed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _next_begin: float = -math.inf
    """When the next placed call may leave the queue."""

    def __attrs_post_init__(self) -> None:
        self.rest = RestApi(
            account_sid=self.exchange.account_sid,
            auth_token=self.exchange.auth_token,
            number=self.number,
            place_call=self._place_call,
            calls=self.calls,
            verified=self.exchange.own_numbers,
            unknowns=self.exchange.unknowns,
            voice_url=self.webhook_url,
            status_callback_url=self.status_callback_url,
        )

    async def ring(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; see ``Ring``. Returns when the webhook was answered, or failed."""
        call = self.ring_nowait(**how)
        await call.answered()
        return call

    def ring_nowait(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; see ``Ring``. The webhook's answer is still to come."""
        form = call_form(
            self.exchange.account_sid, "inbound", how.get("from_", CALLER), how.get("to", self.number)
        )
        form |= how.get("fields", {})
        step: Step = Fetch("voice", self.rest.voice_url, first=True)
        if "twiml" in how:
            step = Document(how["twiml"], self.webhook_url)
        callbacks = StatusCallbacks(self.rest.status_callback_url)
        faults = how.get("faults", CallFaults())
        return self._begin(
            form, step, faults, callbacks, on_event=how.get("on_event"), handset=how.get("handset")
        )

    def forget_calls(self, but: int) -> None:
        """Forget the oldest calls that are over, and what was said and heard in them, but for so many."""
        over = [call for call in self.calls if call.over]
        for call in over[: max(0, len(over) - but)]:
            self.calls.remove(call)

    async def outbound(self, nth: int = 1) -> SimCall:
        """Wait for the nth call that the server places through the REST API."""
        while True:
            placed = [call for call in self.calls if call.record.direction == "outbound-api"]
            if len(placed) >= nth:
                return placed[nth - 1]
            await self._placed.park()

    def _place_call(self, form: Form) -> SimCall:
        """What REST does: ring the callee, then run the document named by ``Url`` or given as ``Twiml``."""

        def field(name: str, default: str = "") -> str:
            return form.get(name, [default])[0]

        callee = self.callee(field("To"))
        crosses = self.exchange.unknowns.to_itself is not None and field("To") in self.exchange.own_numbers
        if crosses:
            callee = attrs.evolve(callee, arrive=self._arrive)
        if callee.refused is not None:
            raise RestError(400, callee.refused, "The number you are attempting to call is refused")
        url = field("Url")
        then = (
            Fetch("voice", url, field("Method", "POST"), first=True) if url else Document(field("Twiml"), "")
        )
        step = RingOut(
            callee=callee,
            then=then,
            timeout_s=int(field("Timeout", "60")),
            queued_s=self._queue(),
            detection=field("MachineDetection"),
            detection_url=field("AsyncAmdStatusCallback") if field("AsyncAmd") == "true" else "",
            detection_timeout_s=int(field("MachineDetectionTimeout", "30")),
            send_digits=field("SendDigits"),
        )
        events = frozenset(form.get("StatusCallbackEvent", [])) | {"completed"}
        callbacks = StatusCallbacks(field("StatusCallback"), field("StatusCallbackMethod", "POST"), events)
        fields = call_form(self.exchange.account_sid, "outbound-api", field("From"), field("To"))
        call = self._begin(
            fields,
            step,
            callee.faults,
            callbacks,
            on_event=self.on_event,
            handset=callee.handset,
            crosses=crosses,
        )
        call.status = "queued"
        self._placed.unpark_all()
        return call

    def _arrive(self, placed: SimCall) -> SimCall:
        """A call that was placed to one of our numbers arrives there."""
        form = call_form(self.exchange.account_sid, "inbound", placed.fields["From"], placed.fields["To"])
        step = Fetch("voice", self.rest.voice_url, first=True)
        faults = self.exchange.unknowns.to_itself or CallFaults()
        callbacks = StatusCallbacks(self.rest.status_callback_url)
        return self._begin(form, step, faults, callbacks, on_event=self.on_event, handset=None, crosses=True)

    def _queue(self) -> float:
        """How long a call placed now waits for its turn."""
        if self.rest.cps is None:
            return 0.0
        now = trio.current_time()
        begin = max(now, self._next_begin)
        self._next_begin = begin + 1 / self.rest.cps
        return begin - now

    def _begin(
        self,
        fields: Mapping[str, str],
        step: Step,
        faults: CallFaults,
        callbacks: StatusCallbacks,
        *,
        on_event: EventPrinter | None,
        handset: Handset | None,
        crosses: bool = False,
    ) -> SimCall:
        sid = make_sid("CA")
        log = CallLog(CallRecord(sid, fields["Direction"]), on_event)
        kind = CrossedMouth if crosses else Mouth
        mouth, ear = kind(log, faults.frame_ms, faults.comfort_noise), Playout(self.keep_audio)
        if handset is not None:
            mouth, ear = handset.take_up(log, faults.comfort_noise, self.keep_audio)
        call = SimCall(
            exchange=self.exchange,
            sid=sid,
            fields=fields,
            faults=faults,
            log=log,
            mouth=mouth,
            playout=ear,
            callbacks=callbacks,
            handset=handset,
        )
        self.calls.append(call)
        self.nursery.start_soon(live, call, step, name=f"sim call {sid}")
        return call

    @property
    def live_calls(self) -> int:
        """Calls that have not ended."""
        return sum(not call.over for call in self.calls)

    @property
    def open_streams(self) -> int:
        """Media streams whose socket is open."""
        return sum(call.stream is not None and call.stream.is_open for call in self.calls)

    @property
    def errors(self) -> Counter[int]:
        """Twilio error codes of all calls, counted."""
        return Counter(code for call in self.calls for code in call.record.error_codes)


@asynccontextmanager
async def open_twilio(
    *,
    webhook_url: str,
    auth_token: str,
    account_sid: str = ACCOUNT_SID,
    numbers: Sequence[str] = (NUMBER,),
    public_url: str | None = None,
    connect_to: tuple[str, int] | None = None,
    fallback_url: str | None = None,
    status_callback_url: str = "",
    callee: Callee | Callable[[str], Callee] = Callee(),  # noqa: B008 (frozen)
    dial_outcome: DialOutcome | Callable[[str], DialOutcome] = DialOutcome(),  # noqa: B008 (frozen)
    play_s: float = 2.0,
    unknowns: Unknowns | None = None,
    keep_audio: bool = True,
    api_port: int = 0,
    on_event: EventPrinter | None = None,
) -> AsyncIterator[TwilioSimulator]:
    """Open a simulated Twilio. On leaving, callers still on the line hang up.

    Args:
        webhook_url: the number's voice webhook; a path alone (``/twiml``) is taken below ``public_url``.
        auth_token: signs everything.
        account_sid: of the account.
        numbers: what may be called from; the first is the account's, whose webhook is ``webhook_url``.
        public_url: the server's public address, which is what is signed; the webhook's own origin by default.
        connect_to: address and port where the public host is really reached, without TLS, as behind a tunnel.
        fallback_url: asked when the voice webhook fails.
        status_callback_url: requested when an inbound call is over.
        callee: how the parties of outbound calls behave, all or by number.
        dial_outcome: what becomes of ``<Dial>``, for all numbers or by number.
        play_s: how long a ``<Play>`` lasts.
        unknowns: how it behaves where documentation does not say it.
        keep_audio: keep what was heard; off saves 8 KB per second and call.
        api_port: where the REST API is served; 0 takes a free port.
        on_event: receives each event of the calls that the server places.
    """
    if public_url is None:
        origin = urlsplit(webhook_url)
        public_url = f"{origin.scheme}://{origin.netloc}"
    outcome, party = dial_outcome, callee
    route = Route(public_url.rstrip("/"), connect_to)
    async with make_client() as client:
        exchange = Exchange(
            account_sid=account_sid,
            auth_token=auth_token,
            route=route,
            webhooks=Webhooks(client, auth_token, route, unknowns is None or unknowns.overrides == "heeded"),
            fallback_url=fallback_url,
            dial_outcome=(lambda _: outcome) if isinstance(outcome, DialOutcome) else outcome,
            play_s=play_s,
            own_numbers=set(numbers),
            unknowns=unknowns or Unknowns(),
        )
        async with trio.open_nursery() as services:
            async with trio.open_nursery() as nursery:
                twilio = TwilioSimulator(
                    webhook_url=webhook_url if "//" in webhook_url else f"{route.public_url}{webhook_url}",
                    status_callback_url=status_callback_url,
                    exchange=exchange,
                    number=numbers[0],
                    callee=(lambda _: party) if isinstance(party, Callee) else party,
                    keep_audio=keep_audio,
                    nursery=nursery,
                    on_event=on_event,
                )
                listeners = await trio.open_tcp_listeners(api_port, host="127.0.0.1")
                twilio.api_url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
                services.start_soon(trio.serve_listeners, twilio.rest.serve, listeners, name="sim REST API")
                yield twilio
                for call in twilio.calls:
                    call.hang_up()
                nursery.cancel_scope.deadline = trio.current_time() + CLOSE_LIMIT_S
            services.cancel_scope.cancel()
