"""The door: what a stranger may do, what it costs, and that live streams never feel it."""

import errno
import os
import socket
import struct

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone.server import listener as listener_module
from tests.server.support import (
    HANDSHAKE,
    TWIML,
    body_of,
    get,
    make_config,
    media_request,
    open_server,
    read_to_end,
    sign,
    status_of,
    webhook_request,
)

# -- media streams


async def test_a_genuine_media_stream_becomes_the_leg_of_its_call(autojump_clock):
    async with open_server() as server:
        peer = await server.stream()
        for text in (b'{"event":"connected"}', b"x" * 60_000):
            await peer.send(text)
            assert await peer.receive() == text
        assert (
            server.phone.live_calls,
            len(server.listener.pending),
            server.phone.connections["stream"],
        ) == (
            1,
            0,
            1,
        )
        peer.stream.socket.close()
        await wait_all_tasks_blocked()
        assert server.phone.live_calls == 0


async def test_frames_that_come_with_the_handshake_are_not_lost(autojump_clock):
    async with open_server() as server:
        server.phone.tokens.add("t")
        async with await server.connect() as stream:
            await stream.send_all(media_request("t") + b"\x81\x85\x00\x00\x00\x00hello")
            peer_bytes = b""
            while b"hello" not in peer_bytes:
                peer_bytes += await stream.receive_some()
            assert peer_bytes.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "signature",
    [
        sign("https://phone.example.test/media/t"),
        sign("wss://elsewhere.example.test/media/t"),
        sign("wss://phone.example.test/media/other"),
        "",
        "AAAA",
    ],
)
async def test_a_stream_with_another_signature_is_forbidden_and_joins_nothing(autojump_clock, signature):
    async with open_server() as server:
        server.phone.tokens.add("t")
        assert status_of(await server.ask(media_request("t", signature=signature))) == 403
        assert server.phone.tokens == {"t"}
        assert server.phone.live_calls == 0


async def test_both_slash_forms_of_the_signed_address_are_genuine(autojump_clock):
    async with open_server() as server:
        for signed in ("wss://phone.example.test/media/t", "wss://phone.example.test/media/t/"):
            server.phone.tokens.add("t")
            async with await server.connect() as stream:
                await stream.send_all(media_request("t", signature=sign(signed)))
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_token_works_once_and_only_for_who_waits(autojump_clock):
    async with open_server() as server:
        assert status_of(await server.ask(media_request("nobody"))) == 403
        await server.stream("once")
        assert status_of(await server.ask(media_request("once"))) == 403


async def test_a_signed_handshake_that_is_no_websocket_is_a_bad_request_and_spends_no_token(autojump_clock):
    async with open_server() as server:
        server.phone.tokens.add("t")
        for request in (
            media_request("t").replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
            media_request("t").replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        ):
            assert status_of(await server.ask(request)) == 400
        assert server.phone.tokens == {"t"}


async def test_a_phone_that_refuses_a_join_costs_only_that_socket(autojump_clock):
    async with open_server() as server:
        server.phone.refuse_joins = True
        server.phone.tokens.add("t")
        answer = await server.ask(media_request("t"))
        assert answer.startswith(b"HTTP/1.1 101 ")
        server.phone.refuse_joins = False
        await server.stream("next")
        assert server.phone.connections["failed"] == 0


async def test_signatures_may_be_off_on_loopback(autojump_clock):
    config = make_config(public_url="http://127.0.0.1:8081", check_signatures=False)
    async with open_server(config) as server:
        server.phone.tokens.add("t")
        async with await server.connect() as stream:
            await stream.send_all(media_request("t", signature=""))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_other_upgrades_are_refused_or_ignored(autojump_clock):
    async with open_server() as server:
        assert status_of(await server.ask(b"GET /ws HTTP/1.1\r\n" + HANDSHAKE + b"\r\n")) == 404
        h2c = get("/healthz", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAA")
        assert status_of(await server.ask(h2c)) == 200
        assert status_of(await server.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) == 400


# -- one request per connection


async def test_an_upgrade_behind_a_first_request_is_never_read(autojump_clock):
    async with open_server() as server:
        server.phone.tokens.add("t")
        answer = await server.ask(get("/healthz", "Connection: keep-alive") + media_request("t"))
        assert answer.count(b"HTTP/1.1 ") == 1
        assert status_of(answer) == 200
        assert b"connection: close" in answer.lower()
        assert server.phone.tokens == {"t"}


async def test_a_pipelined_second_request_is_not_served_and_does_not_spoil_the_first_answer(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(webhook_request() + webhook_request(b"CallSid=CA2"))
        assert (answer.count(b"HTTP/1.1 "), body_of(answer)) == (1, TWIML.encode())  # and no reset behind it
        assert [form["CallSid"] for form in server.phone.forms] == ["CA1"]


async def test_a_body_may_come_in_any_pieces(autojump_clock):
    request = webhook_request(b"CallSid=CA1&SpeechResult=" + b"a" * 20)
    async with open_server() as server:
        for size in (1, 7, 100):
            async with await server.connect() as stream:
                for start in range(0, len(request), size):
                    await stream.send_all(request[start : start + size])
                    await trio.sleep(0.001)
                assert body_of(await read_to_end(stream)) == TWIML.encode()
        assert len(server.phone.forms) == 3


async def test_a_client_that_half_closes_still_gets_its_answer(autojump_clock):
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(webhook_request())
        await stream.send_eof()
        assert body_of(await read_to_end(stream)) == TWIML.encode()


async def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(autojump_clock):
    request = webhook_request().replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(head + b"\r\n\r\n")
        assert await stream.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await stream.send_all(body)
        assert body_of(await read_to_end(stream)) == TWIML.encode()


async def test_a_large_refused_body_does_not_destroy_the_refusal(autojump_clock):
    async with open_server() as server:
        head = webhook_request().replace(b"Content-Length: 31", b"Content-Length: 70000")
        assert b"70000" in head
        answer = await server.ask(head + b"a" * 40_000)
        assert status_of(answer) == 413
        assert not answer.endswith(b"<reset>")


# -- limits


async def drip(stream: trio.SocketStream, data: bytes) -> None:
    for byte in data:
        await stream.send_all(bytes([byte]))
        await trio.sleep(0.1)


async def test_a_head_that_never_ends_is_closed_by_time_and_by_size(autojump_clock):
    async with open_server() as server:
        start = trio.current_time()
        async with await server.connect() as slow:
            with pytest.raises(trio.BrokenResourceError):
                await drip(slow, get("/healthz", "X: " + "a" * 1000))
        assert trio.current_time() - start == pytest.approx(5, abs=0.3)
        assert server.phone.connections["too slow"] == 1
        assert status_of(await server.ask(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)) == 431


async def test_a_silent_socket_is_closed_after_the_head_timeout(autojump_clock):
    async with open_server() as server, await server.connect() as stream:
        start = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - start == pytest.approx(5)


async def test_a_slow_body_is_closed_after_the_body_timeout(autojump_clock):
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(webhook_request()[:-10])
        start = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - start == pytest.approx(5, abs=0.1)
        assert server.phone.forms == []


async def test_noise_is_refused_at_once(autojump_clock):
    async with open_server() as server:
        start = trio.current_time()
        assert status_of(await server.ask(b"\x16\x03\x01\x02\x00")) == 400
        assert trio.current_time() - start <= 1  # it lingers, at most


async def test_slow_sockets_cannot_keep_the_door_shut_nor_touch_a_stream(autojump_clock):
    async with open_server(make_config(max_pending=32)) as server:
        peer = await server.stream()
        slow = [await server.connect() for _ in range(100)]
        for stream in slow:
            await stream.send_all(b"GET / HT")
        await peer.send(b"still here")
        assert await peer.receive() == b"still here"
        assert body_of(await server.ask(webhook_request())) == TWIML.encode()
        assert len(server.listener.pending) <= 32
        assert server.phone.connections["evicted"] >= 68
        await server.stream("token-2")


async def test_answered_sockets_that_stay_open_keep_nobody_out(autojump_clock):
    """No second passes: what was answered is closed at once, or gives way."""
    async with open_server(make_config(max_pending=8)) as server:
        peer = await server.stream()
        unsigned = get("/nothing"), webhook_request(signature="x"), media_request("t", signature="x")
        for kind, request in enumerate(unsigned):
            start = trio.current_time()
            for number in range(30):
                stream = await server.connect()
                await stream.send_all(request + (b"more" if number % 2 else b""))
                await wait_all_tasks_blocked()
                assert body_of(await server.ask(webhook_request(), within_s=0)) == TWIML.encode()
            await server.stream(f"beside-{kind}")
            assert trio.current_time() == start
        await peer.send(b"still here")
        assert await peer.receive() == b"still here"


async def test_requests_that_nobody_signed_get_a_rate_and_honest_ones_do_not_notice(autojump_clock, caplog):
    async with open_server() as server:
        answers = [status_of(await server.ask(get("/nothing"))) for _ in range(60)]
        assert answers == [404] * 40 + [429] * 20
        for number in range(60):
            assert status_of(await server.ask(webhook_request(b"CallSid=CA%d" % number))) == 200
        assert status_of(await server.ask(webhook_request(signature="x"))) == 429
        for path in ("/healthz", "/readyz"):
            assert status_of(await server.ask(get(path))) == 200
        await server.stream()
        await trio.sleep(1)
        assert status_of(await server.ask(get("/nothing"))) == 404
    refused = "request refused: too many requests without authentication"
    assert [(record.event, record.status) for record in caplog.records] == [(refused, 429)]


async def test_a_health_check_by_head_has_no_body_and_other_methods_are_the_apps(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(get("/healthz").replace(b"GET", b"HEAD", 1))
        assert (status_of(answer), body_of(answer)) == (200, b"")
        assert b"Content-Length: 30\r\n" in answer
        assert status_of(await server.ask(get("/healthz").replace(b"GET", b"DELETE", 1))) == 405


@pytest.mark.parametrize("city", ["São Paulo".encode(), b"S\xe3o Paulo", "東京".encode()])
async def test_a_proxys_header_in_another_encoding_costs_no_call(autojump_clock, city):
    extra = b"Cf-Ipcity: " + city + b"\r\n"
    async with open_server() as server:
        request = webhook_request().replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n", 1)
        assert status_of(await server.ask(request)) == 200
        server.phone.tokens.add("t")
        async with await server.connect() as stream:
            await stream.send_all(media_request("t", extra=extra))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_each_kind_of_refusal_is_logged_once_a_minute_with_why_and_nothing_of_theirs(
    autojump_clock, caplog
):
    async with open_server() as server:
        for _ in range(3):
            await server.ask(get("/15551230001", "Content-Type: \xe3 secret"))
            await server.ask(get("/15551230001", "Transfer-Encoding: secret"))
        await trio.sleep(60)
        await server.ask(get("/15551230001", "Content-Type: \xe3 secret"))
    assert [(record.event, record.status, record.count) for record in caplog.records] == [
        ("request refused: a header that matters is not ASCII", 400, 1),
        ("request refused: its body has no length: a proxy must send Content-Length, not chunks", 411, 1),
        ("request refused: a header that matters is not ASCII", 400, 3),
    ]
    assert not any(word in str(vars(each)) for each in caplog.records for word in ("secret", "15551230001"))


async def test_two_hundred_webhooks_at_once_from_one_proxy_are_all_answered(autojump_clock):
    answers = []
    async with open_server() as server:

        async def ask(number: int) -> None:
            answers.append(body_of(await server.ask(webhook_request(b"CallSid=CA%d" % number))))

        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(ask, number)
    assert answers == [TWIML.encode()] * 200


async def test_accepting_goes_on_after_the_system_ran_out_of_descriptors(autojump_clock, monkeypatch, caplog):
    real = trio.SocketListener.accept
    errors = [OSError(errno.EMFILE, "x"), OSError(errno.ENETDOWN, "x")]

    async def accept(self):
        if errors:
            raise errors.pop()
        return await real(self)

    monkeypatch.setattr(trio.SocketListener, "accept", accept)
    async with open_server() as server:
        assert status_of(await server.ask(get("/healthz"))) == 200
    assert errors == []
    assert [(record.event, record.error) for record in caplog.records][:1] == [("cannot accept", "ENETDOWN")]


# -- containment


async def test_an_exception_in_the_http_stack_ends_only_its_connection(autojump_clock, caplog):
    async with open_server() as server:
        peer = await server.stream()

        async def broken(stream):
            raise ExceptionGroup("x", [UnicodeDecodeError("ascii", b"+15551230001", 0, 1, "secret")])

        server.listener._serve_http, healthy = broken, server.listener._serve_http
        assert await server.ask(get("/")) == b""
        server.listener._serve_http = healthy
        assert status_of(await server.ask(get("/"))) == 200
        await peer.send(b"alive")
        assert await peer.receive() == b"alive"
        assert server.phone.connections["failed"] == 1
    assert [record.event for record in caplog.records] == ["connection failed"]
    assert caplog.records[0].error.startswith("UnicodeDecodeError at ")
    assert not any(word in str(vars(caplog.records[0])) for word in ("secret", "15551230001"))


async def test_a_fault_of_the_phone_ends_only_its_connection(autojump_clock, monkeypatch, caplog):
    async with open_server() as server:
        server.phone.tokens.add("t")
        monkeypatch.setattr(type(server.phone), "join", lambda self, token, leg: 1 / 0)
        assert (await server.ask(media_request("t"))).startswith(b"HTTP/1.1 101 ")
        assert server.phone.connections["failed"] == 1
        assert status_of(await server.ask(get("/healthz"))) == 200


async def test_a_peer_that_resets_is_only_counted(autojump_clock, caplog):
    async with open_server() as server:
        stream = await server.connect()
        await stream.send_all(b"GET / HT")
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()
        await wait_all_tasks_blocked(0.01)
        assert (server.phone.connections["gone"], server.phone.connections["failed"]) == (1, 0)


# -- stopping


async def test_a_stopped_door_closes_its_listeners_and_lets_streams_go_on(autojump_clock):
    async with open_server() as server:
        peer = await server.stream()
        waiting = await server.connect()
        await wait_all_tasks_blocked()
        server.listener.stop_accepting()
        assert await waiting.receive_some() == b""
        with pytest.raises(OSError, match="127"):
            await server.connect()
        await peer.send(b"my call goes on")
        assert await peer.receive() == b"my call goes on"


async def test_a_stalled_reader_delays_neither_a_deadline_nor_the_end(autojump_clock, monkeypatch):
    """hypercorn shields its sends: without the bound below it, this hangs (docs/vendor-facts.md)."""

    async def flood(stream):
        with trio.CancelScope(shield=True):
            await stream.send_all(b"x" * 50_000_000)

    async def http(stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, stream)
            while await stream.receive_some():
                pass

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    start = trio.current_time()
    async with open_server() as server, trio.open_nursery() as nursery:
        public = await nursery.start(listener_module.serve_public_port, [listener], http, server.phone)
        async with await trio.open_tcp_stream("127.0.0.1", public.addresses[0][1]) as stalled:
            await stalled.send_all(get("/"))
            await trio.sleep(0.5)
            public.stop_accepting()
            await trio.sleep(1.2)
            assert nursery.child_tasks == frozenset()
    assert trio.current_time() - start < 3


async def test_a_peer_that_stops_reading_is_given_up(autojump_clock):
    async def http(stream):
        with trio.CancelScope(shield=True):
            await stream.send_all(b"x" * 50_000_000)

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with open_server() as server, trio.open_nursery() as nursery:
        public = await nursery.start(listener_module.serve_public_port, [listener], http, server.phone)
        async with await trio.open_tcp_stream("127.0.0.1", public.addresses[0][1]) as stalled:
            await stalled.send_all(get("/"))
            await trio.sleep(5.5)
            assert server.phone.connections["gone"] == 1
        nursery.cancel_scope.cancel()


async def test_nothing_is_left_when_a_door_is_cancelled(autojump_clock):
    before = set(os.listdir("/proc/self/fd"))
    async with open_server() as server:
        streams = [await server.connect() for _ in range(3)]
        await streams[0].send_all(webhook_request()[:-3])
        await streams[1].send_all(get("/healthz"))
        await server.stream()
        server.nursery.cancel_scope.cancel()
    assert set(os.listdir("/proc/self/fd")) == before
