"""The model leg over the trio-websocket package, under its guards; test_websocket has what both legs do."""

from __future__ import annotations

import gc
import ssl
from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone.wire.adapters import connect_trio_websocket
from llcphone.wire.websocket import HandshakeRefused
from tests.wire.peers import (
    CLOSE,
    TEXT,
    answering,
    echo,
    ended,
    frame,
    open_sockets,
    raw_server,
    switching,
    tls_contexts,
    websocket_server,
)

CLIENT_TLS, SERVER_TLS = tls_contexts()


@pytest.mark.parametrize("tls", [False, True])
async def test_echo_and_a_polite_close(autojump_clock, tls):
    gc.collect()
    before = open_sockets()
    async with websocket_server(echo, ssl_context=SERVER_TLS if tls else None) as url:
        async with trio.open_nursery() as nursery:
            leg = await connect_trio_websocket(url, tls=CLIENT_TLS, timeout_s=5, spawn=nursery.start_soon)
            sent = [b"a", "ü".encode() * 40_000, b"c" * 200]
            leg.send_many_nowait(sent)
            received = []
            while len(received) < 3:
                received += await leg.receive()
            assert received == sent
            start = trio.current_time()
            await leg.aclose()
            assert trio.current_time() == start
        await trio.sleep(0.1)
    assert open_sockets() == before


async def test_headers_arrive_and_a_refusal_is_the_same_as_the_fast_legs(autojump_clock):
    seen = []

    async def handler(request):
        seen.append(dict(request.headers)[b"authorization"])
        await request.reject(429, extra_headers=[(b"Retry-After", b"7")], body=b"slow down")

    async with websocket_server(handler) as url, trio.open_nursery() as nursery:
        headers = [("Authorization", "Bearer key")]
        with pytest.raises(HandshakeRefused) as refused:
            await connect_trio_websocket(url, headers=headers, timeout_s=5, spawn=nursery.start_soon)
    assert seen == [b"Bearer key"]
    assert (refused.value.status, refused.value.retry_after, refused.value.body) == (429, 7.0, b"slow down")


async def test_a_far_side_that_closes_first_leaves_no_socket(autojump_clock):
    gc.collect()
    before = open_sockets()

    async def handler(request):
        websocket = await request.accept()
        await websocket.send_message("last words")
        await websocket.aclose(4000, "gone")

    async with websocket_server(handler) as url:
        async with trio.open_nursery() as nursery:
            leg = await connect_trio_websocket(url, timeout_s=5, spawn=nursery.start_soon)
            assert await ended(leg) == ([b"last words"], 4000)
        await trio.sleep(0.1)
    assert open_sockets() == before


async def test_an_untrusted_certificate_is_named_at_once(autojump_clock):
    async def serve(stream):
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(stream, SERVER_TLS, server_side=True).do_handshake()

    async with raw_server(serve) as port, trio.open_nursery() as nursery:
        start = trio.current_time()
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_trio_websocket(
                f"wss://127.0.0.1:{port}/",
                tls=ssl.create_default_context(),
                timeout_s=5,
                spawn=nursery.start_soon,
            )
        assert trio.current_time() == start


async def test_cancelling_the_owner_closes_the_socket_at_once(autojump_clock):
    async with websocket_server(echo) as url:
        gc.collect()
        before = open_sockets()
        async with trio.open_nursery() as nursery:
            leg = await connect_trio_websocket(url, timeout_s=5, spawn=nursery.start_soon)
            await wait_all_tasks_blocked()
            start = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - start < 0.2
        assert await ended(leg) == ([], 1001)
        await leg.aclose()
        await trio.sleep(0.1)
        assert open_sockets() == before


async def test_a_pong_overdue_loses_the_leg_within_forty_seconds(autojump_clock):
    lost = []
    async with (
        raw_server(answering(lambda key: [switching(key)])) as port,
        trio.open_nursery() as nursery,
    ):
        leg = await connect_trio_websocket(f"ws://127.0.0.1:{port}/", timeout_s=5, spawn=nursery.start_soon)
        # The far side reads our ping and says nothing.
        leg.attach(nursery.start_soon, lost.append)
        start = trio.current_time()
        _, code = await ended(leg)
        assert trio.current_time() - start <= 40
    assert code == 1006


async def test_a_leg_that_talks_but_answers_no_ping_lives(autojump_clock):
    async def talk(stream):
        await answering(lambda key: [switching(key)], then_wait=False)(stream)
        with suppress(trio.BrokenResourceError):
            for _ in range(18):
                await trio.sleep(7)
                await stream.send_all(frame(TEXT, b"busy"))
            await stream.send_all(frame(CLOSE, b"\x03\xe8"))

    async with raw_server(talk) as port, trio.open_nursery() as nursery:
        leg = await connect_trio_websocket(f"ws://127.0.0.1:{port}/", timeout_s=5, spawn=nursery.start_soon)
        leg.attach(nursery.start_soon, lambda end: None)
        messages, code = await ended(leg)
    assert (set(messages), code) == ({b"busy"}, 1000)


async def test_frames_that_come_with_the_101_are_kept(autojump_clock):
    tail = frame(TEXT, b"early") + frame(CLOSE, b"\x03\xe8")
    async with (
        raw_server(answering(lambda key: [switching(key) + tail])) as port,
        trio.open_nursery() as nursery,
    ):
        leg = await connect_trio_websocket(f"ws://127.0.0.1:{port}/", timeout_s=5, spawn=nursery.start_soon)
        assert await ended(leg) == ([b"early"], 1000)
