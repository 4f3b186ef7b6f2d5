"""A server with a small phone, and peers that speak HTTP and WebSocket by hand.

The peers share no code with the server: heads are written out, frames are built from RFC 6455.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.config import Config
from llcphone.errors import JoinRefused, LegClosed
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.server.run import serve

if TYPE_CHECKING:
    from llcphone.server.listener import PublicListener

AUTH_TOKEN = "12345-auth-token"
PUBLIC = "https://phone.example.test"
TWIML = "<Response><Hangup/></Response>"
HANDSHAKE = (
    b"Host: phone.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def make_config(*, wire: dict | None = None, drain: dict | None = None, **server) -> Config:
    return Config.from_dict(
        {
            "server": {"port": 0, "public_url": PUBLIC, **server},
            "twilio": {"auth_token": AUTH_TOKEN},
            "wire": wire or {},
            "drain": drain or {},
            "records": {"path": ""},
        }
    )


@attrs.define(eq=False)
class FakePhone:
    """Answers every webhook alike; a leg that joins gets its own messages back."""

    config: Config
    nursery: trio.Nursery
    tokens: set[str] = attrs.field(factory=set)
    forms: list[dict] = attrs.field(factory=list)
    reasons: list[str] = attrs.field(factory=list)
    live_calls: int = 0
    connections: Counter[str] = attrs.field(factory=Counter)
    ended: list[int] = attrs.field(factory=list)
    refuse_joins: bool = False
    loop_monitor: LoopMonitor = attrs.field(factory=lambda: LoopMonitor(list))

    def answer(self, form) -> str:
        self.forms.append(dict(form))
        return TWIML

    async def take(self, form) -> str:
        return self.answer(form)

    def expects(self, token: str) -> bool:
        return token in self.tokens

    def ready(self) -> list[str]:
        return self.reasons

    def join(self, token: str, leg) -> None:
        if self.refuse_joins or token not in self.tokens:
            raise JoinRefused("nobody waits for it", "answer the webhook first")
        self.tokens.remove(token)
        self.live_calls += 1
        self.nursery.start_soon(self._echo, leg, name="fake call")

    async def _echo(self, leg) -> None:
        try:
            async with trio.open_nursery() as nursery:
                leg.attach(
                    lambda run, *, name: nursery.start_soon(run, name=name),
                    lambda lost: nursery.cancel_scope.cancel(),
                )
                try:
                    while True:
                        for message in await leg.receive():
                            leg.send_nowait(message)
                except LegClosed as closed:
                    self.ended.append(closed.code)
                finally:
                    await leg.aclose()
                nursery.cancel_scope.cancel()
        finally:
            self.live_calls -= 1

    async def serve_leg(self, websocket, token: str) -> None:
        if self.refuse_joins or token not in self.tokens:
            raise JoinRefused("nobody waits for it", "answer the webhook first")
        self.tokens.remove(token)
        self.live_calls += 1
        try:
            while True:
                await websocket.send(await websocket.receive())
        finally:
            self.live_calls -= 1

    async def drain(self, limit_s: float) -> None:
        self.reasons.append("draining")
        with trio.move_on_after(limit_s):
            while self.live_calls or self.tokens:  # noqa: ASYNC110
                await trio.sleep(0.1)


@attrs.define(eq=False)
class Server:
    phone: FakePhone
    listener: PublicListener
    port: int
    nursery: trio.Nursery
    _opened: list[trio.SocketStream] = attrs.field(factory=list)

    async def connect(self) -> trio.SocketStream:
        """A socket to the public port, closed at the end if the test does not."""
        self._opened.append(await trio.open_tcp_stream("127.0.0.1", self.port))
        return self._opened[-1]

    def hang_up(self) -> None:
        """Close all our ends."""
        for stream in self._opened:
            stream.socket.close()

    async def ask(self, request: bytes, *, within_s: float = 1.5) -> bytes:
        """Send one request and read until the server closes."""
        async with await self.connect() as stream:
            await stream.send_all(request)
            start = trio.current_time()
            answer = await read_to_end(stream)
            # Under a virtual clock any wait of the server shows here; a refusal may linger a second.
            assert trio.current_time() - start <= within_s
            return answer

    async def stream(self, token: str = "token-1") -> MediaPeer:
        """An authenticated media stream, accepted."""
        self.phone.tokens.add(token)
        stream = await self.connect()
        await stream.send_all(media_request(token))
        peer = MediaPeer(stream)
        await peer.accepted()
        return peer


@asynccontextmanager
async def open_server(config: Config | None = None, *, phone_type: type[FakePhone] = FakePhone):
    config = config or make_config()
    async with trio.open_nursery() as nursery:
        phone = phone_type(config, nursery)
        listener = await nursery.start(serve, phone, config)
        server = Server(phone, listener, listener.addresses[0][1], nursery)
        try:
            yield server
        finally:
            server.hang_up()
        nursery.cancel_scope.cancel()


async def read_to_end(stream: trio.SocketStream) -> bytes:
    received = b""
    try:
        async for data in stream:
            received += data
    except trio.BrokenResourceError:
        received += b"<reset>"
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def sign(url: str, form: list[tuple[str, str]] = ()) -> str:
    """Twilio's HMAC-SHA1 over the URL and the sorted fields (twilio.com/docs/usage/security)."""
    text = url + "".join(name + value for name, value in sorted(form))
    return base64.b64encode(hmac.new(AUTH_TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()


def media_request(token: str, *, signature: str | None = None, extra: bytes = b"") -> bytes:
    if signature is None:
        signature = sign(f"wss://phone.example.test/media/{token}")
    head = f"GET /media/{token} HTTP/1.1\r\nX-Twilio-Signature: {signature}\r\n".encode()
    return head + HANDSHAKE + extra + b"\r\n"


def webhook_request(
    body: bytes = b"CallSid=CA1&From=%2B15551230001", *, signature: str | None = None, path: str = "/twiml"
) -> bytes:
    if signature is None:
        from urllib.parse import parse_qsl

        signature = sign(PUBLIC + path, parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    return (
        f"POST {path} HTTP/1.1\r\nHost: phone.example.test\r\nX-Twilio-Signature: {signature}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, *extra: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: phone.example.test", *extra, "", ""]).encode()


@attrs.define(eq=False)
class MediaPeer:
    """Twilio's end of a media stream: text frames, masked with zeros."""

    stream: trio.SocketStream
    _buffer: bytearray = attrs.field(factory=bytearray)

    async def accepted(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            await self._read()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"permessage-deflate" not in head
        self._buffer[:] = rest

    async def send(self, text: bytes) -> None:
        await self.stream.send_all(frame(text))

    async def receive(self) -> bytes:
        """The next text message; b"" after a Close."""
        while True:
            message = self._take()
            if message is not None:
                return message
            await self._read()

    async def _read(self) -> None:
        data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _take(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = struct.unpack_from("!H", buffer, 2)[0] if len(buffer) >= 4 else 1 << 30, 4
        if len(buffer) < start + length:
            return None
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return b"" if opcode == 8 else payload


def frame(text: bytes) -> bytes:
    if len(text) < 126:
        return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text
    return bytes([0x81, 0xFE]) + struct.pack("!H", len(text)) + bytes(4) + text
