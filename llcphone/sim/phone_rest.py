"""The REST API of the simulated Twilio, as far as a voice server uses it.

Place a call, look at it, update, complete or cancel it; send a text message; read and set the number's
webhook. Errors have Twilio's codes and shape (github.com/twilio/twilio-oai, ``twilio_api_v2010.json``).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import attrs
import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.phone_call import SimCall

HEAD_TIMEOUT_S = 15.0
BODY_LIMIT = 64 * 1024

Form: TypeAlias = dict[str, list[str]]
Reply: TypeAlias = tuple[int, dict[str, Any]]


class RestError(Exception):
    """A request Twilio refuses."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(status, code, text)
        self.reply: Reply = (
            status,
            {
                "code": code,
                "message": text,
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            },
        )


@attrs.define(eq=False)
class RestApi:
    """Serves requests; what they do to calls is done by the simulator that owns it."""

    account_sid: str
    auth_token: str
    number: str
    place_call: Callable[[Form], SimCall]
    find_call: Callable[[str], SimCall | None]
    voice_url: str
    status_callback_url: str
    answer_delay_s: float = 0.0
    """Answers come so late after the deed: a stream may connect before its call's creation was answered."""
    refuse_next: list[RestError] = attrs.field(factory=list)
    """Answered to the next requests, first to first: see ``too_many_requests``."""
    messages: list[dict[str, str]] = attrs.field(factory=list)
    """Text messages sent."""
    requests: list[tuple[str, str]] = attrs.field(factory=list)
    """(method, path below the account) of every request."""

    def too_many_requests(self) -> None:
        """Answer the next request with 429 and code 20429."""
        self.refuse_next.append(RestError(429, 20429, "Too Many Requests"))

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
        request: h11.Request | None = None
        body = bytearray()
        with trio.fail_after(HEAD_TIMEOUT_S):
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                if (request is None and isinstance(event, h11.ConnectionClosed)) or len(body) > BODY_LIMIT:
                    return False
        assert request is not None
        status, content = self._answer(request, body.decode("utf-8", "replace"))
        await trio.sleep(self.answer_delay_s)
        text = b"" if status == 204 else json.dumps(content).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
        response = h11.Response(status_code=status, headers=headers)
        data = connection.send(response) or b""
        data += connection.send(h11.Data(data=text)) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        await stream.send_all(data)
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _answer(self, request: h11.Request, body: str) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        url = urlsplit(request.target.decode("ascii", "replace"))
        form = parse_qs(body, keep_blank_values=True) | parse_qs(url.query, keep_blank_values=True)
        prefix = f"/2010-04-01/Accounts/{self.account_sid}/"
        try:
            expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
            if headers.get("authorization") != f"Basic {expected}":
                raise RestError(401, 20003, "Authenticate")
            method, path = request.method.decode(), url.path.removeprefix(prefix)
            self.requests.append((method, path))
            if self.refuse_next:
                raise self.refuse_next.pop(0)
            return self._route(method, path, form)
        except RestError as error:
            return error.reply

    def _route(self, method: str, path: str, form: Form) -> Reply:
        resource, _, sid = path.removesuffix(".json").partition("/")
        match method, resource, bool(sid):
            case "POST", "Calls", False:
                return 201, self._call(self.place_call(_checked(form)))
            case "GET", "Calls", True:
                return 200, self._call(self._existing(sid))
            case "POST", "Calls", True:
                return self._update(self._existing(sid), form)
            case "POST", "Messages", False:
                return self._send_message(form)
            case "GET", "IncomingPhoneNumbers", False:
                wanted = form.get("PhoneNumber", [self.number])[0]
                return 200, {"incoming_phone_numbers": [self._number()] if wanted == self.number else []}
            case "POST", "IncomingPhoneNumbers", True:
                self.voice_url = form.get("VoiceUrl", [self.voice_url])[0]
                self.status_callback_url = form.get("StatusCallback", [self.status_callback_url])[0]
                return 200, self._number()
            case _:
                raise RestError(404, 20404, "The requested resource was not found")

    def _existing(self, sid: str) -> SimCall:
        call = self.find_call(sid)
        if call is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return call

    def _update(self, call: SimCall, form: Form) -> Reply:
        """``Status``, or where to go on. A call that is over, or not there yet, cannot be redirected."""
        status, url, twiml = (form.get(name, [""])[0] for name in ("Status", "Url", "Twiml"))
        waiting = call.status in {"queued", "ringing"}
        if call.over or (waiting and (url or twiml)) or (not waiting and status == "canceled"):
            raise RestError(400, 21220, "Call is not in the expected state")
        if len(twiml) > 4000:
            raise RestError(400, 21620, "TwiML longer than 4000 characters")
        if status == "canceled" or (status == "completed" and waiting):
            call.cancel()
        elif status == "completed":
            call.complete()
        elif twiml and not url:
            call.update(twiml=twiml)
        elif url:
            call.update(url=url, method=form.get("Method", ["POST"])[0])
        return 200, self._call(call)

    def _send_message(self, form: Form) -> Reply:
        message = {name: form.get(name, [""])[0] for name in ("From", "To", "Body")}
        if not message["To"].startswith("+"):
            raise RestError(400, 21211, "Invalid 'To' Phone Number")
        self.messages.append(message)
        sid = f"SM{len(self.messages):032x}"
        return 201, {"sid": sid, "status": "queued", "account_sid": self.account_sid, "body": message["Body"]}

    def _call(self, call: SimCall) -> dict[str, Any]:
        return {
            "sid": call.sid,
            "account_sid": self.account_sid,
            "to": call.fields["To"],
            "from": call.fields["From"],
            "status": call.status,
            "direction": call.record.direction,
            "answered_by": None,
            "api_version": "2010-04-01",
            "date_created": call.timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "date_updated": None,
            "start_time": None,
            "end_time": None,
            "duration": str(call.record.duration_ms // 1000) if call.over else None,
            "price": None,
            "price_unit": "USD",
            "parent_call_sid": None,
            "queue_time": "0",
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Calls/{call.sid}.json",
        }

    def _number(self) -> dict[str, Any]:
        return {
            "sid": "PN" + "0" * 32,
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
        }


def _checked(form: Form) -> Form:
    """What Twilio refuses when a call is created."""
    to, from_ = (form.get(name, [""])[0] for name in ("To", "From"))
    if not (to.startswith("+") and to[1:].isdigit()) and not to.startswith(("sip:", "client:")):
        raise RestError(400, 21211, "The phone number you are attempting to call is not valid")
    if not (from_.startswith("+") and from_[1:].isdigit()):
        raise RestError(400, 21212, "The source phone number provided is not valid")
    if not form.get("Url") and not form.get("Twiml"):
        raise RestError(400, 21205, "Url parameter is required")
    if not form.get("Timeout", ["60"])[0].isdigit():
        raise RestError(400, 20001, "Invalid Timeout")
    if len(form.get("Twiml", [""])[0]) > 4000:
        raise RestError(400, 21620, "TwiML longer than 4000 characters")
    return form
