"""The one public port: every connection is met here before anything else sees a byte of it.

The door accepts, reads one request head by `head.parse_head`, and decides:

- a WebSocket handshake on ``/media/<token>`` must carry Twilio's signature for the configured
  public URL and a token that a call waits for, or it is answered 403 and nothing else learns of
  it. A good one becomes a leg of `llcphone.wire`, the call takes it by ``phone.join``, and the
  door's task ends there. With ``[wire] phone = "quart"`` it goes to the HTTP stack instead.
- another WebSocket handshake is answered 404; other upgrades are ignored.
- ``/healthz`` and ``/readyz`` it answers itself.
- everything else is read to the end of its body and goes to the HTTP stack as one rewritten
  request, alone on its connection. Proxies reuse connections, so serving a second request there
  would let an upgrade slip past the door. What is not genuine (`genuine`) goes there only so
  often, and is answered 429 beyond.

Nobody is trusted with time: a socket has `head_timeout_s` for its head, `body_timeout_s` for its
body and `EXCHANGE_LIMIT_S` for everything, all by moving the deadline of one cancel scope, which
the lobby also cancels when it needs the place. Only an app that knows its client may ask for more
(`http.Exchange.last`: the API's event stream). Each connection is a task that keeps its own
exceptions. Only cancellation and interrupts leave it.
"""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.call.endpoint import leg_limits
from llcphone.errors import JoinRefused, RemoteProtocolError
from llcphone.runtime.log_lines import logger
from llcphone.runtime.rare_log import SeldomLog
from llcphone.server.authentication import SIGNATURE_CAUSES, is_genuine
from llcphone.server.former import Former, passed_to_former
from llcphone.server.head import HEAD_END, RequestHead, RequestRefused, parse_head
from llcphone.server.health import health
from llcphone.server.http import BoundedStream, Exchange, ServeHttp
from llcphone.server.instance_id import PROBE
from llcphone.server.own_calls import concerns
from llcphone.server.pending import Allowance, Lobby, Place, Stage
from llcphone.server.phone_room import PhoneRoom as PhoneRoom  # noqa: TC001  (run.py takes it from here)
from llcphone.server.public_port import Port, State
from llcphone.server.quiet_log import where
from llcphone.server.request import bare_answer, linger, page, read_body, read_head
from llcphone.server.socket_passing import close
from llcphone.twilio.signature import valid_upgrade
from llcphone.wire import websocket
from llcphone.wire.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.config import ServerConfig

EXCHANGE_LIMIT_S = 15.0
"""From accept to the end of an HTTP exchange: Twilio waits no longer for an answer."""
CLOSE_LIMIT_S = 1.0
"""How long exchanges may still go on once the door is closed."""
log = logger("llcphone.server.door")


@attrs.define
class DoorStats:
    """Counters since the door opened; each connection ends in at most one of the last six."""

    accepted: int = 0
    streams: int = 0
    """Media streams let in."""
    exchanges: int = 0
    """HTTP requests handed to the app."""
    refused: int = 0
    """Answered by the door itself with 4xx or 5xx."""
    too_slow: int = 0
    """Out of time before their request was complete or answered."""
    gone: int = 0
    """Left by themselves in the middle."""
    failed: int = 0
    """Ended by an exception in the HTTP stack or in us; logged."""


@attrs.define(eq=False)
class Door:
    """An open door. Made by `serve_door`; ``stop_accepting`` closes it."""

    _phone: PhoneRoom
    _serve_http: ServeHttp
    _limits: ServerConfig
    addresses: list[Any]
    """Where it listens, as ``getsockname`` tells: the real port, also for port 0."""
    lobby: Lobby
    _connections: trio.Nursery
    port: Port
    former: list[Former]
    """Processes that had the port before, and may still have calls."""
    allowance: Allowance = attrs.field(factory=Allowance, init=False)
    stats: DoorStats = attrs.field(factory=DoorStats, init=False)
    _seldom: SeldomLog = attrs.field(factory=partial(SeldomLog, log), init=False)
    _accepted: set[Place] = attrs.field(factory=set, init=False)
    """Connections of our own that are not answered yet."""

    def stop_accepting(self) -> None:
        """Close the listeners. Call it when no born call waits for its stream any more (drain)."""
        self.port.turn(State.CLOSED)

    async def answered(self) -> None:
        """Wait until every connection that was accepted here is answered, within the time it has for that."""
        with trio.move_on_after(EXCHANGE_LIMIT_S):
            while self._accepted:  # noqa: ASYNC110  (once in a process' life)
                await trio.sleep(0.05)

    def _admit(self, stream: trio.SocketStream, party: str) -> None:
        self.stats.accepted += 1
        place = self.lobby.enter(party)
        self._accepted.add(place)
        self._connections.start_soon(self._keep, stream, place, name="door connection")

    def admit_passed(self, sock: socket.socket, request: bytes) -> None:
        """A connection that another process accepted for one of our calls, and what it read of it."""
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._connections.start_soon(
            self._keep, stream, self.lobby.enter(""), request, name="door connection"
        )

    async def _keep(self, stream: trio.SocketStream, place: Place, request: bytes = b"") -> None:
        """One connection from accept to its end, contained."""
        place.scope.deadline = trio.current_time() + self._limits.head_timeout_s
        try:
            with place.scope:
                await self._meet(stream, place, request)
            if place.scope.cancelled_caught and not place.put_out:
                self.stats.too_slow += 1
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.stats.gone += 1
        except* (JoinRefused, RemoteProtocolError):  # no handshake, or the call ended in this very moment
            self.stats.refused += 1
        except* Exception as error:
            self.stats.failed += 1
            self._seldom.warning("connection failed", error=where(error))
        finally:
            self._accepted.discard(place)
            self.lobby.leave(place)
            stream.socket.close()

    async def _meet(self, stream: trio.SocketStream, place: Place, request: bytes) -> None:
        born_s, whole = trio.current_time(), False
        try:
            if request:
                raw, _, rest = request.partition(HEAD_END)
                raw += HEAD_END
            else:
                raw, rest = await read_head(stream, self._limits.head_limit)
            if not raw:
                self.stats.gone += 1
                return
            head = parse_head(raw)
            if head.wants_websocket:
                whole = not rest
                await self._let_in(stream, place, head, rest)
                return
            place.scope.deadline = trio.current_time() + self._limits.body_timeout_s
            body, behind = await read_body(stream, head, rest, self._limits.body_limit)
            whole = not behind
            place.stage, place.scope.deadline = Stage.BEING_ANSWERED, born_s + EXCHANGE_LIMIT_S
            await self._answer(stream, place, head, body)
        except RequestRefused as refusal:
            self.stats.refused += 1
            self._seldom.warning(f"request refused: {refusal.why}", status=refusal.status)
            await stream.send_all(bare_answer(refusal.status))
        if not whole and stream.socket.fileno() >= 0:
            place.stage = Stage.ANSWERED
            await linger(stream)

    async def _answer(self, stream: trio.SocketStream, place: Place, head: RequestHead, body: bytes) -> None:
        """A whole request that is no handshake."""
        if head.method in (b"GET", b"HEAD") and (said := health(self._phone, head.target)) is not None:
            await stream.send_all(page(head.method, said[1], "application/json", said[0]))
            return
        if is_genuine(self._phone.config, head, body):
            self.lobby.leave(place)
        elif not self.allowance.take(trio.current_time()):
            raise RequestRefused(429, "too many that nobody signed")
        if await self._passed(stream, head.raw + body):
            return
        self.stats.exchanges += 1
        last = partial(self._let_last, place)
        await self._serve_http(Exchange(stream, head.as_single_request() + body, last))
        if stream.socket.fileno() < 0:
            raise trio.ClosedResourceError("the peer stopped reading, or left")

    def _let_last(self, place: Place, limit_s: float) -> None:
        """An answer that goes on for so long, to somebody whom the app has found genuine: it gives the
        place up, since strangers must not wait for it to end."""
        self.lobby.leave(place)
        place.scope.deadline = trio.current_time() + limit_s

    async def _let_in(self, stream: trio.SocketStream, place: Place, head: RequestHead, rest: bytes) -> None:
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
        self.lobby.leave(place)
        place.scope.deadline = math.inf
        if self._phone.config.wire.phone == "quart":
            self.stats.streams += 1
            await self._serve_http(BoundedStream(stream, head.as_plain_upgrade() + rest))
        else:
            self._hand_over(stream, head, rest, token)

    async def _passed(self, stream: trio.SocketStream, request: bytes) -> bool:
        """Whether a genuine request concerns a call of a process before this one, which answers it then."""
        if not self.former or await concerns(self._phone, request):
            return False
        if not await passed_to_former(self.former, stream, request):
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
        """Somebody who can sign asks whether an upgrade gets here: 101, and a Close."""
        raw = _detach(stream)
        try:
            leg = websocket.accept(Socket.from_accepted(raw), head.raw, rest)
        except BaseException:
            raw.close()  # nobody waits for it yet
            raise
        try:
            await leg.aclose()
        finally:
            leg.abort()

    def _hand_over(self, stream: trio.SocketStream, head: RequestHead, rest: bytes, token: str) -> None:
        """Make the socket a leg of its call. No await in here: nobody can spend the token in between."""
        config = self._phone.config
        raw = _detach(stream)
        try:
            leg = websocket.accept(
                Socket.from_accepted(raw),
                head.raw,
                rest,
                max_message=config.wire.phone_message_limit,
                limits=leg_limits(config),
            )
        except BaseException as error:
            if isinstance(error, RemoteProtocolError):
                with suppress(OSError):
                    raw.send(bare_answer(400))  # a fresh socket takes so few bytes at once
            raw.close()  # nobody waits for it yet
            raise
        try:
            self._phone.join(token, leg)
        except BaseException:
            leg.abort()
            raise
        self.stats.streams += 1


async def serve_door(
    listeners: Sequence[trio.SocketListener | socket.socket],
    http: ServeHttp,
    phone: PhoneRoom,
    *,
    limits: ServerConfig | None = None,
    former: Sequence[Former] = (),
    task_status: trio.TaskStatus[Door] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the public port until ``stop_accepting`` is called on the `Door` that it starts with.

    It owns the listeners. Once they are closed, exchanges in progress have `CLOSE_LIMIT_S`.

    Args:
        listeners: listening sockets, Trio's or the standard library's.
        http: serves one connection, from `http.open_http`.
        phone: whose calls the media streams join.
        limits: what a stranger may use up; by default the phone's settings.
        former: processes that had the port before, and are asked about calls that the phone does not know.
    """
    limits = limits or phone.config.server
    ours = [_as_listener(each) for each in listeners]
    addresses = [each.socket.getsockname() for each in ours]
    lobby = Lobby(limits.unproven_total)
    try:
        async with trio.open_nursery() as connections:
            port = Port(ours)
            door = Door(phone, http, limits, addresses, lobby, connections, port, list(former))
            task_status.started(door)
            await port.accept(door._admit, door._seldom)
            close(ours)
            lobby.send_home()
            connections.cancel_scope.deadline = trio.current_time() + CLOSE_LIMIT_S
    finally:
        close(ours)


def _as_listener(each: trio.SocketListener | socket.socket) -> trio.SocketListener:
    if isinstance(each, socket.socket):
        return trio.SocketListener(trio.socket.from_stdlib_socket(each))
    return each


def _detach(stream: trio.SocketStream) -> socket.socket:
    """Take the socket out of its Trio wrapper, which is then closed."""
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    return sock
