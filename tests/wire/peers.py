"""Far sides for the wire tests: raw sockets with frames of our own making, and trio-websocket."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio
import trustme
from trio_websocket import ConnectionClosed, serve_websocket
from websockets.protocol import OPEN
from websockets.uri import parse_uri
from websockets.utils import accept_key

from llcphone.errors import LegClosed
from llcphone.wire.socket import Socket
from llcphone.wire.websocket import SILENT, Client, Server, WebSocketLeg

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = b"\x11\x22\x33\x44"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = False, rsv: int = 0
) -> bytes:
    """One frame, built without the code under test."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if masked:
        payload = bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))
        head += KEY
    return head + payload


def parse(data: bytes) -> list[tuple[int, bytes]]:
    """Every frame in ``data`` as (opcode, payload); fails unless it is a concatenation of whole frames."""
    frames = []
    while data:
        opcode, length, at = data[0] & 15, data[1] & 127, 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
        key = b""
        if data[1] & 128:
            key, at = data[at : at + 4], at + 4
        payload = data[at : at + length]
        assert len(payload) == length, "a frame is cut"
        if key:
            payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        frames.append((opcode, payload))
        data = data[at + length :]
    return frames


class Far:
    """The far end of a leg: a non-blocking stdlib socket, read with trio."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.trio = trio.socket.from_stdlib_socket(sock)

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[await self.trio.send(view) :]

    async def read(self, size: int = 1 << 20) -> bytes:
        with trio.fail_after(10):
            return await self.trio.recv(size)

    async def read_to_end(self) -> bytes:
        data = b""
        while piece := await self.read():
            data += piece
        return data

    def reset(self) -> None:
        """Close with RST."""
        self.trio.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.trio.close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


def leg_over(sock: Socket, *, client: bool = False, max_message: int = 65536, **kwargs) -> WebSocketLeg:
    """A leg past its handshake."""
    protocol = (
        Client(parse_uri("ws://x/"), state=OPEN, max_size=max_message, logger=SILENT)
        if client
        else Server(state=OPEN, max_size=max_message, logger=SILENT)
    )
    return WebSocketLeg(sock, protocol, max_message=max_message, **kwargs)


@asynccontextmanager
async def leg_and_far(*, small_buffers: bool = False, attach: bool = True, **kwargs):
    """``(leg, far, lost)``: a leg attached to a nursery, its far end, and what ``on_lost`` was told."""
    # A full TCP window reopens by the kernel's own timers, which no virtual clock moves: there a Unix pair.
    ours, theirs = socket.socketpair() if small_buffers else tcp_pair()
    if small_buffers:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    far, leg, lost = Far(theirs), leg_over(Socket.from_accepted(ours), **kwargs), []
    try:
        async with trio.open_nursery() as nursery:
            if attach:
                leg.attach(nursery.start_soon, lost.append)
            yield leg, far, lost
            nursery.cancel_scope.cancel()
    finally:
        leg.abort()
        far.trio.close()


@asynccontextmanager
async def websocket_server(handler, **kwargs):
    """A trio-websocket server on loopback; yields its URL."""
    secure = kwargs.get("ssl_context") is not None
    kwargs.setdefault("ssl_context", None)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handler, "127.0.0.1", 0, **kwargs))
        yield f"{'wss' if secure else 'ws'}://127.0.0.1:{server.port}/v1"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def raw_server(handler):
    """A server of bytes: ``handler(stream)`` per connection; yields its port."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def echo(request) -> None:
    with suppress(ConnectionClosed):
        websocket = await request.accept()
        while True:
            await websocket.send_message(await websocket.get_message())


def answering(answer, *, then_wait: bool = True):
    """A raw far side: reads the request head, answers with ``answer(key)``, then waits or hangs up."""

    async def serve(stream):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await stream.receive_some()
            if not piece:
                return
            head += piece
        (key,) = (line[19:] for line in head.decode().splitlines() if line.startswith("Sec-WebSocket-Key: "))
        for piece in answer(key):
            await stream.send_all(piece)
        if then_wait:
            await stream.receive_some()

    return serve


def switching(key: str, extra: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n" + extra + b"\r\n"
    )


def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(client, server)."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return client, server


def open_sockets() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return code.to_bytes(2, "big") + reason


async def receive_all(leg) -> tuple[list[bytes], LegClosed]:
    messages = []
    try:
        while True:
            messages += await leg.receive()
    except LegClosed as end:
        return messages, end


async def ended(leg) -> tuple[list[bytes], int]:
    """Every message, and the code of the end."""
    messages, end = await receive_all(leg)
    return messages, end.code


async def fill(leg, *, media: bool = False) -> int:
    """Send frames until the kernel takes no more; returns how many."""
    count = 0
    while not leg._queue.size_bytes:
        leg.send_nowait(b"%06d" % count + b"." * 1000, media=media)
        count += 1
        assert count < 20_000
    return count


async def poll(leg: WebSocketLeg) -> list[bytes]:
    """``receive_nowait`` once something is there: loopback may deliver a moment later."""
    await leg._sock.wait_readable()
    return leg.receive_nowait()


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when a task is about to take its k-th step."""

    def __init__(self, task: trio.lowlevel.Task, step: int, scope: trio.CancelScope) -> None:
        self.task, self.left, self.scope = task, step, scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


async def cancelled_at_every_step(attempt, *, most: int = 200) -> int:
    """Run ``attempt`` again and again, cancelled one checkpoint later each time, until it gets through."""
    for step in range(1, most):
        with trio.CancelScope() as scope:
            instrument = CancelAtStep(trio.lowlevel.current_task(), step, scope)
            trio.lowlevel.add_instrument(instrument)
            try:
                await attempt()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        if not scope.cancelled_caught and instrument.left > 0:
            return step
    raise AssertionError("never got through")
