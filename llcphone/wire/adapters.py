"""Legs over other people's WebSockets: a handler's socket object, and the trio-websocket package.

``ForeignLeg`` takes any socket object that stays with its handler. ``connect_trio_websocket`` opens the
model leg with that package instead of the fast lane (``[wire] model = "trio-websocket"``), under the
guards that its faults demand:

- own dial and TLS handshake, one deadline over everything: the package has none, or hides the cause;
- TCP is always closed: the package does not when the far side closes first;
- a reader that dies in the handshake ends the wait for it: the package would wait for ever;
- a bounded close, a queue of 64, reads of 64 KiB.

One task, in the owner's nursery, holds the package's reader, our pumps and the pings.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import attrs
import h11
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from websockets.datastructures import Headers
from wsproto.utilities import ProtocolError

from llcphone.errors import LLCPhoneError, RemoteProtocolError
from llcphone.wire.foreign_leg import ForeignLeg
from llcphone.wire.leg import LegLimits, Spawn
from llcphone.wire.websocket import (
    MODEL_MESSAGE_BYTES,
    HandshakeRefused,
    add_headers,
    default_tls,
    parse_url,
    retry_after_s,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

    from websockets.uri import WebSocketURI

__all__ = ["ForeignLeg", "connect_trio_websocket"]

QUEUE_MESSAGES = 64
"""While the package's queue is full its reader answers no ping; the default is 1."""
CANCELLED_CLOSE_S = 0.05
"""For writing a Close while being cancelled; the answer is not awaited."""


async def connect_trio_websocket(
    url: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    tls: ssl.SSLContext | None = None,
    timeout_s: float,
    spawn: Spawn,
) -> ForeignLeg:
    """Open a client leg over trio-websocket; arguments and errors as ``wire.websocket.connect``.

    ``spawn`` starts the leg's one task, in a nursery that outlives this call.
    """
    uri = parse_url(url)
    add_headers(Headers(), headers)  # refuse here what would end the package's reader
    with trio.fail_after(timeout_s):
        stream = await _dial(uri, (tls or default_tls()) if uri.secure else None)
        session = _Session(stream, uri, headers)
        spawn(session.run, name="trio-websocket leg")
        try:
            await session.opened.wait()
        except BaseException:
            session.scope.cancel()  # the task closes the stream
            raise
    if session.leg is None:
        raise session.error or ConnectionResetError("the far side hung up during the handshake")
    return session.leg


async def _dial(uri: WebSocketURI, tls: ssl.SSLContext | None) -> trio.abc.Stream:
    tcp = await trio.open_tcp_stream(uri.host, uri.port)
    if tls is None:
        return tcp
    stream = trio.SSLStream(tcp, tls, server_hostname=uri.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException as exc:
        await trio.aclose_forcefully(stream)
        if isinstance(exc, trio.BrokenResourceError) and isinstance(exc.__cause__, OSError):
            raise exc.__cause__ from None  # the certificate's error, which Trio wraps
        raise
    return stream


@attrs.define(eq=False)
class _Session:
    """The task that owns the stream, the package's reader, the pumps and the pings."""

    _stream: trio.abc.Stream
    _uri: WebSocketURI
    _headers: Sequence[tuple[str, str]]
    _limits: LegLimits = attrs.field(factory=LegLimits, init=False)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    opened: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when the handshake has ended, well or badly."""
    leg: ForeignLeg | None = attrs.field(default=None, init=False)
    error: Exception | None = attrs.field(default=None, init=False)

    async def run(self) -> None:
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    websocket = await self._open(nursery)
                    if websocket is not None:
                        await self._serve(websocket, nursery)
                    nursery.cancel_scope.cancel()
        finally:
            self.opened.set()
            with trio.CancelScope(shield=True):  # does not wait: a forceful close is immediate
                await trio.aclose_forcefully(self._stream)

    async def _open(self, nursery: trio.Nursery) -> WebSocketConnection | None:
        reader = _Reader(nursery)
        websocket = None
        port = "" if self._uri.port == (443 if self._uri.secure else 80) else f":{self._uri.port}"
        host = f"[{self._uri.host}]" if ":" in self._uri.host else self._uri.host
        with reader.opening:
            websocket = await wrap_client_stream(
                cast("trio.Nursery", reader),
                cast("Any", self._stream),
                host + port,
                self._uri.resource_name,
                extra_headers=[(name.encode(), value.encode()) for name, value in self._headers],
                message_queue_size=QUEUE_MESSAGES,
                max_message_size=MODEL_MESSAGE_BYTES,
                receive_buffer_size=None,
            )
        self.error = reader.error
        return websocket

    async def _serve(self, websocket: WebSocketConnection, nursery: trio.Nursery) -> None:
        self.leg = leg = ForeignLeg(websocket, limits=self._limits)
        self.opened.set()
        nursery.start_soon(self._keepalive, websocket, leg, name="trio-websocket pings")
        try:
            await leg.pump()
        finally:
            cancelled = trio.current_effective_deadline() == -math.inf
            grace_s = CANCELLED_CLOSE_S if cancelled else self._limits.close_timeout_s
            with trio.move_on_after(grace_s, shield=True):
                await websocket.aclose(1001 if cancelled else 1000)

    async def _keepalive(self, websocket: WebSocketConnection, leg: ForeignLeg) -> None:
        answered = True
        while True:
            if answered:
                await trio.sleep(self._limits.ping_interval_s)
            received = leg.stats.bytes_in
            with trio.move_on_after(self._limits.ping_timeout_s) as patience:
                try:
                    await websocket.ping()
                except ConnectionClosed:
                    return
            answered = not patience.cancelled_caught
            if not answered and leg.stats.bytes_in == received:
                leg.lose("no answer to a ping")
                return


@attrs.define(eq=False)
class _Reader:
    """Stands in for the nursery that the package starts its reader in, to see that reader end."""

    _nursery: trio.Nursery
    opening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    error: Exception | None = attrs.field(default=None, init=False)

    def start_soon(self, read: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, read, name="trio-websocket reader")

    async def _run(self, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
        except ConnectionRejected as exc:
            self.error = _refused(exc)
        except (
            ProtocolError,
            h11.ProtocolError,
            UnicodeError,
        ):  # wsproto answers garbage with a fault of its own
            self.error = RemoteProtocolError("the answer is not a WebSocket handshake")
        finally:
            self.opening.cancel()


def _refused(exc: ConnectionRejected) -> LLCPhoneError:
    headers = {name.lower(): value for name, value in exc.headers}
    retry_after = headers.get(b"retry-after", b"").decode("latin1")
    return HandshakeRefused(exc.status_code, exc.body or b"", retry_after_s(retry_after))
