"""The model leg over the trio-websocket package, under its guards."""

from __future__ import annotations

import gc
import ssl
from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from llcphone.errors import LocalProtocolError, RemoteProtocolError
from llcphone.wire.adapters import ForeignLeg, connect_trio_websocket
from llcphone.wire.websocket import HandshakeRefused
from tests.wire.peers import (
    CLOSE,
    TEXT,
    answering,
    cancelled_at_every_step,
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


async def outcome(serve) -> ForeignLeg | Exception:
    """What connecting to a raw far side comes to; nothing but that may leave the nursery."""
    async with raw_server(serve) as port, trio.open_nursery() as nursery:
        try:
            leg = await connect_trio_websocket(
                f"ws://127.0.0.1:{port}/v1", timeout_s=5, spawn=nursery.start_soon
            )
        except Exception as exc:
            return exc
        leg.abort()
        return leg


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


async def test_a_far_side_that_hangs_up_is_an_oserror_at_once(autojump_clock):
    start = trio.current_time()
    result = await outcome(answering(lambda key: [b"HTTP/1.1 101 Sw"], then_wait=False))
    assert isinstance(result, ConnectionResetError | RemoteProtocolError)
    assert trio.current_time() == start


async def test_a_silent_far_side_costs_the_deadline(autojump_clock):
    start = trio.current_time()
    assert type(await outcome(answering(lambda key: []))) is trio.TooSlowError
    assert trio.current_time() - start == pytest.approx(5)


async def test_a_header_with_a_line_break_is_refused_before_dialling(autojump_clock):
    with pytest.raises(LocalProtocolError):
        await connect_trio_websocket("ws://127.0.0.1:1/", headers=[("A", "b\r\n")], timeout_s=1, spawn=None)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_connect_cancelled_at_any_checkpoint_leaves_nothing_open(autojump_clock, tls):
    async with websocket_server(echo, ssl_context=SERVER_TLS if tls else None) as url:
        gc.collect()
        before = open_sockets()
        async with trio.open_nursery() as nursery:

            async def attempt() -> None:
                leg = await connect_trio_websocket(url, tls=CLIENT_TLS, timeout_s=5, spawn=nursery.start_soon)
                leg.abort()

            assert await cancelled_at_every_step(attempt) >= 3
        await trio.sleep(61)
        gc.collect()
        assert open_sockets() == before


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


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=100),
        st.tuples(st.integers(0, 140), st.binary(min_size=1, max_size=6)),
        st.sampled_from([b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nshort", b"HTTP/1.1 200 OK\r\n\r\n"]),
    )
)
def test_any_answer_at_all_raises_only_what_is_documented(answer):
    def pieces(key: str) -> list[bytes]:
        if isinstance(answer, bytes):
            return [answer] if answer else []
        at, junk = answer
        good = switching(key)
        return [good[:at] + junk + good[at + len(junk) :]]

    async def main() -> None:
        result = await outcome(answering(pieces, then_wait=False))
        assert isinstance(result, HandshakeRefused | RemoteProtocolError | OSError) or hasattr(
            result, "receive"
        )

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
