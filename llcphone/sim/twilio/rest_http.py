"""HTTP/1.1 of the simulated REST API: a request in, a JSON answer out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import attrs
import h11
import trio

if TYPE_CHECKING:
    from llcphone.sim.twilio.rest_calls import Form
    from llcphone.sim.twilio.rest_faults import Reply

HEAD_TIMEOUT_S = 15.0
BODY_LIMIT = 64 * 1024

_OPERATIONS = {
    ("POST", "Calls", False): "create",
    ("GET", "Calls", False): "list",
    ("GET", "Calls", True): "fetch",
    ("POST", "Calls", True): "update",
    ("POST", "Messages", False): "message",
    ("GET", "IncomingPhoneNumbers", False): "numbers",
    ("GET", "IncomingPhoneNumbers", True): "number",
    ("POST", "IncomingPhoneNumbers", True): "set number",
    ("GET", "Applications", True): "application",
}
_ALERTS = "/v1/Alerts"
"""Of monitor.twilio.com, not below an account."""


@attrs.frozen
class Request:
    method: str
    path: str
    """Below the account."""
    form: Form
    credentials: str
    """The ``Authorization`` header."""

    @property
    def resource(self) -> str:
        return self.path.removesuffix(".json").partition("/")[0]

    @property
    def sid(self) -> str:
        return self.path.removesuffix(".json").partition("/")[2]

    @property
    def operation(self) -> str:
        if (self.method, self.path) == ("GET", _ALERTS):
            return "alerts"
        return _OPERATIONS.get((self.method, self.resource, bool(self.sid)), "")


async def read_request(
    stream: trio.SocketStream, connection: h11.Connection, account_sid: str
) -> Request | None:
    """Read one request; None when there is none, or too much of it.

    Raises:
        TooSlowError: it did not come in time.
    """
    head: h11.Request | None = None
    body = bytearray()
    with trio.fail_after(HEAD_TIMEOUT_S):
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            if (head is None and isinstance(event, h11.ConnectionClosed)) or len(body) > BODY_LIMIT:
                return None
    assert head is not None
    url = urlsplit(head.target.decode("ascii", "replace"))
    text = body.decode("utf-8", "replace")
    return Request(
        method=head.method.decode(),
        path=url.path.removeprefix(f"/2010-04-01/Accounts/{account_sid}/"),
        form=parse_qs(text, keep_blank_values=True) | parse_qs(url.query, keep_blank_values=True),
        credentials=dict(head.headers).get(b"authorization", b"").decode("latin-1"),
    )


async def send_reply(
    stream: trio.SocketStream, connection: h11.Connection, reply: Reply, headers: list[tuple[str, str]]
) -> None:
    status, content = reply
    text = b"" if status == 204 else json.dumps(content).encode()
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(text))), *headers]
    data = connection.send(h11.Response(status_code=status, headers=fields)) or b""
    data += connection.send(h11.Data(data=text)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)
