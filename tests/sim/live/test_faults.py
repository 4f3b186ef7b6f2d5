"""Every failure that a session can be made to have, and what a client may be refused at the door."""

from __future__ import annotations

import json
import ssl

import httpx
import pytest
import trio
import trustme
from trio_websocket import ConnectionRejected

from llcphone.sim.live import Assumptions, Faults, Say, open_live
from tests.sim.live.client import BACKEND, BEARER, PATH, connect, live_session, talk

LONG = [Say("A long answer.", 20_000)]


async def unjudged(client, kind):
    """The next event of this type, however odd."""
    while (event := json.loads(await client.websocket.get_message()))["type"] != kind:
        pass
    return event


# -- the door -----------------------------------------------------------------------------------


async def refusal(live, *headers, path=PATH):
    """The HTTP status of a refused handshake."""
    with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
        async with connect(live, *headers, path=path):
            raise AssertionError("it was accepted")
    return refused.value.exceptions[0].status_code


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ([("X", "y")], PATH, 401),
        ([("Authorization", "Bearer nonsense")], PATH, 401),
        ([("Authorization", "sk-test")], PATH, 401),
        ([("api-key", "sk-test")], PATH, 401),
        ([BEARER], "/v1/realtime", 404),
        ([BEARER], f"{PATH}/", 404),
        ([BEARER], f"{PATH}?model=gpt-live-1", 400),
        ([BEARER, ("OpenAI-Beta", "realtime=v1")], PATH, 400),
    ],
)
async def test_a_bad_handshake_gets_an_http_status(headers, path, status, autojump_clock):
    async with open_live() as live:
        assert await refusal(live, *headers, path=path) == status
        assert (live.refusals, live.sessions) == ([status], [])


async def test_a_model_in_the_address_can_be_ignored(autojump_clock):
    async with (
        open_live(assumes=Assumptions(model_in_query=True)) as live,
        connect(live, path=f"{PATH}?model=other") as client,
    ):
        assert (await client.start())["session"]["model"] == "gpt-live-1"


async def test_a_set_key_is_the_only_accepted_one(autojump_clock):
    async with open_live(key="right") as live:
        assert await refusal(live, BEARER) == 401
        async with connect(live, ("Authorization", "Bearer right")) as client:
            await client.start()


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_a_handshake_can_be_refused(status, autojump_clock):
    async with open_live(faults=Faults(refuse_status=status)) as live:
        assert await refusal(live) == status


@pytest.mark.parametrize(
    ("model", "key", "status"),
    [("gpt-live-1.1", "sk-a", 200), ("gpt-realtime", "sk-a", 404), ("gpt-live-1", "a", 401)],
)
async def test_the_list_of_models_knows_live_models(model, key, status):
    async with open_live() as live, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{live.host}:{live.port}/v1/models/{model}"
        answer = await client.get(url, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == status
        assert (answer.json().get("id") == model) == (status == 200)


async def test_a_refusal_says_when_to_come_again():
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    faults = Faults(refuse_status=429, retry_after_s=7)
    async with open_live(faults=faults) as live, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{live.host}:{live.port}{PATH}", headers=upgrade)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


async def test_each_connection_can_have_its_own_faults(autojump_clock):
    faults = [Faults(silent=True), Faults()]
    async with open_live(faults=faults) as live, connect(live) as first, connect(live) as second:
        await second.start()
        await first.send("session.start", session=live_session())
        assert await first.quiet_for(20) == []
        assert live.live_sessions == 2


async def test_a_handshake_can_take_its_time(autojump_clock):
    async with open_live(faults=Faults(handshake_delay_s=30)) as live:
        began = trio.current_time()
        async with connect(live):
            assert trio.current_time() - began == pytest.approx(30)


async def test_garbage_instead_of_a_handshake_harms_nobody(autojump_clock):
    async with open_live() as live:
        async with await trio.open_tcp_stream(live.host, live.port) as stream:
            await stream.send_all(b"\x01\x02 garbage\r\n\r\n")
            await stream.receive_some()
        async with connect(live) as client:
            await client.start()


async def test_it_serves_tls(autojump_clock):
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with open_live(ssl_context=server) as live:
        assert live.url.startswith("wss://127.0.0.1:")
        plain = await trio.open_tcp_stream(live.host, live.port)
        stream = trio.SSLStream(plain, client, server_hostname="127.0.0.1", https_compatible=True)
        async with stream:
            await stream.send_all(b"GET /v1/models/gpt-live-1 HTTP/1.1\r\nHost: x\r\n")
            await stream.send_all(b"Authorization: Bearer sk-a\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


# -- start and update ---------------------------------------------------------------------------


async def test_a_start_can_be_refused(autojump_clock):
    async with open_live(faults=Faults(refuse_start="insufficient_quota")) as live, connect(live) as client:
        await client.send("session.start", session=live_session())
        assert (await client.error())["code"] == "insufficient_quota"
        assert await client.closed() == 1000
        assert live.sessions[0].started_s is None


async def test_an_update_can_be_refused(autojump_clock):
    faults = Faults(refuse_update="invalid_value")
    async with open_live(faults=faults) as live, talk(live, delegation=BACKEND) as client:
        await client.send("session.update", session={"delegation": BACKEND}, event_id="u")
        assert (await client.error())["client_event_id"] == "u"


async def test_a_format_can_be_another_than_the_one_that_was_asked_for(autojump_clock):
    async with open_live(faults=Faults(wrong_format=True)) as live, connect(live) as client:
        started = await client.start()
        assert started["session"]["audio"]["format"] == {"type": "audio/pcm", "rate": 24000}
        await client.append(b"\0" * 4800)
        await client.until("session.output_audio.delta")
        assert client.chunks == [b"\0" * 4800]


# -- the voice ----------------------------------------------------------------------------------


async def test_a_session_without_a_voice_sends_silence_for_ever(autojump_clock):
    async with open_live(LONG, faults=Faults(voiceless=True)) as live, talk(live) as client:
        await client.comment("Go.", event_id="g")
        await client.feed(5000)
        await client.until("session.commentary.appended")
        await client.quiet_for(1)
        assert (len(client.chunks), live.sessions[0].loud_out, client.words()) == (50, [], "")


@pytest.mark.parametrize(("mute", "said"), [(1, ["Hello."]), (9, [])])
async def test_a_greeting_can_stay_mute_however_often_it_is_asked_for(mute, said, autojump_clock):
    async with open_live(["Hello."], faults=Faults(mute_greetings=mute)) as live, talk(live) as client:
        for _ in range(2):
            await client.comment("Greet the caller.")
            await client.feed(2500)
        await client.quiet_for(1)
        assert len(client.of("session.commentary.appended")) == 2
        assert live.sessions[0].said == said


async def test_chunks_can_be_held_back_and_come_together(autojump_clock):
    faults = Faults(hold_every_ms=10_000)
    async with open_live(LONG, faults=faults) as live, talk(live) as client:
        await client.comment("Go.")
        counts = []
        for _ in range(220):
            await client.feed(100)
            await client.quiet_for(0.001)
            counts.append(len(client.chunks))
        assert counts[:99] == list(range(1, 100))
        # Those of 10.0 to 10.3 s come when 360 ms are over, so after the appends until 10.4 s.
        assert counts[99:104] == [99, 99, 99, 99, 104]
        assert counts[-1] == 220
        assert counts[199:204] == [199, 199, 199, 199, 204]


async def test_moderation_cuts_the_voice_off_and_the_session_goes_on(autojump_clock):
    async with open_live([*LONG, "Something else."]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(1500)
        await live.sessions[0].until(lambda: live.sessions[0].appended_ms == 1500)
        live.sessions[0].moderate()
        assert (await client.error())["code"] is None
        await client.comment("Say something else.")
        await client.feed(3000)
        await client.quiet_for(1)
        assert live.sessions[0].loud_out[:12] == [*range(600, 1600, 100), 2100, 2200]


# -- ends ---------------------------------------------------------------------------------------


async def test_chunks_can_stop_while_everything_else_goes_on(autojump_clock):
    async with open_live(LONG, faults=Faults(stop_chunks_after_ms=2000)) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(4000)
        await client.quiet_for(1)
        assert len(client.chunks) == 20
        await client.send("session.input_audio.mute")
        await client.until("session.input_audio.muted")


async def test_a_session_can_go_silent_while_its_socket_stays(autojump_clock):
    async with open_live(LONG, faults=Faults(stall_after_ms=2000)) as live, talk(live) as client:
        await client.feed(4000)
        await client.send("session.close")
        await client.quiet_for(5)
        assert client.kinds() == ["session.started"]
        assert len(client.chunks) == 19
        assert live.live_sessions == 1
        live.sessions[0].resume()
        await client.until("session.closed")


async def test_a_connection_can_be_reset(autojump_clock):
    async with open_live(LONG, faults=Faults(reset_after_ms=1000)) as live, talk(live) as client:
        await client.feed(1000)
        assert await client.closed() == 1006
        assert live.sessions[0].close_code == 1006


async def test_the_server_can_close_without_a_word(autojump_clock):
    async with open_live(LONG, faults=Faults(close_after_ms=1000)) as live, talk(live) as client:
        await client.feed(1000)
        assert await client.closed() == 1011
        assert "session.closed" not in client.kinds()
        assert len(client.chunks) == 9


@pytest.mark.parametrize("reason", ["expired", "content", "remote_hangup", "connection_lost"])
async def test_a_session_can_end_for_every_reason(reason, autojump_clock):
    faults = Faults(end_after_ms=1000, end_reason=reason)
    async with open_live(LONG, faults=faults) as live, talk(live) as client:
        await client.feed(1000)
        assert (await client.until("session.closed"))["reason"] == reason
        assert await client.closed() == 1000
        live.sessions[0].end("content")
        assert len(client.of("session.closed")) == 1


async def test_a_session_can_grow_old_earlier(autojump_clock, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1000.0)
    async with open_live(faults=Faults(expire_after_s=20)) as live, connect(live) as client:
        assert (await client.start())["session"]["expires_at"] == 1020
        assert (await client.until("session.closed"))["usage"] == {"seconds": 20}


async def test_a_close_of_the_client_can_stay_unanswered(autojump_clock):
    async with open_live(faults=Faults(never_answer_close=True)) as live, talk(live) as client:
        with trio.move_on_after(5) as waited:
            await client.websocket.aclose()
        assert waited.cancelled_caught


async def test_pings_can_stay_unanswered(autojump_clock):
    async with open_live(faults=Faults(ignore_pings=True)) as live, talk(live) as client:
        with trio.move_on_after(5) as waited:
            await client.websocket.ping()
        assert waited.cancelled_caught


# -- odd events ---------------------------------------------------------------------------------


async def test_events_can_be_odd(autojump_clock):
    odd = {"session.started": {"session.expires_at": 12.5, "session.store": ...}}
    async with open_live(faults=Faults(odd=odd)) as live, connect(live) as client:
        await client.send("session.start", session=live_session())
        session = (await unjudged(client, "session.started"))["session"]
        assert session["expires_at"] == 12.5
        assert "store" not in session


async def test_there_can_be_unknown_events_and_fields_and_another_order_of_keys(autojump_clock):
    faults = Faults(extra_events=True, extra_fields=True, reorder_keys=True)
    async with open_live(faults=faults) as live, connect(live) as client:
        await client.send("session.start", session=live_session())
        assert (await unjudged(client, "session.future_event"))["detail"] == {"n": 1}
        started = await unjudged(client, "session.started")
        assert started["future_field"] == {"n": 1}
        assert started["session"]["future"] is None
        assert list(started)[-1] == "type"
