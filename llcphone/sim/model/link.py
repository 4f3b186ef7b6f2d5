"""The socket of one simulated session, and everything bad a socket can do.

Sessions send without waiting: ``send`` puts text in an outbox that one writer task empties in order. So a
session's decisions are synchronous, and a fault "after the third delta" can be queued behind that delta.

``Tap`` is between trio-websocket and TCP: it can swallow the pongs and Close frames that the library
sends by itself, and it keeps the TCP connection open when a fault wants a peer that never hangs up.

A client's ordinary text messages, fifty a second for each call, take a short way: ``Tap`` gives them to the
session itself (``client_frames``). trio-websocket reads all else, and judges what is not well-formed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Protocol

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from llcphone.sim.model.client_frames import ClientFrames

if TYPE_CHECKING:
    from collections.abc import Callable

PING_EVERY_S = 20.26
"""Recorded on the wire, with a payload of 4 bytes (docs/vendor-facts.md, Session set-up)."""
CLOSE_TIMEOUT_S = 5.0
OUTBOX_LIMIT = 20_000
"""Messages a client may leave unread; a deeper backlog is a client that hangs, and the link is reset."""

_OPCODE_CLOSE, _OPCODE_PONG = 0x8, 0xA
_RST = struct.pack("ii", 1, 0)


class SocketFaults(Protocol):
    """What can go wrong with the socket itself; read whenever it matters."""

    never_answer_close: bool
    ignore_pings: bool
    stop_reading: bool


class Tap(trio.abc.Stream):
    """A TCP (or TLS) stream whose control frames and closing obey the faults.

    A server's frames are not masked and trio-websocket sends each in one ``send_all``, so the low half
    of the first byte is its opcode once the handshake is over.
    """

    def __init__(self, stream: trio.abc.Stream, faults: SocketFaults) -> None:
        self._stream = stream
        self._unread = b""
        self._faults = faults
        self._closed = False
        self._last = b""
        """What trio-websocket was given last."""
        self._frames: ClientFrames | None = None
        """Takes the short way; None: all goes to trio-websocket."""
        self.upgraded = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, unless it is a frame the faults forbid."""
        opcode = data[0] & 0xF if self.upgraded and data else 0
        if opcode == _OPCODE_PONG and self._faults.ignore_pings:
            return
        if opcode == _OPCODE_CLOSE and self._faults.never_answer_close:
            return
        await self._stream.send_all(data)

    def unread(self, data: bytes) -> None:
        """Give back what was received too early."""
        self._unread = data

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream below."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, or wait for ever when the faults forbid reading."""
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._faults.stop_reading:
                await trio.sleep_forever()
            if self._unread:
                data, self._unread = self._unread, b""
            else:
                data = bytes(await self._stream.receive_some(max_bytes))
            if self._frames is None:
                self._last = data
                return data
            others = self._frames.take(data)
            if self._frames.over:
                self._frames = None
            if others or not data:
                return others

    def shorten(self, on_text: Callable[[str], None]) -> None:
        """Give text messages to ``on_text`` from now on, if the next byte to be read begins a frame."""
        if self._last.endswith(b"\r\n\r\n"):  # the client's request for the upgrade
            self._frames = ClientFrames(on_text)

    def lengthen(self) -> None:
        """Give trio-websocket all that comes from now on."""
        if self._frames is not None:
            self._frames.over = True

    async def aclose(self) -> None:
        """Close, or only pretend to while the faults want the socket held."""
        self._closed = True
        if not self._faults.never_answer_close:
            await self._stream.aclose()

    async def wait_hang_up(self) -> None:
        """Read and drop until the client itself ends the TCP connection."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await self._stream.receive_some():
                pass

    def reset(self) -> None:
        """End the connection with an RST, as a crashed peer or a broken path does."""
        stream = self._stream
        if isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        assert isinstance(stream, trio.SocketStream)
        with contextlib.suppress(OSError):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        stream.socket.close()


@attrs.frozen
class _Close:
    code: int
    reason: str | None


@attrs.define(eq=False)
class Link:
    """One accepted WebSocket, seen from the session that owns it."""

    _websocket: WebSocketConnection
    _tap: Tap
    _faults: SocketFaults
    simulator: str = "sim model"
    """Its tasks are named after it."""
    close_code: int | None = None
    """Why the socket ended: the peer's or our close code, 1006 without a Close frame; None while open."""
    close_reason: str | None = None
    closed_s: float | None = None
    """When, by Trio's clock."""
    _put: trio.MemorySendChannel[str | _Close | Callable[[], None]] = attrs.field(init=False)
    _outbox: trio.MemoryReceiveChannel[str | _Close | Callable[[], None]] = attrs.field(init=False)
    _flowing: trio.Event = attrs.field(factory=trio.Event)
    _hung_up: trio.Event = attrs.field(factory=trio.Event)
    _closing: _Close | None = None

    def __attrs_post_init__(self) -> None:
        self._put, self._outbox = trio.open_memory_channel(OUTBOX_LIMIT)
        self._flowing.set()

    @property
    def is_open(self) -> bool:
        """No Close was sent or received yet."""
        return self.close_code is None

    def send(self, text: str) -> None:
        """Queue a text frame; nothing happens on a closed link."""
        self._queue(text)

    def then(self, action: Callable[[], None]) -> None:
        """Do something when all that was sent before has left."""
        self._queue(action)

    def close(self, code: int, reason: str | None = None) -> None:
        """Queue a Close frame."""
        self._queue(_Close(code, reason))

    def reset(self) -> None:
        """RST at once; what was queued is lost."""
        self._note(1006, None)
        self._tap.reset()

    def stall(self) -> None:
        """Send nothing more until ``resume``; what is sent meanwhile waits."""
        if self._flowing.is_set():
            self._flowing = trio.Event()

    def resume(self) -> None:
        """End a stall."""
        self._flowing.set()

    async def run(self, on_message: Callable[[str | bytes], None]) -> None:
        """Hand every message to ``on_message`` until the socket has ended."""
        self._tap.shorten(on_message)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, name=f"{self.simulator} writer")
            nursery.start_soon(self._ping, name=f"{self.simulator} pings")
            await self._read(on_message)
            if self._closing:
                # Our Close may be on its way: leave the reader of trio-websocket alive to drain the socket,
                # for closing TCP over unread input would turn into an RST that eats the Close frame.
                with trio.move_on_after(CLOSE_TIMEOUT_S):
                    await self._hung_up.wait()
            nursery.cancel_scope.cancel()
        self._note(1006, None)  # the client has left, and our Close was never sent
        if self._faults.never_answer_close:
            await self._tap.wait_hang_up()

    def _queue(self, message: str | _Close | Callable[[], None]) -> None:
        if not self.is_open or self._closing:
            return
        if isinstance(message, _Close):
            self._closing = message
            self._tap.lengthen()
        try:
            self._put.send_nowait(message)
        except trio.WouldBlock:
            self.reset()

    async def _read(self, on_message: Callable[[str | bytes], None]) -> None:
        try:
            while True:
                on_message(await self._websocket.get_message())
        except ConnectionClosed as closed:
            if self._closing is None:
                reason = closed.reason
                self._note(*((reason.code, reason.reason) if reason else (1006, None)))

    async def _write(self) -> None:
        async for message in self._outbox:
            await self._flowing.wait()
            try:
                if isinstance(message, str):
                    await self._websocket.send_message(message)
                elif isinstance(message, _Close):
                    await self._hang_up(message)
                    return
                else:
                    message()
            except ConnectionClosed:
                return

    async def _hang_up(self, close: _Close) -> None:
        self._note(close.code, close.reason)
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            await self._websocket.aclose(close.code, close.reason)
        self._hung_up.set()

    async def _ping(self) -> None:
        """Ping for ever; a pong that never comes costs a parked task, not the session."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(PING_EVERY_S)
                nursery.start_soon(self._ping_once, name=f"{self.simulator} ping")

    async def _ping_once(self) -> None:
        await self._flowing.wait()
        with contextlib.suppress(ConnectionClosed):
            await self._websocket.ping()

    def _note(self, code: int, reason: str | None) -> None:
        if self.is_open:
            self.close_code, self.close_reason, self.closed_s = code, reason, trio.current_time()
