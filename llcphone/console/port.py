"""The console's port: every connection is read here before anything else sees a byte of it.

- A request of another page, or under another name, is refused (`origin`).
- ``GET /`` and ``/web/…`` are answered here, from memory; so is ``POST /api/in``, which gives a token for a
  link.
- ``/live/<ticket>`` and ``/line/<ticket>`` become sockets, for a ticket that is still good.
- All else needs a token, and only then goes to the app.

Each request has ``EXCHANGE_S``, and there are ``MOST`` connections that have shown no token (`small_port`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from llcphone.console.origin import check_origin, headers_for
from llcphone.console.static import NONCE, File, new_nonce, read_files
from llcphone.errors import LegClosed
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.api.errors import ApiError
from llcphone.server.head import RequestHead, RequestRefused, parse_head
from llcphone.server.http import HttpExchange, ServeHttp
from llcphone.server.pending import PendingConnection, Stage
from llcphone.server.request import BODY_LIMIT, HEAD_LIMIT, page, read_body, read_head
from llcphone.server.small_port import SmallPort
from llcphone.server.socket_passing import detach
from llcphone.wire import websocket
from llcphone.wire.leg import LegLimits
from llcphone.wire.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.console.access import Session
    from llcphone.console.console import Console

EXCHANGE_S = 5.0
"""From accept to the end of a request; for its answer a request with a token has as long again."""
MOST = 32
LIMITS = {"line": LegLimits(stall_timeout_s=60), "live": LegLimits(queue_limit_bytes=2**20)}
"""A browser that stalls is a telephone in a tunnel; a viewer that stalls may come again."""
LEAVING_S = 10.0
"""For a socket whose browser was lost to come to its end by itself."""
_SOCKET = re.compile(rb"/([a-z]{1,16})/([A-Za-z0-9_-]{1,64})")

log = logger("llcphone.console")


class Entry(msgspec.Struct):
    """The body of ``POST /api/in``."""

    code: str


@attrs.define(eq=False, kw_only=True)
class ConsoleExchange(HttpExchange):
    """A request whose token was good."""

    session: Session


class ConsolePort(SmallPort):
    """Serves one console."""

    def __init__(self, console: Console, serve_http: ServeHttp, connections: trio.Nursery) -> None:
        super().__init__("console", SeldomLog(log), connections, most=MOST, exchange_s=EXCHANGE_S)
        self._console = console
        self._origins = console.config.origins
        self._serve_http = serve_http
        self._files = read_files()
        self._open: Counter[str] = Counter()
        """Sockets by their kind."""

    async def exchange(self, stream: trio.SocketStream, connection: PendingConnection) -> bool:
        """See `SmallPort`."""
        raw, rest = await read_head(stream, HEAD_LIMIT)
        if not raw:
            return True
        head = parse_head(raw)
        check_origin(head, self._origins)
        if head.wants_websocket:
            await self._serve_socket(stream, connection, head, rest)
            return True
        body, behind = await read_body(stream, head, rest, BODY_LIMIT)
        connection.stage = Stage.BEING_ANSWERED
        await self._answer(stream, connection, head, body)
        return not behind

    # -- requests -------------------------------------------------------------------------------

    async def _answer(
        self, stream: trio.SocketStream, connection: PendingConnection, head: RequestHead, body: bytes
    ) -> None:
        path = head.path.decode("ascii")
        if (file := self._files.get(path)) is not None:
            await stream.send_all(self._static(head, file))
        elif not path.startswith("/api/"):
            raise RequestRefused(404, "there is no such page")
        else:
            try:
                session = self._session(head, path)
            except ApiError as error:
                await stream.send_all(self._problem(head, error))
                return
            if session is None:
                await stream.send_all(self._enter(head, body))
                return
            self._pending.remove(connection)
            extend = partial(_extend, connection)
            extend(EXCHANGE_S)
            request = head.as_single_request() + body
            await self._serve_http(ConsoleExchange(stream, request, extend, session=session))
            if stream.socket.fileno() < 0:
                raise trio.ClosedResourceError("the browser stopped reading, or left")

    def _static(self, head: RequestHead, file: File) -> bytes:
        if head.method not in (b"GET", b"HEAD"):
            raise RequestRefused(405, "another method than GET for a page")
        nonce = new_nonce()
        headers = headers_for(head, self._origins, nonce)
        if file.has_nonce:  # no answer may be used again
            content = file.content.replace(NONCE, nonce.encode())
            return page(head.method, 200, file.type, content, headers | {"Cache-Control": "no-store"})
        headers |= {"Cache-Control": "no-cache", "ETag": file.etag}
        if file.etag.encode() in head.get(b"if-none-match"):
            return page(b"HEAD", 304, file.type, file.content, headers)
        return page(head.method, 200, file.type, file.content, headers)

    def _session(self, head: RequestHead, path: str) -> Session | None:
        """Whose request it is; None: it signs in."""
        if head.method == b"POST" and head.get(b"content-type").partition(b";")[0] != b"application/json":
            raise ApiError(415, "not_json", "the body is no JSON", "send Content-Type: application/json")
        if path == "/api/in" and head.method == b"POST":
            return None
        scheme, _, token = head.get(b"authorization").decode("ascii").partition(" ")
        session = self._console.access.session(token) if scheme.lower() == "bearer" else None
        if session is None:
            self._seldom.warning("console: request without a token, or with one that is over")
            fix = f"open a new link: {self._console.new_link}"
            raise ApiError(401, "unauthorized", "you are signed out", fix)
        return session

    def _enter(self, head: RequestHead, body: bytes) -> bytes:
        access, config = self._console.access, self._console.config
        try:
            code = msgspec.json.decode(body, type=Entry).code
        except (ValueError, RecursionError):
            error = ApiError(400, "not_json", "the body holds no code", 'send {"code": "…"}')
            return self._problem(head, error)
        if (entered := access.enter(code)) is None:
            if access.is_guessed():
                error = ApiError(429, "too_many", "too many wrong links", "wait", retry_after_s=60)
                return self._problem(head, error)
            self._seldom.warning("console: link refused")
            why = "this link was used, or is older than two minutes"
            fix = f"open a new one: {self._console.new_link}"
            return self._problem(head, ApiError(403, "bad_code", why, fix))
        token, session = entered
        log.info("console: signed in", extra={"session": session.id, "act": session.act})
        said = {
            "token": token,
            "act": session.act,
            "phone": session.phone and "line" in self._console.sockets,
            "mode": self._console.mode,
            "words": config.words,
            "numbers": config.numbers,
            "audio": config.audio,
        }
        headers = headers_for(head, self._origins) | {"Cache-Control": "no-store"}
        return page(b"POST", 200, "application/json", msgspec.json.encode(said), headers)

    def _problem(self, head: RequestHead, error: ApiError) -> bytes:
        headers = headers_for(head, self._origins) | error.headers | {"Cache-Control": "no-store"}
        said = msgspec.json.encode(error.problem)
        return page(head.method, error.problem.status, "application/problem+json", said, headers)

    # -- sockets --------------------------------------------------------------------------------

    async def _serve_socket(
        self, stream: trio.SocketStream, connection: PendingConnection, head: RequestHead, rest: bytes
    ) -> None:
        match = _SOCKET.fullmatch(head.path)
        kind = match[1].decode() if match else ""
        if match is None or kind not in self._console.sockets:
            raise RequestRefused(404, "a WebSocket handshake for no socket of ours")
        session = self._console.access.take_ticket(match[2].decode(), kind)
        if session is None:
            raise RequestRefused(403, "a ticket that was used, is too old, or is for another socket")
        if self._open[kind] >= self._console.most(kind):
            raise RequestRefused(503, f"too many sockets: {kind}")
        self._pending.remove(connection)
        connection.scope.deadline = math.inf
        raw = detach(stream)
        try:
            leg = websocket.accept(Socket.from_accepted(raw), head.raw, rest, limits=LIMITS.get(kind))
        except BaseException:
            raw.close()  # it has no other owner yet
            raise
        self._open[kind] += 1
        try:
            await _serve_leg(partial(self._console.sockets[kind], leg, session), leg)
        finally:
            self._open[kind] -= 1
            with trio.CancelScope(shield=True):
                await leg.aclose()  # bounded by the leg itself
            leg.abort()


async def _serve_leg(serve: Callable[[], Awaitable[None]], leg: websocket.WebSocketLeg) -> None:
    """Serve a socket until it is over or lost."""
    async with trio.open_nursery() as nursery:

        def lost(_: LegClosed) -> None:
            nursery.cancel_scope.deadline = trio.current_time() + LEAVING_S  # receive() says it, too

        leg.attach(nursery.start_soon, lost)
        nursery.start_soon(_keep_alive, leg, name="console keepalive")
        try:
            await serve()
        except* LegClosed:
            pass
        nursery.cancel_scope.cancel(reason="over")


async def _keep_alive(leg: websocket.WebSocketLeg) -> None:
    """Ping, for a browser that is gone without a word would hold its socket for hours."""
    while (due := leg.keepalive_nowait(trio.current_time())) < math.inf:  # noqa: ASYNC110 (the leg's clock)
        await trio.sleep_until(due)


def _extend(connection: PendingConnection, limit_s: float) -> None:
    connection.scope.deadline = trio.current_time() + limit_s
