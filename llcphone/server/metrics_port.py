"""The private port: figures and health for programs of the operator, on an address of this machine.

    GET /metrics    for Prometheus
    GET /healthz    200, or 503 and why this process should be replaced
    GET /readyz     200, or 503 and why new calls are not taken

This port has no authentication, so it is not the public port. On a loopback address it answers only
requests whose ``Host`` is this machine, so a web page whose name was made to point here (DNS rebinding)
reads nothing. Each request has ``EXCHANGE_S``, and there are ``MOST`` connections (`small_port`).
"""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from llcphone.config.addresses import is_loopback_host, is_loopback_url
from llcphone.errors import ConfigError
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.accepting import listens_at
from llcphone.server.head import RequestHead, RequestRefused, parse_head
from llcphone.server.health import health
from llcphone.server.pending import PendingConnection, Stage
from llcphone.server.request import page, read_head
from llcphone.server.small_port import SmallPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llcphone.config.metrics import MetricsConfig
    from llcphone.phone.phone import Phone
    from llcphone.telemetry.metrics import Metrics

EXCHANGE_S = 5.0
MOST = 16
_HEAD_LIMIT = 8_192

log = logger("llcphone.server.private")


class PrivatePort(SmallPort):
    """Answers scrapes and health checks of one phone."""

    def __init__(self, phone: Phone, metrics: Metrics, connections: trio.Nursery) -> None:
        super().__init__("private port", SeldomLog(log), connections, most=MOST, exchange_s=EXCHANGE_S)
        self._phone = phone
        self._metrics = metrics
        self._local_only = is_loopback_host(phone.config.metrics.host)

    async def exchange(self, stream: trio.SocketStream, connection: PendingConnection) -> bool:
        """See `SmallPort`."""
        raw, rest = await read_head(stream, _HEAD_LIMIT)
        if not raw:
            return True
        head = parse_head(raw)
        connection.stage = Stage.BEING_ANSWERED
        await stream.send_all(self._answer(head))
        return not rest

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
