"""The private port: figures and health for programs of the operator, on an address of this machine.

    GET /metrics    for Prometheus
    GET /healthz    200, or 503 and why this process should be replaced
    GET /readyz     200, or 503 and why new calls are not taken

This port has no authentication, so it is not the public port. On a loopback address it answers only
requests whose ``Host`` is this machine, so a web page whose name was made to point here (DNS rebinding)
reads nothing. Requests are read by the strict reader of the public listener, one per connection, each
within ``EXCHANGE_S``. Beyond ``MOST`` connections, a new one replaces the one that has waited longest, so a
scraper that hangs blocks nothing.
"""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from llcphone.config.addresses import is_loopback_host, is_loopback_url
from llcphone.errors import ConfigError
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.accepting import accept_each, listens_at
from llcphone.server.head import RequestHead, RequestRefused, parse_head
from llcphone.server.health import health
from llcphone.server.pending import PendingConnection, PendingConnections, Stage
from llcphone.server.quiet_log import where
from llcphone.server.request import bare_answer, linger, page, read_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llcphone.config.metrics import MetricsConfig
    from llcphone.phone.phone import Phone
    from llcphone.telemetry.metrics import Metrics

EXCHANGE_S = 5.0
MOST = 16
_HEAD_LIMIT = 8_192

log = logger("llcphone.server.private")


class PrivatePort:
    """Answers scrapes and health checks of one phone."""

    def __init__(self, phone: Phone, metrics: Metrics, connections: trio.Nursery) -> None:
        self._phone = phone
        self._metrics = metrics
        self._local_only = is_loopback_host(phone.config.metrics.host)
        self._connections = connections
        self._pending = PendingConnections(MOST)
        self._seldom = SeldomLog(log)

    async def accept_from(self, listener: trio.SocketListener) -> None:
        """Serve each connection, until cancelled."""
        await accept_each(listener, self._admit, self._seldom)

    def _admit(self, stream: trio.SocketStream, party: str) -> None:
        connection = self._pending.add(party)
        self._connections.start_soon(self._serve_connection, stream, connection, name="private connection")

    async def _serve_connection(self, stream: trio.SocketStream, connection: PendingConnection) -> None:
        """One connection, contained."""
        connection.scope.deadline = trio.current_time() + EXCHANGE_S
        try:
            with connection.scope:
                await self._exchange(stream, connection)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the scraper has left
        except Exception as error:
            self._seldom.warning("private port: request failed", error=where(error))
        finally:
            self._pending.remove(connection)
            stream.socket.close()

    async def _exchange(self, stream: trio.SocketStream, connection: PendingConnection) -> None:
        try:
            raw, rest = await read_head(stream, _HEAD_LIMIT)
            if not raw:
                return
            head = parse_head(raw)
            connection.stage = Stage.BEING_ANSWERED
            await stream.send_all(self._answer(head))
            if not rest:
                return
        except RequestRefused as refusal:
            self._seldom.warning(f"private port: request refused: {refusal.why}", status=refusal.status)
            await stream.send_all(bare_answer(refusal.status))
        connection.stage = Stage.ANSWERED
        await linger(stream)

    def _answer(self, head: RequestHead) -> bytes:
        if self._local_only and not is_loopback_url("http://" + head.get(b"host").decode("ascii")):
            raise RequestRefused(403, "its Host is another machine: use 127.0.0.1, or set metrics.host")
        if head.path == b"/metrics":
            return page(head.method, 200, self._metrics.content_type, self._metrics.page())
        if (said := health(self._phone, head.target)) is not None:
            return page(head.method, said[1], "application/json", said[0])
        raise RequestRefused(404, "there is no such page")


@asynccontextmanager
async def open_private_port(
    phone: Phone, settings: MetricsConfig, listeners: Sequence[trio.SocketListener] = ()
) -> AsyncIterator[list[trio.SocketListener]]:
    """Count what this phone does, and serve it on the private port until the block is left.

    Of ``listeners``, sockets that listen already, those for another port are closed.

    Yields:
        What listens; nothing when ``metrics.port`` is 0, and then nothing is counted.

    Raises:
        ConfigError: the address or port cannot be had.
    """
    ours = [each for each in listeners if listens_at(each, settings.host, settings.port)]
    for each in listeners:
        if each not in ours:
            each.socket.close()
    if not settings.port:
        yield []
        return
    # Imported here: it takes 100 ms, and is not needed without a private port.
    from llcphone.telemetry.metrics import open_metrics

    listeners = ours or await bind_private(settings)
    try:
        with open_metrics(phone) as metrics:
            async with trio.open_nursery() as nursery:
                port = PrivatePort(phone, metrics, nursery)
                for listener in listeners:
                    nursery.start_soon(port.accept_from, listener, name="private port")
                yield listeners
                nursery.cancel_scope.cancel(reason="leaving")
    finally:
        for listener in listeners:
            listener.socket.close()


async def bind_private(settings: MetricsConfig) -> list[trio.SocketListener]:
    """Listen on the private port; on nothing when there is none.

    Raises:
        ConfigError: it cannot be had.
    """
    if not settings.port:
        return []
    try:
        return await trio.open_tcp_listeners(settings.port, host=settings.host)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        fix = "set metrics.port to a free one, or to 0 for none"
        raise ConfigError(
            "metrics.port", f"cannot listen on port {settings.port} of {settings.host} ({name})", fix
        ) from error
