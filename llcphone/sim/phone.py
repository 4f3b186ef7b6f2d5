"""A simulated Twilio: rings your server over real sockets and behaves as the telephone network does.

    async with open_twilio(webhook_url="http://127.0.0.1:8081/twiml", auth_token="secret") as twilio:
        call = await twilio.ring(from_="+15551230001", to="+15551230002")
        await call.stream_started()
        await call.speak(voices.load("hello_opening_hours"))
        await call.hears(2.0)
        call.hang_up()
        record = await call.ended()

It signs its webhooks and its stream, runs the TwiML it is given, plays agent audio in real time and echoes
marks when they are heard. It is strict: what Twilio refuses or ignores is refused or ignored here, and stands
in the call's record under Twilio's own error code. Time is Trio's, so a call runs as well under
``trio.testing.MockClock``.

It imports nothing of llcphone but its own parts: a simulator that shared code with what it tests would share
its errors.
"""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict, Unpack
from urllib.parse import urlsplit

import attrs
import trio

from llcphone.sim.phone_call import CallOver, SimCall
from llcphone.sim.phone_http import Route, Webhooks, make_client, sign
from llcphone.sim.phone_mouth import Mouth
from llcphone.sim.phone_playout import Playout
from llcphone.sim.phone_record import (
    CallFaults,
    CallLog,
    CallRecord,
    EndedBy,
    EventPrinter,
    Received,
    Signature,
    StreamRecord,
    TwilioError,
)
from llcphone.sim.phone_steps import DialOutcome, Document, Exchange, Fetch, make_sid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = [
    "CallFaults",
    "CallOver",
    "CallRecord",
    "DialOutcome",
    "EndedBy",
    "Received",
    "Ring",
    "Signature",
    "SimCall",
    "StreamRecord",
    "TwilioError",
    "TwilioSimulator",
    "open_twilio",
    "sign",
]

CLOSE_LIMIT_S = 5.0
CALLER, NUMBER = "+15551230001", "+15551230002"
_PLACES = ("City", "State", "Zip", "Country")


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
    """Told of each event, in words without personal data."""


@attrs.define(eq=False)
class TwilioSimulator:
    """One account with one number whose voice webhook is ``webhook_url``."""

    webhook_url: str
    exchange: Exchange
    keep_audio: bool
    calls: list[SimCall] = attrs.field(factory=list)
    """Every call so far."""
    _nursery: trio.Nursery | None = None

    async def ring(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; see ``Ring``. Returns when the webhook was answered, or failed."""
        call = self.ring_nowait(**how)
        await call.answered()
        return call

    def ring_nowait(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; see ``Ring``. The webhook's answer is still to come."""
        assert self._nursery is not None
        sid = make_sid("CA")
        form = _inbound_form(self.exchange.account_sid, how.get("from_", CALLER), how.get("to", NUMBER))
        form |= how.get("fields", {})
        faults = how.get("faults", CallFaults())
        log = CallLog(CallRecord(sid, form["Direction"]), how.get("on_event"))
        call = SimCall(
            exchange=self.exchange,
            sid=sid,
            fields=form,
            faults=faults,
            log=log,
            mouth=Mouth(log, faults.frame_ms, faults.comfort_noise),
            playout=Playout(self.keep_audio),
        )
        self.calls.append(call)
        first: Fetch | Document = Fetch("voice", self.webhook_url, first=True)
        if "twiml" in how:
            first = Document(how["twiml"], self.webhook_url)
        self._nursery.start_soon(call.live, first, name=f"sim call {sid}")
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
    account_sid: str = "AC" + "0" * 32,
    public_url: str | None = None,
    connect_to: tuple[str, int] | None = None,
    fallback_url: str | None = None,
    status_callback_url: str | None = None,
    dial_outcome: DialOutcome | Callable[[str], DialOutcome] = DialOutcome(),  # noqa: B008 (frozen)
    play_s: float = 2.0,
    keep_audio: bool = True,
) -> AsyncIterator[TwilioSimulator]:
    """Open a simulated Twilio. On leaving, callers still on the line hang up.

    Args:
        webhook_url: the number's voice webhook; a path alone is taken below ``public_url``.
        auth_token: signs everything.
        account_sid: of the account.
        public_url: the server's public address, which is what is signed; the webhook's own origin by default.
        connect_to: address and port where the public host is really reached, without TLS, as behind a tunnel.
        fallback_url: asked when the voice webhook fails.
        status_callback_url: told when a call is over.
        dial_outcome: what becomes of ``<Dial>``, for all numbers or by number.
        play_s: how long a ``<Play>`` lasts.
        keep_audio: keep what was heard; off saves 8 KB per second and call.
    """
    if public_url is None:
        origin = urlsplit(webhook_url)
        public_url = f"{origin.scheme}://{origin.netloc}"
    outcome = dial_outcome
    route = Route(public_url.rstrip("/"), connect_to)
    async with make_client() as client:
        exchange = Exchange(
            account_sid=account_sid,
            auth_token=auth_token,
            route=route,
            webhooks=Webhooks(client, auth_token, route),
            fallback_url=fallback_url,
            status_callback_url=status_callback_url,
            dial_outcome=(lambda _: outcome) if isinstance(outcome, DialOutcome) else outcome,
            play_s=play_s,
        )
        async with trio.open_nursery() as nursery:
            url = webhook_url if "//" in webhook_url else f"{route.public_url}/{webhook_url.lstrip('/')}"
            twilio = TwilioSimulator(url, exchange, keep_audio, nursery=nursery)
            yield twilio
            for call in twilio.calls:
                call.hang_up()
            nursery.cancel_scope.deadline = trio.current_time() + CLOSE_LIMIT_S


def _inbound_form(account_sid: str, from_: str, to: str) -> dict[str, str]:
    """The fields of an inbound voice webhook that do not change during the call."""
    form = {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        "From": from_,
        "Caller": from_,
        "To": to,
        "Called": to,
        "CallToken": "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.e30.c2ln%22%7D",
        "StirVerstat": "TN-Validation-Passed-A",
    }
    for party in ("From", "Caller", "To", "Called"):
        form |= {party + place: "" for place in _PLACES}
        form[f"{party}Country"] = "US"
    return form
