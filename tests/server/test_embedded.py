"""Media through quart-trio: behind the door (`[wire] phone = "quart"`), and without any door."""

from functools import partial

import pytest
import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve

from llcphone.server.app import make_app
from tests.server.support import (
    FakePhone,
    MediaPeer,
    Server,
    body_of,
    make_config,
    media_request,
    open_server,
    sign,
    status_of,
    webhook_request,
)

QUART = {"phone": "quart"}


async def test_quart_serves_the_media_stream_behind_the_door(autojump_clock):
    async with open_server(make_config(wire=QUART)) as server:
        peer = await server.stream()
        for text in (b"hello", b"x" * 30_000):
            await peer.send(text)
            assert await peer.receive() == text
        assert (server.phone.live_calls, len(server.listener.pending)) == (1, 0)
        await trio.sleep(20)  # no exchange limit for a stream
        await peer.send(b"later")
        assert await peer.receive() == b"later"


async def test_compression_is_not_negotiated_by_quart_either(autojump_clock):
    async with open_server(make_config(wire=QUART)) as server:
        server.phone.tokens.add("t")
        stream = await server.connect()
        offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        await stream.send_all(media_request("t", extra=offer))
        await MediaPeer(stream).accepted()


async def test_hostile_upgrades_never_reach_quart(autojump_clock):
    async with open_server(make_config(wire=QUART)) as server:
        server.phone.tokens.add("t")
        assert status_of(await server.ask(media_request("t", signature="AAAA"))) == 403
        assert status_of(await server.ask(media_request("nobody"))) == 403
        assert (
            status_of(await server.ask(media_request("t", extra=b"Sec-WebSocket-Extensions: \xb8\r\n")))
            == 400
        )
        assert server.phone.tokens == {"t"}


async def test_the_byte_that_killed_hypercorn_ends_only_its_own_stream(autojump_clock):
    """The crash of github.com/pgjones/hypercorn/issues/225, signed: one byte behind the handshake."""
    async with open_server(make_config(wire=QUART)) as server:
        peer = await server.stream()
        server.phone.tokens.add("t")
        stream = await server.connect()
        await stream.send_all(media_request("t") + b"x")
        await stream.send_eof()
        async for _ in stream:
            pass
        await peer.send(b"alive")
        assert await peer.receive() == b"alive"


@pytest.fixture
async def bare():
    """The app as an embedding program serves it, with nothing of ours before it."""
    config, hypercorn = make_config(), HypercornConfig()
    hypercorn.bind = ["127.0.0.1:0"]
    hypercorn.accesslog = hypercorn.errorlog = None
    hypercorn.read_timeout = 30  # else `Connection: close` never closes (docs/vendor-facts.md)
    async with trio.open_nursery() as nursery:
        phone = FakePhone(config, nursery)
        addresses = await nursery.start(partial(serve, make_app(phone), hypercorn))
        server = Server(phone, None, int(addresses[0].rsplit(":", 1)[1]), nursery)
        yield server
        server.hang_up()
        nursery.cancel_scope.cancel()


async def test_the_app_is_complete_without_a_door(autojump_clock, bare):
    request = webhook_request().replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert body_of(await bare.ask(request, within_s=31)).startswith(b"<Response>")
    forged = webhook_request(signature="AAAA").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert status_of(await bare.ask(forged, within_s=31)) == 403
    peer = await bare.stream()
    await peer.send(b"hello")
    assert await peer.receive() == b"hello"


async def test_the_app_itself_forbids_a_stream_before_it_accepts_it(autojump_clock, bare):
    bare.phone.tokens.add("t")
    assert status_of(await bare.ask(media_request("t", signature=sign("wss://elsewhere/media/t")))) == 403
    assert status_of(await bare.ask(media_request("nobody"))) == 403
    assert bare.phone.tokens == {"t"}


async def test_a_token_spent_while_the_app_accepted_closes_the_stream(autojump_clock, bare):
    bare.phone.tokens.add("t")
    bare.phone.refuse_joins = True
    stream = await bare.connect()
    await stream.send_all(media_request("t"))
    peer = MediaPeer(stream)
    await peer.accepted()
    assert await peer.receive() == b""


async def test_a_large_or_endless_body_is_refused_by_the_app_itself(autojump_clock, bare):
    head, _, _ = webhook_request().partition(b"\r\n\r\n")
    large = head.replace(b"Content-Length: 31", b"Connection: close\r\nContent-Length: 70000")
    assert status_of(await bare.ask(large + b"\r\n\r\n" + b"a" * 70_000, within_s=31)) == 413
    assert bare.phone.forms == []
