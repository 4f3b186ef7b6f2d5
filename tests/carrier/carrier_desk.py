"""An HTTP server that misbehaves to order, and the orders placed at it.

It shares nothing with the carrier but trio: requests are read by hand, answers are written out. It also
counts what must never be two (creates) and what must end at zero (open connections).
"""

from __future__ import annotations

import json
import socket
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from llcphone.carrier.orders import DialOrder
from llcphone.carrier.rest import open_carrier
from llcphone.config import Config

ACCOUNT, TOKEN = "AC" + "5ec0de" * 5 + "00", "5ecret-auth-token"
TO, FROM = "+15557654321", "+15551230002"
SID = "CA" + "1" * 32
FOUR_EVENTS = ["initiated", "ringing", "answered", "completed"]


def answer(status: int, content: object, *headers: str) -> bytes:
    """An HTTP answer; text and bytes are sent as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def error(status: int, code: int, *headers: str) -> bytes:
    return answer(status, {"code": code, "message": f"about {TO}", "status": status}, *headers)


CREATED = answer(201, {"sid": SID, "status": "queued", "date_created": "Tue, 31 Aug 2010 20:36:28 +0000"})
TOO_MANY = error(429, 20429)


def reset(stream: trio.SocketStream) -> None:
    """Close with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@attrs.frozen
class Asked:
    """A request as it came."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    form: list[tuple[str, str]]
    headers: dict[str, str]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.form if key == name]


@attrs.define(eq=False)
class Desk:
    """Answers the n-th request with the n-th of ``answers``, and all after the last like the last.

    An answer is bytes, or "silence", "reset", "drip", "reset on accept", or a function of the request.
    """

    url: str = ""
    answers: list = attrs.field(factory=list)
    asked: list[Asked] = attrs.field(factory=list)
    accepted: int = 0
    open: int = 0

    @property
    def creates(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST" and each.path.endswith("/Calls.json")]

    async def serve(self, stream: trio.SocketStream) -> None:
        self.accepted += 1
        self.open += 1
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with stream:
                    if self._behaviour() == "reset on accept":
                        self.asked.append(Asked(trio.current_time(), "", "", {}, [], {}))
                        reset(stream)
                    else:
                        await self._serve(stream)
        finally:
            self.open -= 1

    async def _serve(self, stream: trio.SocketStream) -> None:
        request = await read_request(stream)
        if request is None:
            return
        behaviour = self._behaviour()
        self.asked.append(request)
        if callable(behaviour):
            behaviour = behaviour(request)
        if isinstance(behaviour, bytes):
            await stream.send_all(behaviour)
        elif behaviour == "reset":
            reset(stream)
        elif behaviour == "drip":
            await stream.send_all(b"HTTP/1.1 201 X\r\n\r\n")
            while True:
                await stream.send_all(b" ")
                await trio.sleep(1)
        elif behaviour == "silence":
            await stream.receive_some()

    def _behaviour(self):
        return self.answers[min(len(self.asked), len(self.answers) - 1)]


async def read_request(stream: trio.SocketStream) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some()
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += await stream.receive_some()
    url = urlsplit(target)
    form = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    return Asked(trio.current_time(), method, url.path, dict(parse_qsl(url.query)), form, headers)


@asynccontextmanager
async def open_desk(*answers):
    """A desk that answers so, one connection after the other."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        desk = Desk(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", list(answers))
        nursery.start_soon(trio.serve_listeners, desk.serve, listeners)
        yield desk
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def office(*answers, calls_per_second: float = 1000.0):
    """A desk and a carrier whose requests go there."""
    async with (
        open_desk(*answers) as desk,
        open_carrier(config_for(desk.url), calls_per_second=calls_per_second) as carrier,
    ):
        yield desk, carrier


def config_for(api_url: str, **twilio) -> Config:
    return Config.from_dict(
        {"twilio": {"account_sid": ACCOUNT, "auth_token": TOKEN, "api_url": api_url, **twilio}}
    )


def order(**changes) -> DialOrder:
    plain = {
        "to": TO,
        "from_": FROM,
        "twiml": "<Response/>",
        "status_callback": "https://a.test/status/t0ken",
        "ring_timeout_s": 60,
    }
    return DialOrder(**plain | changes)
