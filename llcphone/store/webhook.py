"""Reports each ended call to another system: a signed POST, from an outbox that survives a restart.

The body has the fields of llc-phone 3's transcript webhook, and a few more::

    {"event": "call_ended", "call_id": …, "direction": …, "caller_phone": …, "call_start": …, "call_end": …,
     "turn_count": …, "transcript": …, "outbound_context": …, "outcome": …, "answered": …, "lines": […]}

``transcript`` is text and ``lines`` the same as data; both are null when no transcript is kept. Calls without
an answer, and machines, are reported too: see ``outcome``.

``X-Llcphone-Signature: t=<unix time>,v1=<hex>`` is HMAC-SHA256 of ``<t>.<body>`` with ``webhook.secret``.
A post may come twice (the answer to the first was lost): ``Idempotency-Key`` is then the same.

The address comes from settings and could point into our own network. So its name is looked up first, every
address found must be a public one, the connection goes to one of those addresses (each is tried), and
redirects are not followed. Every answer but 2xx is retried, a 4xx too: an operator may correct the secret
or the receiver.
"""

from __future__ import annotations

import datetime
import hmac
import ipaddress
import json
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11
import trio

from llcphone.errors import StoreUnavailable
from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import AGAIN_S, Faults, contained
from llcphone.runtime.log_lines import logger
from llcphone.store import webhook_outbox
from llcphone.validation.phone_numbers import is_withheld
from llcphone.validation.text import clean_text
from llcphone.wire.websocket import default_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llcphone.config.webhook import WebhookConfig
    from llcphone.store.calls import KeptCall
    from llcphone.store.store import Store
    from llcphone.store.webhook_outbox import Post

log = logger("llcphone.webhook")

TIMEOUT_S = 5.0  # of one POST
RETRY_AFTER_S = 5.0
"""Pause after a POST that failed; it doubles each time, up to ``_LONGEST_PAUSE_S``."""
_AT_ONCE = 10
_LOOK_S = 30.0
"""How often the outbox is looked at without news: another process may have left something there."""
_LONGEST_PAUSE_S = 3_600.0
_LEAST_TRIES = 4
"""A post is not given up before, whatever the clock says: it may have been set forward."""
_ANSWER_LIMIT = 65_536
_LAST_S = 3.0
"""For what is still to be sent when the phone closes."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotDelivered(Exception):
    """A post that was not taken; the text is a short code."""


class Webhook:
    """Sends what is in the outbox of a store."""

    def __init__(self, config: WebhookConfig, store: Store) -> None:
        self.faults = Faults(log)
        """What failed that is not the receiver's doing."""
        self._config = config
        self._store = store
        self._due_at = NOW
        self._writer = BackgroundWriter(
            self._write,
            lambda: self._due_at,
            self.faults,
            failed="webhook failed",
            pauses_s=AGAIN_S,
            flush_s=_LAST_S,
        )
        self._failing = False
        self._context = default_tls()
        store.posts = posts_of
        store.writer.on_written.append(self._look)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Send until the block is left, then once more; the next process sends what stays in the outbox."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._writer.run, name="webhook")
            try:
                yield
            finally:
                deadline = trio.current_time() + _LAST_S
                with trio.CancelScope(deadline=deadline, shield=True):
                    await self._store.writer.put(lambda db: None).settled.wait()  # the last calls too
                self._due_at = NOW
                await self._writer.finish(deadline)

    def _look(self) -> None:
        """There may be new posts."""
        self._due_at = NOW
        self._writer.news()

    async def _write(self) -> bool:
        leaving, self._due_at = self._writer.leaving, NEVER
        next_at = NOW
        try:
            next_at = trio.current_time() + await self._send_due()
        except StoreUnavailable:  # logged by the store
            return False
        finally:
            self._due_at = NEVER if leaving else min(self._due_at, next_at)
        return True

    async def _send_due(self) -> float:
        """Send what is due; returns how long there is nothing to do."""
        now, lease_s = time.time(), 2 * TIMEOUT_S + _LOOK_S
        claim = partial(webhook_outbox.claim, now=now, lease_s=lease_s, most=_AT_ONCE)
        posts = await self._store.main.ask(claim, patient=True)
        async with trio.open_nursery() as nursery:
            for post in posts:
                nursery.start_soon(self._send, post, name="webhook post")
        due_at = await self._store.main.ask(webhook_outbox.next_due, patient=True)
        return _LOOK_S if due_at is None else min(_LOOK_S, max(0.0, due_at - time.time()))

    async def _send(self, post: Post) -> None:
        with contained() as failure, trio.fail_after(TIMEOUT_S):
            await deliver(self._config, post, self._context)
        code = _code_of(failure)
        self._told(code)
        with contained() as failure:
            await self._settle(post, code)
        if failure.error is not None:  # the lease ends, and it is sent once more
            log.warning(
                "a post may be sent twice: the store does not know of it",
                extra={"errors": failure.kinds},
            )

    async def _settle(self, post: Post, code: str) -> None:
        now = time.time()
        is_old = now - post.made_at >= self._config.give_up_hours * 3_600
        if code and not (is_old and post.tries >= _LEAST_TRIES):
            pause_s = min(_LONGEST_PAUSE_S, RETRY_AFTER_S * 2 ** min(post.tries, 20))
            again = partial(webhook_outbox.later, id_=post.id, due_at=now + pause_s, tries=post.tries + 1)
            await self._store.main.ask(again, patient=True)
            return
        if code:
            log.error("a call's post is given up", extra={"post": post.id, "code": code})
        await self._store.main.ask(partial(webhook_outbox.taken, id_=post.id), patient=True)

    def _told(self, code: str) -> None:
        """Log the first failure and the first success after it."""
        if not code:
            if self._failing:
                log.warning("the webhook takes posts again")
        else:
            if not self._failing:
                log.error("the webhook takes no posts; they are tried again", extra={"code": code})
        self._failing = bool(code)


# -- what is sent -------------------------------------------------------------------------------


def posts_of(kept: KeptCall) -> dict[str, str]:
    """The post about a call, by its id; none when it cannot be made: the call itself is kept all the same."""
    with contained() as failure:
        body = clean_text(json.dumps(body_of(kept), ensure_ascii=False))
        return {f"{kept.record.call_id}-ended": body}
    log.error("no post of a call", extra={"call": kept.record.call_id, "errors": failure.kinds})
    return {}


def body_of(kept: KeptCall) -> dict[str, Any]:
    """The data of a call that is sent."""
    record = kept.record
    words = [
        {"speaker": line["speaker"], "text": line["text"], "at_ms": line.get("at_ms")}
        for line in record.transcript
    ]
    said = "\n".join(f"[{line['speaker'].capitalize()}] {line['text']}" for line in words)
    outbound = record.direction == "outbound"
    person = kept.dialled if outbound else kept.caller
    return {
        "event": "call_ended",
        "call_id": record.call_id,
        "call_sid": record.call_sid,
        "direction": record.direction,
        "agent": record.agent,
        "caller_phone": "unknown" if is_withheld(person) else person,
        "call_start": _iso(record.born_at),
        "call_end": _iso(record.born_at + record.duration_s),
        "duration_s": record.duration_s,
        "outcome": record.reason.value,
        "answered": record.started_after_ms is not None,
        "turn_count": len(record.turns),
        "cost_usd": record.cost_usd,
        "resumed_from": record.resumed_from or None,
        "transferred_to": record.transferred_to or None,
        "outbound_context": (kept.context or None) if outbound else None,
        "transcript": said if words else None,
        "lines": words or None,
    }


def _iso(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def signature(secret: str, body: bytes, at: int) -> str:
    """The value of ``X-Llcphone-Signature``."""
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, 'sha256').hexdigest()}"


# -- sending ------------------------------------------------------------------------------------


def _code_of(failure: contained) -> str:
    """Why a post was not taken, in a word; empty: it was."""
    match failure.error:
        case None:
            return ""
        case trio.TooSlowError():
            return "timeout"
        case NotDelivered() as refused:
            return str(refused)
    return failure.kinds[0]


async def deliver(config: WebhookConfig, post: Post, context: ssl.SSLContext) -> None:
    """Post it once.

    Raises:
        NotDelivered: the address is not allowed, or the answer is not 2xx.
        OSError, trio.BrokenResourceError, h11.RemoteProtocolError: there was no answer.
    """
    parts = urlsplit(config.url)
    assert parts.hostname is not None
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    addresses = await _allowed_addresses(parts.hostname, port, private=config.allow_private)
    stream: trio.abc.Stream = await _connect(addresses, port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        if secure:
            stream = trio.SSLStream(stream, context, server_hostname=parts.hostname, https_compatible=True)
        status = await _exchange(stream, parts.netloc, path, _headers(config, post), post)
    finally:
        await trio.aclose_forcefully(stream)
    if not 200 <= status < 300:
        raise NotDelivered(f"http_{status}")


async def _allowed_addresses(host: str, port: int, *, private: bool) -> list[str]:
    """The addresses of this host, best first; what is checked here is what is used."""
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not private and not all(_is_public(each) for each in addresses):
        raise NotDelivered("private_address")
    return addresses


async def _connect(addresses: Sequence[str], port: int) -> trio.SocketStream:
    """To the first address that answers: a name may have one (IPv6, say) that leads nowhere from here.

    Raises:
        OSError, trio.TooSlowError: none does; why the last one does not.
    """
    *others, last = addresses
    for tried, address in enumerate(others):
        left_s = trio.current_effective_deadline() - trio.current_time()
        with contained() as failure, trio.fail_after(left_s / (len(addresses) - tried + 1)):
            return await trio.open_tcp_stream(address, port)
        log.info("an address of the webhook does not answer", extra={"errors": failure.kinds})
    return await trio.open_tcp_stream(last, port)


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if inner is not None:
            parsed = inner
    return parsed.is_global and not parsed.is_multicast


def _headers(config: WebhookConfig, post: Post) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": post.id, "User-Agent": "llcphone"}
    if config.bearer_token:
        headers["Authorization"] = f"Bearer {config.bearer_token}"
    if config.secret:
        headers["X-Llcphone-Signature"] = signature(config.secret, post.body.encode(), int(time.time()))
    return headers


async def _exchange(
    stream: trio.abc.Stream, host: str, path: str, headers: Mapping[str, str], post: Post
) -> int:
    """One request on a stream of its own; returns the status of the answer."""
    body = post.body.encode()
    fields = {"Host": host, "Connection": "close", "Content-Length": str(len(body)), **headers}
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_ANSWER_LIMIT)
    request = h11.Request(method="POST", target=path, headers=list(fields.items()))
    wire = [connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
    await stream.send_all(b"".join(wire))
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("closed without an answer")


@asynccontextmanager
async def open_webhook(config: WebhookConfig, store: Store) -> AsyncIterator[Webhook | None]:
    """Send what this store's calls leave in its outbox; None when no address is set."""
    if not config.url:
        yield None
        return
    if not store.config.records.transcript:
        log.warning("the webhook sends no transcript: records.transcript is off")
    webhook = Webhook(config, store)
    async with webhook.opened():
        yield webhook
