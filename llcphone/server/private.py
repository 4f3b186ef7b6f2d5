"""The private port: figures and health for programs of the operator, on an address of this machine.

    GET /metrics    for Prometheus
    GET /healthz    200, or 503 and why this process should be replaced
    GET /readyz     200, or 503 and why new calls are not taken

It asks nobody who they are, which is why it is not on the public port. Requests are read by the door's own
strict reader, one per connection, each within ``EXCHANGE_S``, ``MOST`` at once; so a scraper that hangs
holds nothing up.
"""

from __future__ import annotations

import errno
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from llcphone.errors import ConfigError
from llcphone.seldom import SeldomLog
from llcphone.server.head import RequestRefused, parse_head
from llcphone.server.logs import where
from llcphone.server.strangers import bare_answer, linger, read_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.config_metrics import MetricsConfig
    from llcphone.metrics import Metrics
    from llcphone.server.phone_room import PhoneRoom

EXCHANGE_S = 5.0
MOST = 16
_HEAD_LIMIT = 8_192
_PHRASES = {200: "OK", 503: "Service Unavailable"}

log = logging.getLogger("llcphone.server.private")


class PrivatePort:
    """Answers scrapes and health checks of one phone."""

    def __init__(self, phone: PhoneRoom, metrics: Metrics) -> None:
        self._phone = phone
        self._metrics = metrics
        self._places = trio.Semaphore(MOST)
        self._seldom = SeldomLog(log)

    async def keep(self, stream: trio.SocketStream) -> None:
        """One connection, contained."""
        try:
            with trio.move_on_after(EXCHANGE_S):
                async with self._places:
                    await self._exchange(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the scraper has left
        except Exception as error:
            self._seldom.warning("private port: request failed", error=where(error))
        finally:
            stream.socket.close()

    async def _exchange(self, stream: trio.SocketStream) -> None:
        try:
            raw, _ = await read_head(stream, _HEAD_LIMIT)
            if not raw:
                return
            await stream.send_all(self._answer(parse_head(raw).path))
        except RequestRefused as refusal:
            await stream.send_all(bare_answer(refusal.status))
        await linger(stream)

    def _answer(self, path: bytes) -> bytes:
        match path:
            case b"/metrics":
                return _page(200, self._metrics.content_type, self._metrics.page())
            case b"/healthz":
                return _reasons("alive", self._phone.pulse.reasons())
            case b"/readyz":
                return _reasons("ready", self._phone.ready())
        raise RequestRefused(404)


@asynccontextmanager
async def open_private_port(phone: PhoneRoom, settings: MetricsConfig) -> AsyncIterator[list[str]]:
    """Count what this phone does, and serve it on the private port until the block is left.

    Yields:
        The addresses served, as ``host:port``; none when ``metrics.port`` is 0, and then nothing is counted.

    Raises:
        ConfigError: the address or port cannot be had.
    """
    if not settings.port:
        yield []
        return
    # Imported here: it takes 100 ms, and who has no private port never needs it.
    from llcphone.metrics import open_metrics

    listeners = await _bind(settings)
    try:
        with open_metrics(phone) as metrics:
            async with trio.open_nursery() as nursery:
                port = PrivatePort(phone, metrics)
                nursery.start_soon(trio.serve_listeners, port.keep, listeners, name="private port")
                yield [f"{settings.host}:{listener.socket.getsockname()[1]}" for listener in listeners]
                nursery.cancel_scope.cancel(reason="leaving")
    finally:
        for listener in listeners:
            listener.socket.close()


async def _bind(settings: MetricsConfig) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(settings.port, host=settings.host)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        mend = "set metrics.port to a free one, or to 0 for none"
        raise ConfigError(
            "metrics.port", f"cannot listen on port {settings.port} of {settings.host} ({name}): {mend}"
        ) from error


def _page(status: int, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _reasons(word: str, reasons: list[str]) -> bytes:
    body = json.dumps({word: not reasons, "reasons": reasons}).encode()
    return _page(503 if reasons else 200, "application/json", body)
