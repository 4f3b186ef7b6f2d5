"""TCP and TLS without blocking: dialling, waiting, closing."""

from __future__ import annotations

import gc
import socket
import ssl
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone.wire.socket import Socket, TLSSocket, dial
from tests.wire.peers import (
    PING,
    TEXT,
    cancelled_at_every_step,
    frame,
    leg_over,
    open_sockets,
    parse,
    raw_server,
    tcp_pair,
    tls_contexts,
)

CLIENT_TLS, SERVER_TLS = tls_contexts()


async def tls_leg(handler, nursery, **kwargs):
    """A client leg over TLS, its far end run by ``handler(stream)`` with Trio's own TLS."""
    listeners = await nursery.start(
        partial(trio.serve_ssl_over_tcp, handler, 0, SERVER_TLS, host="127.0.0.1", handler_nursery=nursery)
    )
    port = listeners[0].transport_listener.socket.getsockname()[1]
    sock = await dial("127.0.0.1", port, tls=CLIENT_TLS, timeout_s=5)
    leg = leg_over(sock, client=True, max_message=2**24, **kwargs)
    leg.attach(nursery.start_soon, lambda _: None)
    return leg


async def read_frames(stream, size: int) -> list[tuple[int, bytes]]:
    data = b""
    while len(data) < size:
        data += await stream.receive_some()
    return parse(data)


async def test_a_refused_port_is_an_oserror_with_its_cause(autojump_clock):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="attempts to connect") as refused:
            await dial("127.0.0.1", unused.getsockname()[1], tls=None, timeout_s=5)
        assert isinstance(refused.value.__cause__, ExceptionGroup)


async def test_an_untrusted_certificate_is_refused_at_once(autojump_clock):
    async def serve(stream):
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(stream, SERVER_TLS, server_side=True).do_handshake()

    async with raw_server(serve) as port:
        start = trio.current_time()
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial("127.0.0.1", port, tls=ssl.create_default_context(), timeout_s=5)
        assert trio.current_time() == start


async def test_a_wrong_host_name_is_refused(autojump_clock):
    async def serve(stream):
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(stream, SERVER_TLS, server_side=True).do_handshake()

    async with raw_server(serve) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial("127.0.0.1", port, tls=CLIENT_TLS, server_hostname="elsewhere.test", timeout_s=5)


async def test_a_far_side_that_hangs_up_or_talks_no_tls_is_an_oserror(autojump_clock):
    for answer in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"):

        async def serve(stream, answer=answer):
            await stream.receive_some()
            if answer:
                await stream.send_all(answer)

        async with raw_server(serve) as port:
            with pytest.raises(OSError):  # noqa: PT011 (its text is OpenSSL's)
                await dial("127.0.0.1", port, tls=CLIENT_TLS, timeout_s=5)


async def test_a_silent_far_side_costs_the_deadline_and_no_more(autojump_clock):
    async def serve(stream):
        await trio.sleep_forever()

    async with raw_server(serve) as port:
        start, before = trio.current_time(), open_sockets()
        with pytest.raises(trio.TooSlowError):
            await dial("127.0.0.1", port, tls=CLIENT_TLS, timeout_s=3)
        assert trio.current_time() - start == pytest.approx(3)
        assert open_sockets() <= before + 1  # the server's end


@pytest.mark.parametrize("tls", [None, CLIENT_TLS])
async def test_a_dial_cancelled_at_any_checkpoint_leaves_nothing_open(autojump_clock, tls):
    accepted = []

    async def serve(stream):
        accepted.append(stream)
        if tls is not None:
            stream = trio.SSLStream(stream, SERVER_TLS, server_side=True)
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()

    async with raw_server(serve) as port:
        gc.collect()
        before = open_sockets()

        async def attempt() -> None:
            (await dial("127.0.0.1", port, tls=tls, timeout_s=5)).close()

        steps = await cancelled_at_every_step(attempt)
        assert steps >= (4 if tls else 2)
        await trio.sleep(1)
        for stream in accepted:
            await trio.aclose_forcefully(stream)
        gc.collect()
        assert open_sockets() == before


async def test_wake_and_close_reach_every_waiter(autojump_clock):
    ours, theirs = tcp_pair()
    sock = Socket.from_accepted(ours)
    with theirs:
        for end in (sock.wake, sock.close):
            async with trio.open_nursery() as nursery:

                async def waiter() -> None:
                    with pytest.raises(trio.ClosedResourceError):
                        await sock.wait_readable()

                nursery.start_soon(waiter)
                await wait_all_tasks_blocked()
                end()
        with pytest.raises(trio.ClosedResourceError):
            await sock.wait_writable()
        sock.close()


async def test_large_messages_pass_over_tls_both_ways(autojump_clock):
    big = b"0123456789abcdef" * 65536  # 1 MiB
    got = []

    async def serve(stream):
        got.extend(await read_frames(stream, len(big) + 14))
        await stream.send_all(frame(TEXT, big) + frame(TEXT, b"small"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        leg = await tls_leg(serve, nursery)
        leg.send_nowait(big)
        messages = []
        while len(messages) < 2:
            messages += await leg.receive()
        assert messages == [big, b"small"]
        assert got == [(TEXT, big)]
        nursery.cancel_scope.cancel()
    leg.abort()


@pytest.mark.parametrize("read_bytes", [100, 16384])
async def test_everything_in_the_tls_layer_is_read_before_the_leg_waits(
    autojump_clock, monkeypatch, read_bytes
):
    """More records than one turn reads, and then silence on the network.

    With small reads OpenSSL holds the rest of each record, where epoll does not see it.
    """
    monkeypatch.setattr("llcphone.wire.socket.TLS_RECORD_BYTES", read_bytes)

    async def serve(stream):
        for number in range(40):
            await stream.send_all(b"".join(frame(TEXT, b"%d.%d" % (number, i)) for i in range(100)))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        leg = await tls_leg(serve, nursery)
        await wait_all_tasks_blocked()
        messages = []
        with trio.fail_after(5):
            while len(messages) < 4000:
                messages += await leg.receive()
        assert messages == [b"%d.%d" % (number, i) for number in range(40) for i in range(100)]
        assert leg.receive_nowait() == []
        nursery.cancel_scope.cancel()
    leg.abort()


async def test_a_blocked_tls_write_goes_on_from_the_same_bytes(autojump_clock):
    """Frames dropped or added behind a blocked record must not disturb it."""
    got, may_read, done = [], trio.Event(), trio.Event()

    async def serve(stream):
        await stream.do_handshake()
        await may_read.wait()
        data = b""
        while b"last" not in data[-4:]:
            data += await stream.receive_some()
        got.append(data)
        done.set()

    async with trio.open_nursery() as nursery:
        leg = await tls_leg(serve, nursery)
        leg._frame = partial(frame, TEXT)  # unmasked, so that the far side can look for the last one
        number = 0
        while leg._queue.size_bytes < 100_000:
            leg.send_nowait(b"%06d" % number + b"m" * 700, media=True)
            number += 1
        assert leg._sock.held
        assert leg._queue.begun
        dropped = leg.drop_media_nowait()
        leg.send_nowait(b"last")
        may_read.set()
        await done.wait()
        nursery.cancel_scope.cancel()
    payloads = [payload for _, payload in parse(got[0])]
    assert [payload[:6] for payload in payloads] == [b"%06d" % i for i in range(number - dropped)] + [b"last"]
    assert dropped > 50
    leg.abort()


async def test_a_ping_over_tls_is_answered(autojump_clock):
    got = []

    async def serve(stream):
        await stream.send_all(frame(PING, b"?") + frame(TEXT, b"go on"))
        got.extend(await read_frames(stream, 7))

    async with trio.open_nursery() as nursery:
        leg = await tls_leg(serve, nursery)
        assert await leg.receive() == [b"go on"]
        await trio.sleep(0.1)
        assert got == [(10, b"?")]
        nursery.cancel_scope.cancel()
    leg.abort()


class Contrary:
    """A TLS socket whose directions want each other, which no far side can be made to do on demand."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.refusals = [ssl.SSLWantReadError]
        self.fileno, self.setblocking, self.close = sock.fileno, sock.setblocking, sock.close

    def send(self, data) -> int:
        if self.refusals:
            raise self.refusals.pop()
        return self._sock.send(data)

    def recv(self, size: int) -> bytes:
        try:
            return self._sock.recv(size)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None


async def test_a_send_that_wants_a_readable_socket_shares_it_with_the_reader(autojump_clock):
    ours, theirs = tcp_pair()
    sock = TLSSocket(Contrary(ours))
    read, sent = [], []

    async def reader() -> None:
        while (data := sock.recv()) is None:
            await sock.wait_readable()
        read.append(data)

    async def writer() -> None:
        while not (count := sock.send(b"frame")):
            assert sock.held == 5
            await sock.wait_writable()
        sent.append(count)

    with theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            await wait_all_tasks_blocked()
            nursery.start_soon(writer)
            await wait_all_tasks_blocked()
            assert sent == []
            theirs.send(b"handshake bytes")
        assert (read, sent, sock.held) == ([b"handshake bytes"], [5], 0)
    sock.close()
