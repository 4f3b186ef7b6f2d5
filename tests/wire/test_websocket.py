"""Opening handshakes, as client and as server, with good, bad and hostile far sides."""

from __future__ import annotations

import gc
import socket
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed, open_websocket_url

from llcphone.errors import LegClosed, LocalProtocolError, RemoteProtocolError
from llcphone.wire.adapters import ForeignLeg, connect_trio_websocket
from llcphone.wire.socket import Socket
from llcphone.wire.websocket import HandshakeRefused, WebSocketLeg, accept, connect, retry_after_s
from tests.wire.peers import (
    TEXT,
    answering,
    cancelled_at_every_step,
    echo,
    frame,
    open_sockets,
    raw_server,
    switching,
    tcp_pair,
    tls_contexts,
    websocket_server,
)

CLIENT_TLS, SERVER_TLS = tls_contexts()
HEAD = (
    b"GET /media/token HTTP/1.1\r\nHost: example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def by_connect(url, nursery, **how) -> WebSocketLeg:
    return await connect(url, **how)


async def by_package(url, nursery, **how) -> ForeignLeg:
    return await connect_trio_websocket(url, spawn=nursery.start_soon, **how)


both = pytest.mark.parametrize("opened", [by_connect, by_package])
"""The fast leg, and the one over the package trio-websocket."""


async def outcome(serve, opened=by_connect) -> WebSocketLeg | ForeignLeg | Exception:
    """What connecting to a raw far side comes to; nothing but that may leave the nursery."""
    async with raw_server(serve) as port, trio.open_nursery() as nursery:
        try:
            leg = await opened(f"ws://127.0.0.1:{port}/v1?model=m", nursery, timeout_s=5)
        except Exception as exc:
            return exc
        leg.abort()
        return leg


# As a client


@pytest.mark.parametrize("tls", [False, True])
async def test_echo_with_an_independent_server(autojump_clock, tls):
    async with (
        websocket_server(echo, ssl_context=SERVER_TLS if tls else None) as url,
        trio.open_nursery() as nursery,
    ):
        leg = await connect(url, tls=CLIENT_TLS, timeout_s=5)
        leg.attach(nursery.start_soon, lambda _: None)
        sent = [b"a", b"b" * 200, "ü".encode() * 40_000, b""]
        leg.send_many_nowait(sent)
        received = []
        while len(received) < len(sent):
            received += await leg.receive()
        assert received == sent
        await leg.aclose()
        assert leg.closed


async def test_our_headers_and_query_reach_the_server(autojump_clock):
    seen = []

    async def handler(request):
        seen.append((request.path, dict(request.headers)))
        await request.accept()

    async with websocket_server(handler) as url:
        leg = await connect(
            url + "?model=gpt", headers=[("Authorization", "Bearer key"), ("X-A", "1")], timeout_s=5
        )
        with pytest.raises(LegClosed):
            await leg.receive()
        await leg.aclose()
    path, headers = seen[0]
    assert path == "/v1?model=gpt"
    assert headers[b"authorization"] == b"Bearer key"
    assert headers[b"x-a"] == b"1"
    assert b"sec-websocket-extensions" not in headers


async def test_a_refusal_carries_status_body_and_retry_after(autojump_clock):
    async def handler(request):
        await request.reject(429, extra_headers=[(b"Retry-After", b"7")], body=b"slow down " * 1000)

    async with websocket_server(handler) as url:
        with pytest.raises(HandshakeRefused) as refused:
            await connect(url, timeout_s=5)
    assert (refused.value.status, refused.value.retry_after) == (429, 7.0)
    assert refused.value.body == (b"slow down " * 1000)[:4096]
    assert "slow" not in str(refused.value)


async def test_a_refusal_whose_body_ends_with_the_connection_is_read(autojump_clock):
    serve = answering(lambda _: [b"HTTP/1.1 401 Unauthorized\r\n\r\nno ", b"key"], then_wait=False)
    refused = await outcome(serve)
    assert isinstance(refused, HandshakeRefused)
    assert (refused.status, refused.body, refused.retry_after) == (401, b"no key", None)


def test_retry_after_reads_seconds_only():
    assert retry_after_s("3") == 3.0
    for value in (None, "", "-1", "²", "Fri, 31 Dec 1999 23:59:59 GMT"):
        assert retry_after_s(value) is None


async def test_frames_that_come_with_the_101_are_kept_however_it_is_cut(autojump_clock):
    tail = frame(TEXT, b"first") + frame(TEXT, b"second")
    for cut in (0, 1, 60, 128, 129, 130, 133, 1000):

        def answer(key, cut=cut):
            data = switching(key) + tail
            return [piece for piece in (data[:cut], data[cut:]) if piece]

        async with raw_server(answering(answer)) as port:
            leg = await connect(f"ws://127.0.0.1:{port}/", timeout_s=5)
            messages = []
            while len(messages) < 2:
                messages += await leg.receive()
            assert messages == [b"first", b"second"]
            leg.abort()


@pytest.mark.parametrize(
    "answer",
    [
        lambda key: [b"SSH-2.0-OpenSSH\r\n\r\n"],
        lambda key: [b"HTTP/1.1 101 Switching Protocols\r\n\r\n"],
        lambda key: [switching("another key")],
        lambda key: [switching(key, b"Sec-WebSocket-Extensions: permessage-deflate\r\n")],
        lambda key: [switching(key, b"Sec-WebSocket-Protocol: surprise\r\n")],
        lambda key: [switching(key, b"X: \xb8\xff\r\nnonsense\r\n")],
        lambda key: [b"X" * 40_000, b"X" * 40_000],
    ],
)
async def test_an_answer_that_is_no_handshake_is_a_remote_protocol_error(autojump_clock, answer):
    assert type(await outcome(answering(answer))) is RemoteProtocolError


@both
async def test_a_far_side_that_hangs_up_is_an_error_at_once(autojump_clock, opened):
    start = trio.current_time()
    for answer in (lambda key: [], lambda key: [b"HTTP/1.1 101 Sw"]):
        error = type(await outcome(answering(answer, then_wait=False), opened))
        assert error is ConnectionResetError or (error is RemoteProtocolError and opened is by_package)
    assert trio.current_time() == start


@both
async def test_a_silent_far_side_costs_the_deadline(autojump_clock, opened):
    for answer in (lambda key: [], lambda key: [b"HTTP/1.1 101 Sw"]):
        start = trio.current_time()
        assert type(await outcome(answering(answer), opened)) is trio.TooSlowError
        assert trio.current_time() - start == pytest.approx(5)


@pytest.mark.parametrize(
    "url", ["http://x/", "ws://", "wss://x:port/", "ws://x:99999/", "ws://x/#f", "secret"]
)
async def test_a_malformed_url_is_ours_to_mend_and_is_not_repeated(url):
    with pytest.raises(LocalProtocolError) as error:
        await connect(url, timeout_s=1)
    assert "secret" not in str(error.value)


@both
async def test_a_header_with_a_line_break_is_refused_without_its_value(autojump_clock, opened):
    headers = [("Authorization", "Bearer sk-1\r\n")]
    async with trio.open_nursery() as nursery:
        with pytest.raises(LocalProtocolError, match="Authorization") as error:
            await opened("ws://127.0.0.1:1/", nursery, headers=headers, timeout_s=1)
    assert "sk-1" not in str(error.value)
    assert error.value.__cause__ is None


@both
@pytest.mark.parametrize("tls", [False, True])
async def test_a_connect_cancelled_at_any_checkpoint_leaves_nothing_open(autojump_clock, tls, opened):
    async with websocket_server(echo, ssl_context=SERVER_TLS if tls else None) as url:
        gc.collect()
        before = open_sockets()
        async with trio.open_nursery() as nursery:

            async def attempt() -> None:
                leg = await opened(url, nursery, tls=CLIENT_TLS, timeout_s=5)
                leg.abort()

            assert await cancelled_at_every_step(attempt) >= 3
        await trio.sleep(61)  # the server's own time-out for handshakes that never came
        gc.collect()
        assert open_sockets() == before


@both
@settings(max_examples=60, deadline=None)
@given(
    answer=st.one_of(
        st.binary(max_size=100),
        st.tuples(st.integers(0, 140), st.binary(min_size=1, max_size=6)),
        st.sampled_from([b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nshort", b"HTTP/1.1 200 OK\r\n\r\n"]),
    )
)
def test_any_answer_at_all_raises_only_what_is_documented(answer, opened):
    def pieces(key: str) -> list[bytes]:
        if isinstance(answer, bytes):
            return [answer] if answer else []
        at, junk = answer
        good = switching(key)
        return [good[:at] + junk + good[at + len(junk) :]]

    async def main() -> None:
        result = await outcome(answering(pieces, then_wait=False), opened)
        fine = WebSocketLeg | ForeignLeg | HandshakeRefused | RemoteProtocolError | OSError
        assert isinstance(result, fine)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# As a server


async def door(serve_leg, stream) -> None:
    """What the server's door does: read the head, hand the socket over."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head, blank, rest = data.partition(b"\r\n\r\n")
    sock = Socket.from_accepted(socket.socket(fileno=stream.socket.detach()))
    async with trio.open_nursery() as nursery:
        leg = accept(sock, head + blank, rest)
        leg.attach(nursery.start_soon, lambda _: None)
        await serve_leg(leg)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def independent_client(port):
    async with open_websocket_url(f"ws://127.0.0.1:{port}/media/t") as websocket:
        yield websocket
    await trio.aclose_forcefully(websocket._stream)  # the package does not, when the far side closes first


async def test_echo_with_an_independent_client(autojump_clock):
    async def serve(leg):
        try:
            while True:
                leg.send_many_nowait(await leg.receive())
        except LegClosed as end:
            ends.append(end.code)
        await leg.aclose()

    ends = []
    async with raw_server(partial(door, serve)) as port:
        async with independent_client(port) as websocket:
            for text in ("a", "ü" * 500, "x" * 60_000):
                await websocket.send_message(text)
                assert await websocket.get_message() == text
            await websocket.ping(b"are you there")
        await trio.sleep(0.1)
    assert ends == [1000]


async def test_an_independent_client_sees_our_close_code(autojump_clock):
    async def serve(leg):
        await leg.aclose(1001, "draining")

    async with raw_server(partial(door, serve)) as port:
        async with independent_client(port) as websocket:
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.get_message()
        assert (closed.value.reason.code, closed.value.reason.reason) == (1001, "draining")


async def test_an_independent_client_that_sends_too_much_is_closed_with_1009(autojump_clock):
    async def serve(leg):
        with pytest.raises(LegClosed) as end:
            await leg.receive()
        assert end.value.code == 1009
        await leg.aclose()

    async with raw_server(partial(door, serve)) as port:
        async with independent_client(port) as websocket:
            await websocket.send_message("x" * 65_537)
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.get_message()
        assert closed.value.reason.code == 1009


async def test_frames_behind_the_head_are_the_first_messages(autojump_clock):
    ours, theirs = tcp_pair()
    with theirs:
        early = frame(TEXT, b"early", masked=True)
        leg = accept(Socket.from_accepted(ours), HEAD, early)
        assert await leg.receive() == [b"early"]
        theirs.setblocking(True)
        answer = theirs.recv(1000)
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer  # RFC 6455 §1.3
        leg.abort()


async def test_offered_extensions_and_subprotocols_are_not_accepted(autojump_clock):
    ours, theirs = tcp_pair()
    with theirs:
        offers = b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: audio\r\n\r\n"
        leg = accept(Socket.from_accepted(ours), HEAD[:-2] + offers)
        theirs.setblocking(True)
        answer = theirs.recv(1000).lower()
        assert answer.startswith(b"http/1.1 101 ")
        assert b"extensions" not in answer
        assert b"protocol:" not in answer
        leg.abort()


async def test_an_upgrade_from_someone_who_has_gone_gives_a_leg_that_says_so(autojump_clock):
    ours, theirs = tcp_pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    leg = accept(Socket.from_accepted(ours), HEAD)
    with pytest.raises(LegClosed):
        await leg.receive()
    await leg.aclose()


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.tuples(st.integers(0, len(HEAD)), st.integers(0, 5), st.binary(max_size=5)), max_size=4),
    ),
    st.binary(max_size=20),
)
def test_any_head_at_all_is_a_leg_or_a_remote_protocol_error(change, rest):
    head = change if isinstance(change, bytes) else HEAD
    for at, cut, junk in change if isinstance(change, list) else []:
        head = head[:at] + junk + head[at + cut :]

    async def main() -> None:
        ours, theirs = tcp_pair()
        sock = Socket.from_accepted(ours)
        with theirs:
            try:
                leg = accept(sock, head, rest)
            except RemoteProtocolError:
                sock.close()
                return
            theirs.shutdown(socket.SHUT_WR)
            with suppress(LegClosed):
                while True:
                    await leg.receive()
            assert leg.closed
            leg.abort()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
