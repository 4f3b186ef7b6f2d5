"""The webhook: each call is told, signed, once if all goes well, and never lost."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import socket
import ssl
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
import h11
import pytest
import trio
import trustme
from sqlalchemy import update

from llcphone import Agent, ConfigError, EndReason
from llcphone.config import Config
from llcphone.config.webhook import WebhookConfig
from llcphone.phone.call_store import wants_store
from llcphone.sim.twilio import Callee
from llcphone.store import webhook_outbox
from llcphone.store.calls import KeptCall
from llcphone.store.tables import OUTBOX
from llcphone.store.webhook import NotDelivered, body_of, deliver, open_webhook, posts_of
from llcphone.store.webhook_outbox import Post, next_due
from llcphone.testing import rehearse
from tests.patience import HANG_S
from tests.store.store_kit import ADA, opened, record, until, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from llcphone.store import Store
    from llcphone.store.webhook import Webhook

SECRET = "a-secret-of-the-test"
BEARER = "a-bearer-of-the-test"


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llcphone.store.webhook.RETRY_AFTER_S", 0.1)


@attrs.define
class Receiver:
    """An HTTP server that takes posts and answers as it is told."""

    url: str = ""
    statuses: list[int] = attrs.field(factory=list)
    """Answers in turn; then 200. 0 closes without one, -1 never answers."""
    posts: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    news: trio.Event = attrs.field(factory=trio.Event)
    targets: list[str] = attrs.field(factory=list)

    async def wait(self, number: int) -> list[dict[str, Any]]:
        with trio.fail_after(HANG_S):
            while len(self.posts) < number:
                self.news = trio.Event()
                await self.news.wait()
        return [json.loads(body) for _, body in self.posts]

    async def serve(self, stream: trio.abc.Stream) -> None:
        connection, body, headers = h11.Connection(h11.SERVER), b"", {}
        async with stream:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some()))
                elif isinstance(event, h11.Request):
                    self.targets.append(event.target.decode())
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    return
            status = self.statuses.pop(0) if self.statuses else 200
            self.posts.append((headers, body))
            self.news.set()
            if status < 0:
                await trio.sleep_forever()
            if status:
                answer = h11.Response(status_code=status, headers=[("location", "http://169.254.169.254/")])
                await stream.send_all(connection.send(answer) or b"")


@asynccontextmanager
async def receiver(*statuses: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    got = Receiver(statuses=list(statuses))

    async def serve(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # it does not trust us
            await got.serve(stream if context is None else trio.SSLStream(stream, context, server_side=True))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, serve, [listener]))
        scheme, host = ("http", "127.0.0.1") if context is None else ("https", "localhost")
        got.url = f"{scheme}://{host}:{listener.socket.getsockname()[1]}/hook"
        yield got
        nursery.cancel_scope.cancel()


def config(url: str, **fields: Any) -> WebhookConfig:
    given = {"secret": SECRET, "bearer_token": BEARER, "allow_private": True, **fields}
    return WebhookConfig(url=url, **given)


@asynccontextmanager
async def sending(tmp_path: Path, settings: WebhookConfig) -> AsyncIterator[tuple[Store, Webhook]]:
    async with (
        opened(f"sqlite:///{tmp_path / 'phone.db'}") as store,
        open_webhook(settings, store) as webhook,
    ):
        assert webhook is not None
        yield store, webhook


async def until_empty(store: Store) -> None:
    """Nothing is left in the outbox: all was delivered."""
    with trio.fail_after(HANG_S):
        while await store.main.ask(next_due) is not None:  # noqa: ASYNC110 (a thread sets no event)
            await trio.sleep(0.01)


def put(store: Store, call_id: str = "c1", **fields: Any) -> None:
    store.put_call(record(call_id, **fields), caller=ADA, dialled="+15551230002")


async def test_a_call_is_posted_signed_with_its_words(tmp_path: Path) -> None:
    async with receiver() as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store)
        (told,) = await got.wait(1)
    headers, body = got.posts[0]
    assert (told["event"], told["direction"], told["caller_phone"]) == ("call_ended", "inbound", ADA)
    assert told["call_start"].endswith("Z")
    assert told["call_start"] < told["call_end"]
    assert told["turn_count"] == 1
    assert told["transcript"] == "[Agent] Hello!\n[Caller] Bread, please."
    assert [line["speaker"] for line in told["lines"]] == ["agent", "caller"]
    assert (told["outbound_context"], told["outcome"], told["answered"]) == (None, "caller hung up", True)
    assert headers["authorization"] == f"Bearer {BEARER}"
    assert headers["idempotency-key"] == "c1-ended"
    at, signed = (part.partition("=")[2] for part in headers["x-llcphone-signature"].split(","))
    assert abs(time.time() - int(at)) < 60
    assert signed == hmac.new(SECRET.encode(), f"{at}.".encode() + body, "sha256").hexdigest()


@pytest.mark.parametrize("reason", [EndReason.NO_ANSWER, EndReason.MACHINE, EndReason.BUSY])
def test_calls_nobody_answered_and_machines_are_told_with_whom_was_rung(reason: EndReason) -> None:
    ended = record(direction="outbound", reason=reason, started_after_ms=None, transcript=(), turns=())
    told = body_of(KeptCall(record=ended, caller="+15551230002", dialled=ADA, context="about bread"))
    assert (told["outcome"], told["answered"]) == (reason.value, False)
    assert (told["caller_phone"], told["outbound_context"]) == (ADA, "about bread")
    assert (told["transcript"], told["lines"]) == (None, None)


@pytest.mark.parametrize("trouble", [500, 404, 302, 0, -1])
async def test_what_is_not_taken_is_sent_again_with_the_same_key(
    tmp_path: Path, trouble: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llcphone.store.webhook.TIMEOUT_S", 0.3)
    async with receiver(trouble, trouble) as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store)
        await got.wait(3)
        await until_empty(store)
    assert {headers["idempotency-key"] for headers, _ in got.posts} == {"c1-ended"}
    assert len({body for _, body in got.posts}) == 1


async def test_what_was_not_sent_before_a_restart_is_sent_after_it(tmp_path: Path) -> None:
    async with sending(tmp_path, config("http://127.0.0.1:9/hook")) as (store, _):
        put(store)
        await written(store)
    async with receiver() as got, sending(tmp_path, config(got.url)):
        (told,) = await got.wait(1)
    assert told["call_id"] == "c1"


async def test_the_last_calls_are_sent_before_the_phone_is_gone(tmp_path: Path) -> None:
    async with receiver() as got:
        async with sending(tmp_path, config(got.url)) as (store, _):
            for at in range(15):
                put(store, f"c{at}")
        assert len(got.posts) >= 10
        async with sending(tmp_path, config(got.url)):
            await got.wait(15)
    assert len({headers["idempotency-key"] for headers, _ in got.posts}) == len(got.posts) == 15


async def test_two_processes_with_one_outbox_send_each_call_once(tmp_path: Path) -> None:
    async with receiver() as got:
        async with (
            sending(tmp_path, config(got.url)) as (one, _),
            sending(tmp_path, config(got.url)) as (two, _),
        ):
            for at in range(8):
                put(one if at % 2 else two, f"c{at}")
            await got.wait(8)
        assert len(got.posts) == 8


async def test_after_its_time_a_post_is_given_up_and_logged_without_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver(*[500] * 50) as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store)
        await got.wait(1)
        old = update(OUTBOX).values(made_at=time.time() - 73 * 3600)
        await store.main.ask(lambda db: db.execute(old))
        await got.wait(2)
        await until(lambda: "given up" in caplog.text)
    assert "a call's post is given up" in caplog.text
    assert "Bread" not in caplog.text
    assert ADA not in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "localhost"),
    ],
)
async def test_private_addresses_are_refused(host: str) -> None:
    settings = config(f"https://{host}:9/hook", allow_private=False)
    with pytest.raises(NotDelivered, match="private_address"):
        await deliver(settings, post(), ssl.create_default_context())


def post() -> Post:
    return Post(id="c1-ended", made_at=0.0, due_at=0.0, tries=0, body="{}")


async def test_over_tls_the_name_is_checked_though_the_address_is_pinned() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with receiver(context=context) as got:
        await deliver(config(got.url), post(), trusting)
        assert len(got.posts) == 1
        with pytest.raises(trio.BrokenResourceError):
            await deliver(config(got.url.replace("localhost", "127.0.0.1")), post(), trusting)
        with pytest.raises(trio.BrokenResourceError):
            await deliver(config(got.url), post(), ssl.create_default_context())


async def test_a_webhook_needs_a_store_and_a_proof() -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        wants_store(attrs.evolve(Config(), webhook=config("https://example.com/hook")))
    with pytest.raises(ConfigError, match=r"webhook\.secret"):
        WebhookConfig(url="https://example.com/hook")
    assert not wants_store(Config())


async def test_a_whole_call_is_told_with_what_was_said_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "llcphone")
    async with receiver() as got:
        settings = {
            "store": {"url": f"sqlite:///{tmp_path / 'phone.db'}"},
            "webhook": {"url": got.url, "secret": SECRET, "allow_private": True},
        }
        async with rehearse(Agent("Be brief."), script=["Good morning!"], settings=settings) as stage:
            call = await stage.ring()
            await call.hears(0.5)
            call.hang_up()
            await stage.record()
            (told,) = await got.wait(1)
    assert told["transcript"].startswith("[Agent] Good")
    assert told["caller_phone"].startswith("+")
    assert told["caller_phone"] not in caplog.text


@pytest.mark.parametrize("outcome", ["busy", "no-answer"])
@pytest.mark.slow
async def test_a_call_that_nobody_takes_is_kept_and_told(outcome: str, tmp_path: Path) -> None:
    async with receiver() as got:
        settings = {
            "store": {"url": f"sqlite:///{tmp_path / 'phone.db'}"},
            "webhook": {"url": got.url, "bearer_token": BEARER, "allow_private": True},
        }
        callee = Callee(outcome=outcome)
        async with rehearse(Agent("Be brief."), callee=callee, settings=settings) as stage:
            call = stage.phone.place_call("+15551239999", context="about bread")
            record = await call
            (told,) = await got.wait(1)
            assert stage.phone.store is not None
            (summary,) = await stage.phone.store.calls(number="+15551239999")
    assert (told["call_id"], told["answered"], told["turn_count"]) == (record.call_id, False, 0)
    assert (told["caller_phone"], told["outbound_context"]) == ("+15551239999", "about bread")
    assert told["outcome"] == summary.reason == record.reason.value
    assert told["transcript"] is None


# -- addresses ----------------------------------------------------------------------------------


class Names(trio.abc.HostnameResolver):
    """A name with several addresses, best first."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kinds: Any) -> list[Any]:
        found = []
        for address in self.addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found.append((family, socket.SOCK_STREAM, 6, "", (address, int(port))))
        return found

    async def getnameinfo(self, *args: Any) -> Any:
        raise NotImplementedError


@contextlib.contextmanager
def named(*addresses: str) -> Iterator[None]:
    """Every name has these addresses."""
    previous = trio.socket.set_custom_hostname_resolver(Names(*addresses))
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(previous)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["127.0.0.1", "::1"],
        ["::1", "127.0.0.1"],
        ["127.0.0.2", "127.0.0.1"],
        ["100::1", "127.0.0.3", "127.0.0.1"],
    ],
    ids="-".join,
)
async def test_every_address_of_the_receiver_is_tried(addresses: list[str]) -> None:
    async with receiver() as got:
        port = urlsplit(got.url).port
        with named(*addresses):
            await deliver(config(f"http://localhost:{port}/hook"), post(), ssl.create_default_context())
        assert len(got.posts) == 1


@pytest.mark.slow
async def test_an_address_that_hangs_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    real = trio.open_tcp_stream

    async def connect(address: str, port: int) -> trio.SocketStream:
        if address == "127.0.0.2":
            await trio.sleep_forever()
        return await real(address, port)

    async with receiver() as got:
        monkeypatch.setattr(trio, "open_tcp_stream", connect)
        port = urlsplit(got.url).port
        with named("127.0.0.2", "127.0.0.1"), trio.fail_after(15):  # a third of it for the first address
            await deliver(config(f"http://localhost:{port}/hook"), post(), ssl.create_default_context())
        assert len(got.posts) == 1


async def test_one_address_in_the_own_network_refuses_the_whole_name() -> None:
    settings = config("https://crm.example.com/hook", allow_private=False)
    with named("93.184.216.34", "127.0.0.1"), pytest.raises(NotDelivered, match="private_address"):
        await deliver(settings, post(), ssl.create_default_context())


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/hook", "/hook"),
        ("/hook/", "/hook/"),
        ("/h?code=a%2Fb&sig=c=", "/h?code=a%2Fb&sig=c="),
        ("?x", "/?x"),
    ],
)
async def test_the_address_is_used_as_it_is_written(written: str, asked: str) -> None:
    async with receiver() as got:
        base = got.url.removesuffix("/hook")
        await deliver(config(base + written), post(), ssl.create_default_context())
    assert got.targets == [asked]


# -- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [UnicodeError, KeyError, SystemExit, MemoryError])
async def test_a_post_that_fails_oddly_is_a_failed_post_and_the_next_is_sent(
    fault: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def odd(settings: WebhookConfig, post: Post, context: ssl.SSLContext) -> None:
        if post.id == "c1-ended":
            raise fault("Bread")
        await deliver(settings, post, context)

    monkeypatch.setattr("llcphone.store.webhook.deliver", odd)
    monkeypatch.setattr("llcphone.store.webhook.RETRY_AFTER_S", 30)
    async with receiver() as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store)
        await until(lambda: fault.__name__ in {vars(record).get("code") for record in caplog.records})
        put(store, "c2")
        (told,) = await got.wait(1)
        assert told["call_id"] == "c2"
        due_s = await store.main.ask(next_due)
        assert due_s is not None
        assert 20 < due_s - time.time() < 31
    assert "Bread" not in caplog.text


async def test_an_outbox_that_cannot_be_read_is_asked_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llcphone.store.webhook.AGAIN_S", (0.05, 0.1))
    real = webhook_outbox.claim

    def broken(*args: Any, **names: Any) -> list[Post]:
        raise KeyError("planted")

    monkeypatch.setattr(webhook_outbox, "claim", broken)
    async with receiver() as got, sending(tmp_path, config(got.url)) as (store, webhook):
        put(store)
        await until(lambda: webhook.faults.counts["webhook failed"] >= 3)
        monkeypatch.setattr(webhook_outbox, "claim", real)
        await got.wait(1)


async def test_a_call_whose_post_cannot_be_made_is_kept_without_one(tmp_path: Path) -> None:
    async with receiver() as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store, "c1", born_at=1e18)  # no year has so many seconds
        put(store, "c2")
        (told,) = await got.wait(1)
        assert told["call_id"] == "c2"
        assert await store.call("c1") is not None


def test_half_a_character_in_a_call_is_replaced_in_its_post() -> None:
    lines = ({"speaker": "caller", "text": "half \ud83d", "at_ms": 1},)
    (body,) = posts_of(KeptCall(record=record(transcript=lines), caller=ADA)).values()
    assert json.loads(body)["lines"][0]["text"] == "half \ufffd"


@pytest.mark.parametrize("step_s", [-86_400, 86_400 * 4])
async def test_a_clock_that_is_set_neither_holds_a_post_back_nor_gives_it_up(
    step_s: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver(500) as got, sending(tmp_path, config(got.url)) as (store, _):
        put(store)
        await got.wait(1)
        await until(lambda: "takes no posts" in caplog.text)
        moved = update(OUTBOX).values(
            made_at=OUTBOX.c.made_at - step_s, due_at=OUTBOX.c.due_at - min(step_s, 0)
        )
        await store.main.ask(lambda db: db.execute(moved))
        put(store, "c2")  # news: it looks again
        await got.wait(3)
    assert [headers["idempotency-key"] for headers, _ in got.posts].count("c1-ended") == 2
