"""The public port while questions are asked: signed webhooks, and media streams that are waited for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import trio
from attrs import define, field, frozen

from llcphone.certify.telephone.stream import Stream
from llcphone.errors import RemoteProtocolError
from llcphone.server.head import RequestHead, RequestRefused, parse_head
from llcphone.server.request import BODY_LIMIT, HEAD_LIMIT, bare_answer, linger, page, read_body, read_head
from llcphone.server.socket_passing import detach
from llcphone.twilio.signature import valid_webhook
from llcphone.wire import websocket
from llcphone.wire.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llcphone.certify.fixtures import Recording
    from llcphone.config import Config

EXCHANGE_S = 15.0
"""Twilio waits no longer for an answer."""
_KEPT = frozenset(
    {b"host", b"user-agent", b"content-type", b"x-twilio-signature", b"i-twilio-idempotency-token"}
)


@frozen
class Webhook:
    """A signed request of Twilio."""

    at_s: float
    """When it came, by Trio's clock."""
    path: str
    form: dict[str, str] = field(repr=False)


@define(eq=False)
class Port:
    """What the number's webhooks reach; whatever is not signed gets 403, and what nobody waits for 404."""

    config: Config
    recording: Recording
    nursery: trio.Nursery
    """Owns the streams' readers."""
    answers: dict[str, Callable[[Webhook], bytes]] = field(factory=dict)
    """By path below the public URL: makes the whole HTTP answer."""
    tokens: set[str] = field(factory=set)
    """Media streams that are waited for."""
    webhooks: list[Webhook] = field(factory=list)
    streams: dict[str, Stream] = field(factory=dict)
    """By token."""
    _news: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot)

    async def serve(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._connection, list(listeners))

    def asked(self, path: str, since_s: float = 0.0) -> list[Webhook]:
        """Requests of a path since a moment of Trio's clock."""
        return [each for each in self.webhooks if each.path == path and each.at_s >= since_s]

    async def stream(self, token: str, within_s: float) -> Stream | None:
        """Wait for a media stream and its ``start``; None: it did not come in time."""
        self.tokens.add(token)
        with trio.move_on_after(within_s):
            while token not in self.streams:
                await self._news.park()
            stream = self.streams[token]
            return stream if await stream.started(within_s) else None
        return None

    async def until(self, found: Callable[[], bool], within_s: float) -> bool:
        """Wait until something about the requests is so; False: it is not so in time."""
        with trio.move_on_after(within_s):
            while not found():
                await self._news.park()
        return found()

    async def _connection(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(EXCHANGE_S):
            try:
                raw, rest = await read_head(stream, HEAD_LIMIT)
                if raw:
                    await self._request(stream, parse_head(raw), rest)
            except RequestRefused as refused:
                await self._say(stream, bare_answer(refused.status))
            except RemoteProtocolError:
                await self._say(stream, bare_answer(400))
        with suppress(OSError, trio.ClosedResourceError):
            await trio.aclose_forcefully(stream)

    async def _request(self, stream: trio.SocketStream, head: RequestHead, rest: bytes) -> None:
        token = head.media_token or ""
        if head.wants_websocket and token in self.tokens and token not in self.streams:
            self._join(stream, head, rest, token)
            return
        body, _ = await read_body(stream, head, rest, BODY_LIMIT)
        await self._say(stream, self._answer(head, body))

    def _join(self, stream: trio.SocketStream, head: RequestHead, rest: bytes, token: str) -> None:
        self._note(head, {})
        leg = websocket.accept(Socket.from_accepted(detach(stream)), head.raw, rest)
        leg.attach(self.nursery.start_soon, lambda end: None)
        joined = Stream(
            leg,
            head.path.decode("ascii"),
            head.get(b"x-twilio-signature").decode("latin-1"),
            head.get(b"host").decode("latin-1"),
            self.recording,
        )
        self.streams[token] = joined
        self.nursery.start_soon(joined.read, name="certify stream")
        self._news.unpark_all()

    def _answer(self, head: RequestHead, body: bytes) -> bytes:
        target, host = head.target.decode("ascii"), head.get(b"host").decode("latin-1")
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        signature = head.get(b"x-twilio-signature").decode("latin-1")
        url = self.config.server.public_url + target
        if not valid_webhook(self.config.twilio.auth_token, url, pairs, signature, host):
            return bare_answer(403)
        path = head.path.decode("ascii").rstrip("/")
        self._note(head, dict(pairs))
        webhook = Webhook(trio.current_time(), path, dict(pairs))
        self.webhooks.append(webhook)
        self._news.unpark_all()
        answer = self.answers.get(path)
        return bare_answer(404) if answer is None else answer(webhook)

    def _note(self, head: RequestHead, form: dict[str, str]) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers if name in _KEPT}
        url = self.config.server.public_url + head.path.decode("ascii")
        self.recording.received("twilio", {"request": url, "headers": headers, "form": form})

    @staticmethod
    async def _say(stream: trio.SocketStream, answer: bytes) -> None:
        await stream.send_all(answer)
        await linger(stream)


def twiml(document: str) -> bytes:
    """The HTTP answer with a document."""
    return page(b"POST", 200, "text/xml", document.encode())
