"""The simulated server turns away what OpenAI turns away, in the same order and with the same codes."""

from __future__ import annotations

import ssl

import httpx
import pytest
import trio
import trustme

from llcphone.sim.model import Faults, open_model
from tests.sim.model.client import BEARER, BETA, connect, flat_session, ga_session


async def refusal(model, *headers, **options):
    async with connect(model, *headers, **options) as client:
        error = await client.error()
        return (error["code"], *await client.closed())


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ([("X", "y")], "?model=gpt-realtime", (None, 3000)),
        ([("Authorization", "Bearer nonsense")], "?model=gpt-realtime", ("invalid_api_key", 3000)),
        ([BEARER], "?model=gpt-4o-realtime-preview", ("invalid_model", 4000)),
        ([BEARER], "", ("missing_model", 4000)),
        ([BEARER, BETA], "?model=gpt-realtime", ("beta_api_shape_disabled", 4000)),
    ],
)
async def test_a_bad_handshake_gets_101_then_an_error_then_a_close(headers, query, expected, autojump_clock):
    error, close = expected
    async with open_model() as model:
        reason = f"invalid_request_error.{error}" if error else "invalid_request_error"
        assert await refusal(model, *headers, query=query) == (error, close, reason)
        assert model.sessions == []
        assert len(model.refusals) == 1


async def test_the_error_of_the_beta_header_has_the_vendors_text(autojump_clock):
    async with open_model() as model, connect(model, BEARER, BETA) as client:
        assert await client.next() == {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "code": "beta_api_shape_disabled",
                "message": "The Realtime Beta API is no longer supported. "
                "Please use /v1/realtime for the GA API.",
                "param": None,
                "event_id": None,
            },
            "event_id": "event_refused",
        }


async def test_a_set_key_is_the_only_accepted_one(autojump_clock):
    async with open_model(key="sk-right") as model:
        assert (await refusal(model, BEARER))[0] == "invalid_api_key"
        async with connect(model, ("Authorization", "Bearer sk-right")) as client:
            await client.until("session.created")


async def test_azures_path_takes_its_own_key_header_and_any_deployment(autojump_clock):
    azure = {"path": "/openai/v1/realtime", "query": "?model=mine"}
    async with open_model() as model, connect(model, ("api-key", "azure"), **azure) as client:
        assert (await client.next())["session"]["model"] == "mine"


async def http_answer(model, path):
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{model.host}:{model.port}{path}?model=gpt-realtime"
        return await client.get(url, headers=upgrade)


@pytest.mark.parametrize(("path", "status"), [("/openai/v1/realtime", 401), ("/v2/realtime", 404)])
async def test_some_upgrades_do_not_get_their_101(path, status):
    async with open_model() as model:
        assert (await http_answer(model, path)).status_code == status
        assert model.refusals == [str(status)]


async def test_a_refusing_fault_answers_with_its_status_and_retry_after():
    async with open_model(faults=Faults(refuse_status=429, retry_after_s=7)) as model:
        answer = await http_answer(model, "/v1/realtime")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_handshake_can_take_its_time(autojump_clock):
    async with open_model(faults=Faults(handshake_delay_s=30)) as model:
        began = trio.current_time()
        async with connect(model) as client:
            await client.until("session.created")
            assert trio.current_time() - began == pytest.approx(30)


async def test_each_connection_can_have_its_own_faults(autojump_clock):
    faults = [Faults(silent=True), Faults()]
    async with open_model(faults=faults) as model, connect(model) as first, connect(model) as second:
        await second.until("session.created")
        assert await first.quiet_for(10) == []


async def test_a_browsers_subprotocols_carry_the_key(autojump_clock):
    protocols = ["realtime", "openai-insecure-api-key.sk-test"]
    async with open_model() as model, connect(model, ("X", "y"), subprotocols=protocols) as client:
        await client.until("session.created")
        assert client.websocket.subprotocol == "realtime"


async def test_garbage_instead_of_a_handshake_harms_nobody(autojump_clock):
    async with open_model() as model:
        stream = await trio.open_tcp_stream(model.host, model.port)
        async with stream:
            await stream.send_all(b"\x01\x02 garbage\r\n\r\n")
            await stream.receive_some()
        async with connect(model) as client:
            await client.until("session.created")


async def test_a_socket_that_says_nothing_is_dropped_after_ten_seconds(autojump_clock):
    async with open_model() as model, await trio.open_tcp_stream(model.host, model.port) as stream:
        began = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(10)


async def test_the_flat_server_speaks_flat_whatever_the_header_says(autojump_clock):
    async with open_model(dialects="flat") as model, connect(model, BEARER, dialect="flat") as client:
        session = (await client.until("session.created"))["session"]
        assert session["input_audio_format"] == "pcm16"
        assert "audio" not in session


async def test_the_flat_server_refuses_the_nested_shape(autojump_clock):
    async with open_model(dialects="flat") as model, connect(model, BEARER, dialect="flat") as client:
        await client.send("session.update", session=ga_session())
        error = await client.error()
        assert error["code"] == "unknown_parameter"
        assert error["message"] == "Unknown parameter: 'session.type'."


async def test_where_both_are_spoken_the_header_chooses(autojump_clock):
    async with (
        open_model(dialects="both") as model,
        connect(model, BEARER, BETA, dialect="flat") as flat,
        connect(model) as nested,
    ):
        assert (await flat.update(flat_session()))["output_audio_format"] == "g711_ulaw"
        assert (await nested.update(ga_session()))["audio"]["output"]["format"] == {"type": "audio/pcmu"}


async def test_headers_and_path_are_kept_for_assertions(autojump_clock):
    async with open_model() as model:
        async with connect(model, BEARER, ("OpenAI-Safety-Identifier", "hash")):
            session = await model.session(1)
            assert session.headers["openai-safety-identifier"] == "hash"
            assert session.path == "/v1/realtime?model=gpt-realtime"
            assert model.live_sessions == 1
        await session.until(lambda: not session.is_open)
        assert (model.live_sessions, session.close_code) == (0, 1000)


async def test_it_serves_tls(autojump_clock):
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with open_model(ssl_context=server) as model:
        assert model.url.startswith("wss://127.0.0.1:")
        plain = await trio.open_tcp_stream(model.host, model.port)
        stream = trio.SSLStream(plain, client, server_hostname="127.0.0.1", https_compatible=True)
        async with stream:
            await stream.send_all(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
            await stream.send_all(b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
            await stream.send_all(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 404")
