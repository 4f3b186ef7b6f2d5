"""The HTTP stack, contained: any ASGI app (ours is quart-trio) on hypercorn's TCPServer.

hypercorn 0.18 is used one connection at a time, without its accept loop (docs/vendor-facts.md,
HTTP and WebSocket libraries). Four of its habits are answered here:

- It shields `send_all`, so a peer that stops reading would hang it, and our shutdown, forever.
  `BoundedStream` puts a deadline inside that shield, and a cancelled reader closes the socket
  under the shielded sender.
- It serves what follows a request on the same connection, and leaks descriptors over it.
  `HttpExchange` shows it exactly one whole request and then nothing more.
- Quart cancels its own sender as soon as hypercorn tells it that the answer is out, in the
  middle of hypercorn's closing of the connection, which then stays open. `_sent_whole` lets every
  send of an HTTP answer come to its end.
- What it raises ends whatever nursery it runs in. The listener runs each connection in a task of
  its own and keeps the exception there.

hypercorn's classes are not documented as an interface: hence the pin `<0.19` in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState
from hypercorn.utils import LifespanTimeoutError

from llcphone.runtime.log_lines import logger
from llcphone.server.quiet_log import where, without_texts

STALL_TIMEOUT_S = 5.0
"""A connection is dropped if its peer takes no byte of an answer for this long."""
LIFESPAN_LIMIT_S = 10.0

log = logger("llcphone.server.http")

ServeHttp = Callable[["BoundedStream"], Awaitable[None]]
"""Serves one connection until it is over."""


@attrs.define(eq=False)
class BoundedStream(trio.abc.HalfCloseableStream):
    """A socket with bytes put back before its input, whose sends end."""

    inner: trio.SocketStream
    _ahead: bytes

    @property
    def socket(self) -> trio.socket.SocketType:
        """hypercorn asks it for both addresses; without `do_handshake` it takes us for plain TCP."""
        return self.inner.socket

    def abort(self) -> None:
        """Close the socket at once; a task that waits on it wakes up."""
        self.inner.socket.close()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._ahead:
            await trio.lowlevel.checkpoint()
            ahead, self._ahead = self._ahead, b""
            return ahead
        try:
            return await self._receive_more(max_bytes)
        except trio.Cancelled:
            self.abort()  # else a send that hypercorn shields would outlive the cancelled connection
            raise

    async def _receive_more(self, max_bytes: int | None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(STALL_TIMEOUT_S) as scope:
            await self.inner.send_all(data)
        if scope.cancelled_caught:
            self.abort()
            raise trio.BrokenResourceError("peer stopped reading")

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.inner.send_eof()

    async def aclose(self) -> None:
        self.abort()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class HttpExchange(BoundedStream):
    """One whole request and its answer; the listener closes the socket gently afterwards.

    A client that half-closes after its request still gets its answer: the end of its input is
    not looked for. The listener's deadline bounds the answer; an app finds the exchange as
    ``scope["state"]["llcphone.exchange"]`` and may ask for more time by ``extend(seconds)``.
    """

    extend: Callable[[float], None] = lambda limit_s: None
    _over: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def _receive_more(self, max_bytes: int | None) -> bytes | bytearray:
        await self._over.wait()
        raise trio.ClosedResourceError("the exchange is over")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await super().send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over.set()  # else hypercorn would wait for its next request until the deadline
            raise

    async def aclose(self) -> None:
        self._over.set()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_http(app: Any, *, max_message: int) -> AsyncIterator[ServeHttp]:
    """Start an ASGI app and yield what serves one connection with it.

    Args:
        app: any ASGI 3 application; its lifespan runs as long as the block.
        max_message: longest WebSocket message it is given, in bytes.
    """
    streams, exchanges = _hypercorn_config(max_message), _hypercorn_config(max_message)
    # Only the media stream of `[wire] phone = "quart"` is read on, and it always carries 50 frames a
    # second: a silent one is dead. An exchange has been read, and ends by the listener's own deadline.
    streams.read_timeout, exchanges.read_timeout = 30, None
    wrapped = ASGIWrapper(_sent_whole(app))
    context = WorkerContext(None)
    state: LifespanState = LifespanState({})
    lifespan = Lifespan(wrapped, exchanges, state)

    async def serve_http(stream: BoundedStream) -> None:
        plain: Any = stream  # typed for TLS there; for plain TCP it asks no more than we have
        config = exchanges if isinstance(stream, HttpExchange) else streams
        own = ConnectionState({**state, "llcphone.exchange": stream})
        await TCPServer(wrapped, config, context, own, plain).run()

    async with trio.open_nursery() as nursery:
        await nursery.start(lifespan.handle_lifespan, name="http lifespan")
        await lifespan.wait_for_startup()
        yield serve_http
        try:
            await lifespan.wait_for_shutdown()
        except LifespanTimeoutError as error:
            log.warning("the app did not finish its shutdown", extra={"error": where(error)})
        nursery.cancel_scope.cancel()


def _sent_whole(app: Any) -> Any:
    """The app, whose HTTP sends no cancellation of its own cuts short; `BoundedStream` bounds them."""

    async def wrapper(scope: Any, receive: Any, send: Any) -> None:
        async def send_whole(message: Any) -> None:
            with trio.CancelScope(shield=True):
                await send(message)

        await app(scope, receive, send_whole if scope["type"] == "http" else send)

    return wrapper


def _hypercorn_config(max_message: int) -> HypercornConfig:
    config = HypercornConfig()
    config.accesslog = None  # paths carry one-time tokens
    config.errorlog = without_texts(log.logger.getChild("hypercorn"))
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_max_requests = 1
    config.max_app_queue_size = 64
    config.startup_timeout = config.shutdown_timeout = LIFESPAN_LIMIT_S
    # hypercorn never looks for the pongs and its ping task outlives the peer.
    config.websocket_ping_interval = None
    config.websocket_max_message_size = max_message
    return config
