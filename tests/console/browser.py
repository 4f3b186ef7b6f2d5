"""A browser by hand: raw requests and sockets, as a program of another kind would send them."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.config.console import ConsoleConfig
from llcphone.console.access import make_code
from llcphone.console.open import open_console
from tests.calls.stage import rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llcphone.console.console import Console
    from llcphone.testing import Rehearsal

KEY = "console-key-0123456789abcdef0123456789"
READ_KEY = "console-read-key-0123456789abcdef01234"


@attrs.frozen
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define
class Browser:
    """A page of the console at ``host``."""

    port: int
    host: str = ""
    token: str = ""
    streams: list[trio.SocketStream] = attrs.field(factory=list)
    """Sockets that were asked for; closed at the end."""

    def __attrs_post_init__(self) -> None:
        self.host = self.host or f"127.0.0.1:{self.port}"

    async def raw(self, request: bytes) -> Answer:
        """Send these bytes, and read to the end."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            await stream.send_all(request)
            answer = b"".join([piece async for piece in stream])
        return parsed(answer)

    async def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str | None] | None = None
    ) -> Answer:
        """A request as a browser sends it; a header that is None is left out."""
        content = b"" if body is None else json.dumps(body).encode()
        all_headers: dict[str, str | None] = {"Host": self.host, "Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            all_headers |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
            all_headers |= {"Content-Length": str(len(content))}
        if self.token:
            all_headers["Authorization"] = f"Bearer {self.token}"
        lines = [
            f"{name}: {value}" for name, value in (all_headers | (headers or {})).items() if value is not None
        ]
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
        return await self.raw(head.encode() + content)

    async def get(self, path: str, **headers: str | None) -> Answer:
        return await self.ask(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    async def enter(self, console: Console, key: str = KEY) -> dict[str, Any]:
        """Sign in by a link that the key makes."""
        code = make_code(key, time.time())
        answer = await self.ask("POST", "/api/in", {"code": code})
        assert answer.status == 200, answer
        self.token = answer.json["token"]
        return answer.json

    async def ticket(self, purpose: str) -> str:
        answer = await self.ask("POST", "/api/ticket", {"for": purpose})
        assert answer.status == 200, answer
        return answer.json["ticket"]

    async def upgrade(self, path: str, **headers: str | None) -> tuple[int, trio.SocketStream]:
        """A WebSocket handshake; its status, and the connection."""
        usual: dict[str, str | None] = {
            "Host": self.host,
            "Origin": f"http://{self.host}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        lines = [f"{name}: {value}" for name, value in (usual | headers).items() if value is not None]
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        self.streams.append(stream)
        await stream.send_all("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        answer = bytes(await stream.receive_some(4096))
        return int(answer.split()[1]), stream


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(pieces(body))
    return Answer(int(lines[0].split()[1]), headers, body)


def pieces(body: bytes) -> Iterator[bytes]:
    """The content of a chunked body, which must have an end."""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return
        yield body[:length]
        body = body[length + 2 :]


async def echo(leg: Any, session: Any) -> None:
    """A socket that says who one is, and then what it is told."""
    leg.send_nowait(json.dumps({"session": session.id}).encode())
    while True:
        for message in await leg.receive():
            leg.send_nowait(message)


@asynccontextmanager
async def console_of(
    *, sockets: Any = None, operations: Any = None, rehearse: Any = None, **settings: Any
) -> AsyncIterator[tuple[Console, Browser, Rehearsal]]:
    """A console over a phone on a stage; ``rehearse`` is how that is set, by the arguments of `rehearsal`."""
    config = ConsoleConfig(**{"key": KEY, "read_key": READ_KEY, **settings})
    sockets = {"live": echo, "line": echo} if sockets is None else sockets
    async with (
        rehearsal(**(rehearse or {})) as stage,
        open_console(stage.phone, config, sockets=sockets, operations=operations) as console,
    ):
        browser = Browser(console.port)
        try:
            yield console, browser, stage
        finally:
            for stream in browser.streams:
                stream.socket.close()
