"""The one public port: every connection is read here before anything else sees a byte of it.

The listener accepts, reads one request head with `head.parse_head`, and decides:

- A WebSocket handshake on ``/media/<token>`` must carry Twilio's signature for the configured public URL
  and a token that a call waits for. Otherwise it is answered 403 and goes no further. A valid one becomes
  a leg of `llcphone.wire`, the call takes it by ``phone.join``, and the listener's task ends. With
  ``[wire] phone = "quart"`` it goes to the HTTP stack instead.
- Another WebSocket handshake is answered 404; other upgrades are ignored.
- ``/healthz`` and ``/readyz`` are answered here.
- Everything else is read to the end of its body and goes to the HTTP stack as one rewritten request, alone on
  its connection. Proxies reuse connections: a second request there could carry an upgrade past these checks.
  Requests without authentication (`authentication`) are limited, and answered 429 beyond the limit.

A client has `server.head_timeout_s` for its head, `BODY_TIMEOUT_S` for its body and `EXCHANGE_LIMIT_S` for
everything. These are deadlines of one cancel scope, which `pending` also cancels when it evicts the
connection. An app that has authenticated its client may ask for more (`http.HttpExchange.extend`: the API's
event stream). Each connection is a task that keeps its own exceptions; only cancellation and interrupts
leave it.
"""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.errors import JoinRefused, RemoteProtocolError
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.authentication import SIGNATURE_CAUSES, is_authenticated
from llcphone.server.head import HEAD_END, RequestHead, RequestRefused, parse_head
from llcphone.server.health import PROBE, health
from llcphone.server.http import BoundedStream, HttpExchange, ServeHttp
from llcphone.server.own_calls import is_for_own_call
from llcphone.server.pending import Allowance, PendingConnection, PendingConnections, Stage
from llcphone.server.previous_process import PreviousProcess, passed_to_previous
from llcphone.server.public_port import Port, State
from llcphone.server.quiet_log import where
from llcphone.server.request import (
    BODY_LIMIT,
    BODY_TIMEOUT_S,
    HEAD_LIMIT,
    bare_answer,
    linger,
    page,
    read_body,
    read_head,
)
from llcphone.server.socket_passing import close, detach
from llcphone.twilio.signature import valid_upgrade
from llcphone.wire import websocket
from llcphone.wire.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.config import ServerConfig
    from llcphone.phone.phone import Phone

EXCHANGE_LIMIT_S = 15.0
"""From accept to the end of an HTTP exchange: Twilio waits no longer for an answer."""
CLOSE_LIMIT_S = 1.0
"""How long exchanges may still go on once the port is closed."""
log = logger("llcphone.server.listener")


@attrs.define(eq=False)
class PublicListener:
    """The open public port. Made by `serve_public_port`; ``stop_accepting`` closes it."""

    _phone: Phone
    _serve_http: ServeHttp
    _limits: ServerConfig
    addresses: list[Any]
    """Where it listens, by ``getsockname``: the real port, also for port 0."""
    pending: PendingConnections
    _connections: trio.Nursery
    port: Port
    previous: list[PreviousProcess]
    """Processes that had the port before, and may still have calls."""
    allowance: Allowance = attrs.field(factory=Allowance, init=False)
    _seldom: SeldomLog = attrs.field(factory=partial(SeldomLog, log), init=False)
    _accepted: set[PendingConnection] = attrs.field(factory=set, init=False)
    """Connections of our own that are not answered yet."""

    def stop_accepting(self) -> None:
        """Close the listening sockets. Call it when no call waits for its stream any more (drain)."""
        self.port.turn(State.CLOSED)

    async def answered(self) -> None:
        """Wait until every connection that was accepted here is answered, within the time it has for that."""
        with trio.move_on_after(EXCHANGE_LIMIT_S):
            while self._accepted:  # noqa: ASYNC110  (once in a process' life)
                await trio.sleep(0.05)

    def _admit(self, stream: trio.SocketStream, party: str) -> None:
        self._phone.connections["accepted"] += 1
        connection = self.pending.add(party)
        self._accepted.add(connection)
        self._connections.start_soon(self._serve_connection, stream, connection, name="public connection")

    def admit_passed(self, sock: socket.socket, request: bytes) -> None:
        """A connection that another process accepted for one of our calls, and what it read of it."""
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._connections.start_soon(
            self._serve_connection, stream, self.pending.add(""), request, name="public connection"
        )

    async def _serve_connection(
        self, stream: trio.SocketStream, connection: PendingConnection, request: bytes = b""
    ) -> None:
        """One connection from accept to its end, contained."""
        connection.scope.deadline = trio.current_time() + self._limits.head_timeout_s
        try:
            with connection.scope:
                await self._handle(stream, connection, request)
            if connection.scope.cancelled_caught:
                self._phone.connections["evicted" if connection.evicted else "too slow"] += 1
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self._phone.connections["gone"] += 1
        except* (JoinRefused, RemoteProtocolError):  # no handshake, or the call ended in this very moment
            self._phone.connections["refused"] += 1
        except* Exception as error:
            self._phone.connections["failed"] += 1
            self._seldom.warning("connection failed", error=where(error))
        finally:
            self._accepted.discard(connection)
            self.pending.remove(connection)
            stream.socket.close()

    async def _handle(self, stream: trio.SocketStream, connection: PendingConnection, request: bytes) -> None:
        born_s, whole = trio.current_time(), False
        try:
            if request:
                raw, _, rest = request.partition(HEAD_END)
                raw += HEAD_END
            else:
                raw, rest = await read_head(stream, HEAD_LIMIT)
            if not raw:
                self._phone.connections["gone"] += 1
                return
            head = parse_head(raw)
            if head.wants_websocket:
                whole = not rest
                await self._accept_stream(stream, connection, head, rest)
                return
            connection.scope.deadline = trio.current_time() + BODY_TIMEOUT_S
            body, behind = await read_body(stream, head, rest, BODY_LIMIT)
            whole = not behind
            connection.stage, connection.scope.deadline = Stage.BEING_ANSWERED, born_s + EXCHANGE_LIMIT_S
            await self._answer(stream, connection, head, body)
        except RequestRefused as refusal:
            self._phone.connections["refused"] += 1
            self._seldom.warning(f"request refused: {refusal.why}", status=refusal.status)
            await stream.send_all(bare_answer(refusal.status))
        if not whole and stream.socket.fileno() >= 0:
            connection.stage = Stage.ANSWERED
            await linger(stream)

    async def _answer(
        self, stream: trio.SocketStream, connection: PendingConnection, head: RequestHead, body: bytes
    ) -> None:
        """A whole request that is no handshake."""
        if head.method in (b"GET", b"HEAD") and (said := health(self._phone, head.target)) is not None:
            await stream.send_all(page(head.method, said[1], "application/json", said[0]))
            return
        if is_authenticated(self._phone.config, head, body):
            self.pending.remove(connection)
        elif not self.allowance.take(trio.current_time()):
            raise RequestRefused(429, "too many requests without authentication")
        if await self._passed(stream, head.raw + body):
            return
        self._phone.connections["request"] += 1
        extend = partial(self._extend, connection)
        await self._serve_http(HttpExchange(stream, head.as_single_request() + body, extend))
        if stream.socket.fileno() < 0:
            raise trio.ClosedResourceError("the peer stopped reading, or left")

    def _extend(self, connection: PendingConnection, limit_s: float) -> None:
        """Give an answer to an authenticated client this much time; the connection leaves ``pending``."""
        self.pending.remove(connection)
        connection.scope.deadline = trio.current_time() + limit_s

    async def _accept_stream(
        self, stream: trio.SocketStream, connection: PendingConnection, head: RequestHead, rest: bytes
    ) -> None:
        """A WebSocket handshake: a media stream that a call waits for, or a refusal."""
        token = head.media_token
        if token is None:
            raise RequestRefused(404, "a WebSocket handshake for another path than /media/<token>")
        self._check_signature(head)
        if token != PROBE and not self._phone.expects(token):
            if await self._passed(stream, head.raw + rest):
                return
            raise RequestRefused(403, "no call waits for the token of this media stream")
        if token == PROBE and self._phone.config.wire.phone == "fast":
            await self._answer_probe(stream, head, rest)
            return
        self.pending.remove(connection)
        connection.scope.deadline = math.inf
        if self._phone.config.wire.phone == "quart":
            self._phone.connections["stream"] += 1
            await self._serve_http(BoundedStream(stream, head.as_plain_upgrade() + rest))
        else:
            self._join_call(stream, head, rest, token)

    async def _passed(self, stream: trio.SocketStream, request: bytes) -> bool:
        """Whether a process before this one has the call of an authenticated request, and answers it."""
        if not self.previous or await is_for_own_call(self._phone, request):
            return False
        if not await passed_to_previous(self.previous, stream, request):
            return False
        stream.socket.close()  # our copy
        return True

    def _check_signature(self, head: RequestHead) -> None:
        config = self._phone.config
        if config.server.check_signatures:
            signature = head.get(b"x-twilio-signature").decode("ascii")
            path, host = head.path.decode("ascii"), head.get(b"host").decode("ascii")
            if not valid_upgrade(config.twilio.auth_token, config.server.public_url, path, signature, host):
                raise RequestRefused(403, f"wrong signature of a media stream. {SIGNATURE_CAUSES}")

    async def _answer_probe(self, stream: trio.SocketStream, head: RequestHead, rest: bytes) -> None:
        """Answer a signed upgrade that only asks whether upgrades arrive here: 101, then a Close."""
        raw = detach(stream)
        try:
            leg = websocket.accept(Socket.from_accepted(raw), head.raw, rest)
        except BaseException:
            raw.close()  # it has no other owner yet
            raise
        try:
            await leg.aclose()
        finally:
            leg.abort()

    def _join_call(self, stream: trio.SocketStream, head: RequestHead, rest: bytes, token: str) -> None:
        """Make the socket a leg of its call. It never waits, so no other connection can use the token."""
        raw = detach(stream)
        try:
            leg = websocket.accept(
                Socket.from_accepted(raw),
                head.raw,
                rest,
            )
        except BaseException as error:
            if isinstance(error, RemoteProtocolError):
                with suppress(OSError):
                    raw.send(bare_answer(400))  # a new socket has room for these few bytes
            raw.close()  # it has no other owner yet
            raise
        try:
            self._phone.join(token, leg)
        except BaseException:
            leg.abort()
            raise
        self._phone.connections["stream"] += 1


async def serve_public_port(
    listeners: Sequence[trio.SocketListener | socket.socket],
    http: ServeHttp,
    phone: Phone,
    *,
    limits: ServerConfig | None = None,
    previous: Sequence[PreviousProcess] = (),
    task_status: trio.TaskStatus[PublicListener] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the public port until ``stop_accepting`` is called on the `PublicListener` that it starts with.

    It owns the listeners. Once they are closed, exchanges in progress have `CLOSE_LIMIT_S`.
    """
    limits = limits or phone.config.server
    ours = [_as_listener(each) for each in listeners]
    addresses = [each.socket.getsockname() for each in ours]
    pending = PendingConnections(limits.max_pending)
    try:
        async with trio.open_nursery() as connections:
            port = Port(ours)
            listener = PublicListener(
                phone, http, limits, addresses, pending, connections, port, list(previous)
            )
            task_status.started(listener)
            await port.accept(listener._admit, listener._seldom)
            close(ours)
            pending.evict_all()
            connections.cancel_scope.deadline = trio.current_time() + CLOSE_LIMIT_S
    finally:
        close(ours)


def _as_listener(each: trio.SocketListener | socket.socket) -> trio.SocketListener:
    if isinstance(each, socket.socket):
        return trio.SocketListener(trio.socket.from_stdlib_socket(each))
    return each
