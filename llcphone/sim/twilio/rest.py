"""The REST API of the simulated Twilio, as far as a voice server uses it.

Place a call, look at it, find it, update, complete or cancel it; send a text message; read and set the
number's webhook. It refuses what Twilio refuses, with Twilio's codes and shape, and counts what must never be
two: ``creates`` holds the form of every call that was taken.

What goes wrong is planted in ``faults``, or, for a plain refusal of the next request, in ``refuse_next``.
"""

from __future__ import annotations

import base64
import socket
import struct
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import attrs
import h11
import trio

from llcphone.sim.twilio.rest_calls import (
    CREATE_FIELDS,
    TWIML_LIMIT,
    Form,
    call_json,
    check_order,
    check_test_order,
    first,
    list_json,
)
from llcphone.sim.twilio.rest_faults import (
    Reply,
    RestError,
    RestFault,
    RestFaults,
    not_found,
    too_many_requests,
)
from llcphone.sim.twilio.rest_http import Request, read_request, send_reply
from llcphone.sim.twilio.steps import make_sid
from llcphone.sim.twilio.unknowns import Unknowns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llcphone.sim.twilio.call import SimCall

MESSAGE_LIMIT = 1_600

__all__ = ["Form", "RestApi", "RestError", "RestFault", "RestFaults"]


@attrs.define(eq=False)
class RestApi:
    """Serves requests; what they do to calls is done by the simulator that owns it."""

    account_sid: str
    auth_token: str
    number: str
    calls: Sequence[SimCall]
    place_call: Callable[[Form], SimCall]
    voice_url: str
    status_callback_url: str
    unknowns: Unknowns = attrs.field(factory=Unknowns, kw_only=True)
    cps: float | None = None
    """Calls that are begun in a second; what comes faster is queued. None: all at once."""
    test_credentials: bool = False
    """Only the magic numbers, and no call is ever placed (twilio.com/docs/iam/test-credentials)."""
    api_keys: dict[str, str] = attrs.field(factory=dict)
    """Keys and secrets that are taken like the account's own token."""
    verified: set[str] = attrs.field(factory=set)
    """Further numbers that calls may come from."""
    answer_delay_s: float = 0.0
    """Answers come so late after the deed: a stream may connect before its call's creation was answered."""
    faults: RestFaults = attrs.field(factory=RestFaults)
    refuse_next: list[RestError] = attrs.field(factory=list)
    """Answered to the next requests, first to first: see ``too_many_requests``."""
    creates: list[Form] = attrs.field(factory=list)
    """Every order that was taken: two for one wish is somebody dialled twice."""
    ignored: list[str] = attrs.field(factory=list)
    """Fields of orders that Twilio does not know."""
    messages: list[dict[str, str]] = attrs.field(factory=list)
    """Text messages sent."""
    number_fields: dict[str, Any] = attrs.field(factory=dict)
    """What the number shows instead: ``voice_method``, ``voice_application_sid``, ``trunk_sid``."""
    applications: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """TwiML applications by their sid."""
    alerts: list[str] = attrs.field(factory=list)
    """Error codes that its monitor reports."""
    clock_ahead_s: float = 0.0
    """How far its clock is ahead of this machine's: every answer has a ``Date``."""
    requests: list[tuple[str, str]] = attrs.field(factory=list)
    """(method, path below the account) of every request."""

    def too_many_requests(self) -> None:
        """Answer the next request with 429 and code 20429."""
        self.refuse_next.append(too_many_requests())

    # ---- HTTP ----------------------------------------------------------------------------------------

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, any number of requests."""
        async with stream:
            connection = h11.Connection(h11.SERVER)
            try:
                while await self._serve_one(stream, connection):
                    connection.start_next_cycle()
            except (h11.ProtocolError, trio.BrokenResourceError, trio.TooSlowError):
                return

    async def _serve_one(self, stream: trio.SocketStream, connection: h11.Connection) -> bool:
        """Read a request and answer it; False when the connection is over."""
        request = await read_request(stream, connection, self.account_sid)
        if request is None:
            return False
        self.requests.append((request.method, request.path))
        fault = self.faults.take(request.operation, self._number_of(request)) or RestFault()
        reply = self._answer(request) if fault.spares_the_deed else (500, {})
        await trio.sleep(self.answer_delay_s + fault.delay_s)
        if fault.hang:
            while await stream.receive_some():
                pass
            return False
        if fault.reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        after = [("Date", formatdate(time.time() + self.clock_ahead_s, usegmt=True))]
        if fault.retry_after_s is not None:
            after.append(("Retry-After", str(fault.retry_after_s)))
        await send_reply(stream, connection, reply if fault.refuse is None else fault.refuse.reply, after)
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    # ---- what is asked -------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Reply:
        try:
            if not self._knows(request.credentials):
                raise RestError(401, 20003, "Authenticate")
            if self.refuse_next:
                raise self.refuse_next.pop(0)
            if self.test_credentials and request.operation not in ("create", "message", "set number"):
                raise RestError(403, 20008, "Resource not accessible with Test Account Credentials")
            return self._do(request)
        except RestError as error:
            return error.reply

    def _knows(self, credentials: str) -> bool:
        known = {self.account_sid: self.auth_token, **self.api_keys}
        return any(
            credentials == "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
            for user, secret in known.items()
        )

    def _do(self, request: Request) -> Reply:
        form = request.form
        match request.operation:
            case "create":
                return self._create(form)
            case "list":
                since_s = trio.current_time() - self.unknowns.listed_after_s
                known = [call for call in self.calls if call.log.born_at <= since_s]
                return 200, list_json(known, form, self.account_sid)
            case "fetch":
                return 200, call_json(self._existing(request.sid))
            case "update":
                return self._update(self._existing(request.sid), form)
            case "message":
                return self._send_message(form)
            case "numbers":
                return 200, self._numbers(first(form, "PhoneNumber"))
            case "number" | "set number" if request.sid == self._number_sid:
                self.voice_url = first(form, "VoiceUrl", self.voice_url)
                if method := first(form, "VoiceMethod"):
                    self.number_fields["voice_method"] = method
                self.status_callback_url = first(form, "StatusCallback", self.status_callback_url)
                return 200, self._number()
            case "application" if request.sid in self.applications:
                return 200, {"sid": request.sid, **self.applications[request.sid]}
            case "alerts":
                return 200, {"alerts": [{"error_code": code, "log_level": "error"} for code in self.alerts]}
            case _:
                raise not_found()

    def _number_of(self, request: Request) -> str:
        """Whom a request concerns, for faults of one number."""
        call = self._find(request.sid) if request.sid else None
        return call.fields["To"] if call is not None else first(request.form, "To")

    def _find(self, sid: str) -> SimCall | None:
        return next((call for call in self.calls if call.sid == sid), None)

    def _existing(self, sid: str) -> SimCall:
        if (call := self._find(sid)) is None:
            raise not_found()
        return call

    def _create(self, form: Form) -> Reply:
        self.ignored += sorted(form.keys() - CREATE_FIELDS)
        if self.test_credentials:
            check_test_order(form)
            return 201, {"sid": make_sid("CA"), "account_sid": self.account_sid, "status": "queued"}
        check_order(form, {self.number, *self.verified}, self.unknowns.amd_range)
        call = self.place_call(form)
        self.creates.append(form)
        return 201, call_json(call)

    def _update(self, call: SimCall, form: Form) -> Reply:
        """``Status``, or where to go on. A call that is over, or not there yet, cannot be redirected."""
        status, url, twiml = (first(form, name) for name in ("Status", "Url", "Twiml"))
        waiting = call.status in {"queued", "ringing"}
        if status not in {"", "completed", "canceled"}:
            raise RestError(400, 20001, "Invalid Status")
        if call.over or (waiting and (url or twiml)) or (not waiting and status == "canceled"):
            raise RestError(400, 21220, "Call is not in the expected state")
        if len(twiml) > TWIML_LIMIT:
            raise RestError(400, 21620, f"TwiML longer than {TWIML_LIMIT} characters")
        if status == "canceled" or (status == "completed" and waiting):
            call.cancel()
        elif status == "completed":
            call.complete()
        elif twiml and not url:
            call.update(twiml=twiml)
        elif url:
            call.update(url=url, method=first(form, "Method", "POST"))
        return 200, call_json(call)

    def _send_message(self, form: Form) -> Reply:
        message = {name: first(form, name) for name in ("From", "To", "Body")}
        if not message["To"].startswith("+"):
            raise RestError(400, 21211, "Invalid 'To' Phone Number")
        if message["From"] not in {self.number, *self.verified}:
            raise RestError(400, 21606, "The 'From' phone number is not a number that can send messages")
        if not message["Body"]:
            raise RestError(400, 21602, "Message body is required")
        if len(message["Body"]) > MESSAGE_LIMIT:
            raise RestError(400, 21617, "The concatenated message body exceeds 1600 characters")
        self.messages.append(message)
        sid = f"SM{len(self.messages):032x}"
        return 201, {"sid": sid, "status": "queued", "account_sid": self.account_sid, "body": message["Body"]}

    # ---- the number ----------------------------------------------------------------------------------

    @property
    def _number_sid(self) -> str:
        return "PN" + "0" * 32

    def _numbers(self, wanted: str) -> dict[str, Any]:
        """Twilio also finds numbers that only contain what was asked for."""
        return {"incoming_phone_numbers": [self._number()] if wanted in self.number else []}

    def _number(self) -> dict[str, Any]:
        return {
            "sid": self._number_sid,
            "account_sid": self.account_sid,
            "phone_number": self.number,
            "voice_url": self.voice_url,
            "voice_method": "POST",
            "voice_fallback_url": "",
            "status_callback": self.status_callback_url,
            "status_callback_method": "POST",
            "voice_application_sid": "",
            "trunk_sid": None,
            "voice_receive_mode": "voice",
            **self.number_fields,
        }
