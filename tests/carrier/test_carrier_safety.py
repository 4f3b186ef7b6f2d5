"""What the carrier never does: leave a socket, say a number, trust a stranger's certificate."""

from __future__ import annotations

import gc
import logging
import traceback
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.carrier.http import RequestFailed, TrioHttp
from llcphone.carrier.orders import Amd, CarrierError, DialOrder, NumberSettings
from llcphone.carrier.rest import open_carrier
from tests.carrier.carrier_desk import (
    ACCOUNT,
    CREATED,
    FROM,
    TO,
    TOKEN,
    answer,
    config_for,
    error,
    office,
    open_desk,
    order,
)
from tests.wire.peers import cancelled_at_every_step, open_sockets, tls_contexts

if TYPE_CHECKING:
    import ssl

CANARIES = {TO[1:], FROM[1:], TOKEN, ACCOUNT, "t0ken", "canary-twiml", "canary-text", "4711#"}
SECRET_ORDER = {"twiml": "<Response><Say>canary-twiml</Say></Response>", "send_digits": "4711#"}


# -- nothing is told ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour", [CREATED, error(400, 21211), error(429, 20429), answer(500, b"?"), "reset"]
)
async def test_no_log_and_no_error_tells_a_number_a_token_or_a_document(autojump_clock, caplog, behaviour):
    caplog.set_level(logging.DEBUG)
    texts = []
    async with office(behaviour) as (_, carrier):
        for ask in (
            lambda: carrier.dial(order(**SECRET_ORDER, amd=Amd("async", 3, "https://a.test/amd/t0ken"))),
            lambda: carrier.send_sms(TO, FROM, "canary-text"),
            lambda: carrier.number(FROM),
            lambda: carrier.find(order(), 0),
            lambda: carrier.set_webhook("PN1", "https://a.test/t0ken"),
        ):
            try:
                await ask()
            except CarrierError as failed:
                while failed is not None:  # its causes too
                    texts += [
                        *traceback.format_exception(failed, chain=False),
                        repr(failed),
                        repr(vars(failed)),
                    ]
                    failed = failed.__context__
        texts += [repr(carrier), caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert not [canary for canary in CANARIES for text in texts if canary in text]


def test_orders_and_settings_show_no_number_address_or_document():
    shown = repr(order(**SECRET_ORDER, amd=Amd("async", 3, "https://a.test/amd/t0ken")))
    shown += repr(order(twiml=None, url="https://a.test/t0ken"))
    shown += repr(NumberSettings("PN1", "https://t0ken", "POST", "https://t0ken", "https://t0ken", "", ""))
    assert not [canary for canary in CANARIES if canary in shown]
    assert DialOrder.__name__ in shown


# -- nothing is left ----------------------------------------------------------------------------


async def test_a_request_cancelled_at_any_moment_leaves_no_socket(autojump_clock):
    async with office(CREATED) as (desk, carrier):
        before = open_sockets()

        async def attempt() -> None:
            await carrier.dial(order())

        async def attempt_and_look() -> None:
            try:
                await attempt()
            finally:
                with trio.CancelScope(shield=True):
                    while desk.open:  # noqa: ASYNC110 (its end of the same connection)
                        await trio.sleep(0.001)
                assert open_sockets() == before

        gc.disable()  # closed by us, not by chance
        try:
            assert await cancelled_at_every_step(attempt_and_look) > 5
        finally:
            gc.enable()


@pytest.mark.parametrize("at_s", [0.0, 0.5, 3.0])
async def test_cancelling_while_twilio_thinks_closes_the_socket_at_once(autojump_clock, at_s):
    async with office("silence") as (desk, carrier):
        began = trio.current_time()
        with trio.move_on_after(at_s) as scope:
            await carrier.dial(order())
        assert scope.cancelled_caught
        assert trio.current_time() - began == pytest.approx(at_s)
        await trio.sleep(0.01)
        assert desk.open == 0


async def test_answered_requests_leave_no_connection_open(autojump_clock):
    async with office(CREATED) as (desk, carrier):
        before = open_sockets()
        for _ in range(3):
            await carrier.dial(order())
        await trio.sleep(0.01)
        assert (desk.accepted, desk.open, open_sockets()) == (3, 0, before)


# -- TLS ----------------------------------------------------------------------------------------


async def serve_tls(desk, server: ssl.SSLContext, nursery: trio.Nursery) -> str:
    """The desk behind TLS, as Twilio is."""

    async def serve(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, server, server_side=True, https_compatible=True)
        try:
            await secure.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)
        else:
            await desk.serve(secure)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    return f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


async def test_requests_travel_over_tls(autojump_clock):
    client, server = tls_contexts()
    async with open_desk(answer(200, {"a": 1}, "X-Y: z")) as desk, trio.open_nursery() as nursery:
        http = TrioHttp(await serve_tls(desk, server, nursery), context=client)
        got = await http.request(
            "GET", "https://api.twilio.com/p?a=1", {"b": ["2", "3"]}, auth=("user", "pass")
        )
        assert (got.status_code, got.text, got.headers["x-y"]) == (200, '{"a": 1}', "z")
        request = desk.asked[0]
        assert (request.path, request.query) == ("/p", {"a": "1", "b": "3"})
        assert request.headers["authorization"] == "Basic dXNlcjpwYXNz"
        assert request.headers["host"].startswith("127.0.0.1:")
        nursery.cancel_scope.cancel()


async def test_a_certificate_nobody_vouches_for_gets_no_request(autojump_clock):
    _, server = tls_contexts()
    async with open_desk(CREATED) as desk, trio.open_nursery() as nursery:
        url = await serve_tls(desk, server, nursery)
        async with open_carrier(config_for(url), calls_per_second=1000) as carrier:
            with pytest.raises(CarrierError, match="tls"):
                await carrier.dial(order())
        assert desk.asked == []
        nursery.cancel_scope.cancel()


async def test_a_tls_handshake_nobody_answers_is_bounded_and_nothing_was_sent(autojump_clock):
    client, _ = tls_contexts()
    async with open_desk("silence") as desk:
        http = TrioHttp(desk.url.replace("http:", "https:"), context=client)
        began = trio.current_time()
        with pytest.raises(RequestFailed) as caught:
            await http.request("POST", "https://api.twilio.com/p")
        assert (caught.value.code, caught.value.certain) == ("no_connection", True)
        assert trio.current_time() - began == pytest.approx(10)
        await trio.sleep(0.01)
        assert desk.open == 0


async def test_a_tls_request_cancelled_at_any_moment_leaves_no_socket(autojump_clock):
    client, server = tls_contexts()
    async with open_desk(CREATED) as desk, trio.open_nursery() as nursery:
        http = TrioHttp(await serve_tls(desk, server, nursery), context=client)
        await trio.testing.wait_all_tasks_blocked()
        before = open_sockets()

        async def attempt() -> None:
            try:
                await http.request("POST", "https://api.twilio.com/p")
            finally:
                with trio.CancelScope(shield=True):
                    for _ in range(100):
                        if open_sockets() == before:
                            break
                        await trio.sleep(0.001)
                assert open_sockets() == before

        gc.disable()
        try:
            assert await cancelled_at_every_step(attempt) > 8
        finally:
            gc.enable()
        nursery.cancel_scope.cancel()


# -- HTTP's corners -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
    ],
)
async def test_any_framing_of_an_answer_is_read(autojump_clock, wire):
    async with open_desk(wire) as desk:
        assert (await TrioHttp(desk.url).request("GET", "https://api.twilio.com/")).text == "{}"


async def test_redirects_are_not_followed_with_our_token(autojump_clock):
    async with open_desk(CREATED) as other, open_desk(answer(307, b"", f"Location: {other.url}/x")) as desk:
        with pytest.raises(RequestFailed, match="http_307"):
            await TrioHttp(desk.url).request("POST", "https://api.twilio.com/", auth=("a", "b"))
        assert other.accepted == 0
