"""A small strict server for tests of the simulated Twilio: webhooks and media streams on one port.

It shares nothing with the simulator but trio-websocket; `served` puts the simulator before it. ``answers``
maps a path to TwiML, or to a function of the request; each media stream is handed to ``on_stream`` and its
messages are kept as they came. It polls, which costs nothing in virtual time.
"""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from llcphone.sim.twilio import TwilioSimulator, open_twilio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

TOKEN = "the auth token"


@attrs.frozen
class Request:
    method: str
    path: str
    headers: dict[str, str]
    form: list[tuple[str, str]]

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.form)


@attrs.frozen
class Reply:
    body: str
    status: int = 200
    content_type: str = "text/xml"


@attrs.define(eq=False)
class Stream:
    socket: WebSocketConnection
    path: str
    headers: list[tuple[str, str]]
    texts: list[str] = attrs.field(factory=list)
    times: list[float] = attrs.field(factory=list)
    close_code: int | None = None
    closed: trio.Event = attrs.field(factory=trio.Event)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == kind]

    @property
    def sid(self) -> str:
        return str(self.of("start")[0]["streamSid"])

    @property
    def marks(self) -> list[str]:
        return [message["mark"]["name"] for message in self.of("mark")]

    def mark_times(self) -> dict[str, float]:
        pairs = zip(self.times, self.messages, strict=True)
        return {m["mark"]["name"]: at for at, m in pairs if m["event"] == "mark"}

    @property
    def audio(self) -> bytes:
        return b"".join(base64.b64decode(message["media"]["payload"]) for message in self.of("media"))

    async def until(self, done: Callable[[Stream], bool]) -> None:
        while not done(self):  # noqa: ASYNC110
            await trio.sleep(0.01)

    async def say(self, audio: bytes, *marks: str) -> None:
        await self.raw(
            {"event": "media", "streamSid": self.sid, "media": {"payload": base64.b64encode(audio).decode()}}
        )
        for name in marks:
            await self.mark(name)

    async def mark(self, name: str) -> None:
        await self.raw({"event": "mark", "streamSid": self.sid, "mark": {"name": name}})

    async def clear(self) -> None:
        await self.raw({"event": "clear", "streamSid": self.sid})

    async def raw(self, message: Mapping[str, Any]) -> None:
        await self.socket.send_message(json.dumps(message))


class _Rewound(trio.abc.Stream):
    """A stream with what was read already put back."""

    def __init__(self, stream: trio.SocketStream, first: bytes) -> None:
        self.stream, self.first = stream, first

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        first, self.first = self.first, b""
        return first or bytes(await self.stream.receive_some(max_bytes))

    async def send_all(self, data: Any) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()


@attrs.define(eq=False)
class Server:
    port: int
    answers: dict[str, str | Reply | Callable[[Request], str | Reply]] = attrs.field(factory=dict)
    on_stream: Callable[[Stream], Awaitable[None]] | None = None
    refuse_upgrade: int | None = None
    upgrade_answer: bytes | None = None
    requests: list[Request] = attrs.field(factory=list)
    streams: list[Stream] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/media/token"

    def connect(self, *, attributes: str = "", after: str = "", inside: str = "") -> str:
        return (
            f'<Response><Connect{attributes}><Stream url="{self.stream_url}">{inside}</Stream></Connect>'
            f"{after}</Response>"
        )

    async def stream(self, nth: int = 1) -> Stream:
        """The nth stream, once it has sent ``start``."""
        while len(self.streams) < nth or not self.streams[nth - 1].of("start"):  # noqa: ASYNC110
            await trio.sleep(0.01)
        return self.streams[nth - 1]

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def handle(self, connection: trio.SocketStream) -> None:
        async with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                more = await connection.receive_some()
                if not more:
                    return
                data += more
            head, _, rest = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("ascii").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            if headers.get("upgrade") == "websocket":
                await self._serve_stream(connection, data, path, lines)
            else:
                await self._serve_webhook(connection, method, path, headers, rest)

    async def _serve_webhook(self, connection, method, path, headers, rest) -> None:
        while len(rest) < int(headers.get("content-length", 0)):
            rest += await connection.receive_some()
        form = parse_qsl(rest.decode(), keep_blank_values=True, strict_parsing=bool(rest))
        request = Request(method, path, headers, form)
        self.requests.append(request)
        answer = self.answers[path.partition("?")[0]]
        if not isinstance(answer, (str, Reply)):
            answer = answer(request)
        reply = Reply(answer) if isinstance(answer, str) else answer
        body = reply.body.encode()
        await connection.send_all(
            f"HTTP/1.1 {reply.status} X\r\nContent-Type: {reply.content_type}\r\nConnection: close\r\n"
            f"Set-Cookie: a=b\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    async def _serve_stream(self, connection, data, path, lines) -> None:
        if self.upgrade_answer is not None:
            await connection.send_all(self.upgrade_answer)
            return
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, _Rewound(connection, data), message_queue_size=1000)
            if self.refuse_upgrade is not None:
                await request.reject(self.refuse_upgrade, body=b"no")
                nursery.cancel_scope.cancel()
                return
            stream = Stream(await request.accept(), path, [tuple(line.split(": ", 1)) for line in lines])
            self.streams.append(stream)
            nursery.start_soon(self._read, stream)
            if self.on_stream is not None:
                await stream.until(lambda s: bool(s.of("start")))
                await self.on_stream(stream)
            await stream.closed.wait()
            nursery.cancel_scope.cancel()

    async def _read(self, stream: Stream) -> None:
        try:
            while True:
                text = await stream.socket.get_message()
                stream.texts.append(text)
                stream.times.append(trio.current_time())
        except ConnectionClosed as closed:
            stream.close_code = closed.reason.code if closed.reason else None
            stream.closed.set()


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    server = Server(0)
    async with listening(server.handle) as server.port:
        server.answers["/twiml"] = server.connect()
        yield server


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Server, TwilioSimulator]]:
    """A server, and the simulated Twilio whose webhooks it answers."""
    async with (
        open_server() as server,
        open_twilio(webhook_url=f"{server.url}/twiml", auth_token=TOKEN, **options) as twilio,
    ):
        yield server, twilio


@asynccontextmanager
async def listening(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """A port on which this function has every connection."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()
