"""Everything a simulated Realtime API can do wrong, each as its client sees it."""

from __future__ import annotations

import errno
import socket

import pytest
import trio
from trio_websocket import ConnectionClosed

from llcphone.sim.model import Faults, Pace, Say, open_model
from tests.sim.model.client import connect, ga_session, talk

LONG = [Say("A long story.", 20_000)]


async def deltas_until_silent(client, seconds=30):
    await client.create()
    events = await client.quiet_for(seconds)
    return sum(event["type"] == "response.output_audio.delta" for event in events)


async def test_a_refused_update_leaves_the_session_on_its_defaults(autojump_clock):
    async with open_model(faults=Faults(refuse_update=True)) as model, connect(model) as client:
        await client.send("session.update", session=ga_session())
        assert (await client.error())["code"] == "invalid_value"
        assert model.sessions[0].config["audio"]["output"]["format"]["type"] == "audio/pcm"


async def test_a_wrong_format_is_echoed_and_spoken(autojump_clock):
    wrong = Faults(wrong_format=True)
    async with open_model([Say("Hi.", 100)], faults=wrong) as model, talk(model) as client:
        assert client.events[-1]["session"]["audio"]["output"]["format"]["type"] == "audio/pcm"
        await client.asked()
        assert len(client.audio()) == 100 * 48


async def test_a_connection_can_be_reset_after_some_deltas(autojump_clock):
    async with open_model(LONG, faults=Faults(reset_after_deltas=3)) as model, talk(model) as client:
        await client.create()
        assert (await client.closed())[0] == 1006
        assert model.sessions[0].close_code == 1006
        assert model.live_sessions == 0


HANDSHAKE = (
    b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-x\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def test_a_reset_is_a_reset_for_tcp(autojump_clock):
    async with open_model() as model, await trio.open_tcp_stream(model.host, model.port) as stream:
        await stream.send_all(HANDSHAKE)
        await stream.receive_some()
        (await model.session()).reset()
        await trio.sleep(0.1)
        assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


async def test_a_server_can_stall_in_the_middle_of_an_answer(autojump_clock):
    async with open_model(LONG, faults=Faults(stall_after_deltas=4)) as model, talk(model) as client:
        assert await deltas_until_silent(client) == 4
        with trio.fail_after(1):
            await client.websocket.ping()  # the socket lives
        model.sessions[0].resume()
        await client.answer()


async def test_a_server_can_close_after_some_deltas(autojump_clock):
    faults = Faults(close_after_deltas=2, close_with=1012)
    async with open_model(LONG, faults=faults) as model, talk(model) as client:
        await client.create()
        assert (await client.closed())[0] == 1012
        assert client.kinds().count("response.output_audio.delta") == 2


@pytest.mark.parametrize(
    ("faults", "code"),
    [(Faults(close_after_s=5), 1011), (Faults(reset_after_s=5), 1006), (Faults(expire_after_s=5), 1001)],
)
async def test_a_session_can_end_by_the_clock(faults, code, autojump_clock):
    async with open_model(faults=faults) as model, talk(model) as client:
        start = trio.current_time()
        assert (await client.closed())[0] == code
        assert trio.current_time() - start == pytest.approx(5, abs=0.1)


async def test_a_session_expires_after_an_hour_with_an_error(autojump_clock):
    async with open_model() as model, talk(model) as client:
        start = trio.current_time()
        await client.closed()
        assert trio.current_time() - start == pytest.approx(3600, abs=1)
        assert client.events[-1]["error"]["code"] == "session_expired"
        assert client.events[-1]["error"]["message"] == "Your session hit the maximum duration of 60 minutes."


async def test_the_server_pings_every_twenty_seconds_or_so(autojump_clock):
    async with open_model() as model, await trio.open_tcp_stream(model.host, model.port) as stream:
        start = trio.current_time()
        await stream.send_all(HANDSHAKE)
        pings = []
        with trio.move_on_after(70):
            while data := await stream.receive_some():
                if data[0] == 0x89:  # a whole frame, opcode ping
                    pings.append((round(trio.current_time() - start, 2), data[1]))
        assert pings == [(20.26, 4), (40.52, 4), (60.78, 4)]
        assert model.live_sessions == 1  # unanswered pings are no reason to hang up


async def test_pings_can_stay_unanswered(autojump_clock):
    async with open_model(faults=Faults(ignore_pings=True)) as model, talk(model) as client:
        with trio.move_on_after(60) as scope:
            await client.websocket.ping()
        assert scope.cancelled_caught
        await client.asked()


async def test_a_close_can_stay_unanswered(autojump_clock):
    async with open_model(faults=Faults(never_answer_close=True)) as model:
        async with talk(model) as client:
            with trio.move_on_after(20) as scope:
                await client.websocket.aclose()
            assert scope.cancelled_caught
        session = model.sessions[0]
        assert session.close_code == 1000


async def test_a_server_can_stop_reading(autojump_clock):
    async with open_model() as model, talk(model) as client:
        session = model.sessions[0]
        session.faults.stop_reading = True
        await client.send("input_audio_buffer.clear")  # wakes its reader for the last time
        with trio.move_on_after(10) as scope:
            while True:
                await client.send("input_audio_buffer.append", audio="A" * 400_000)
        assert scope.cancelled_caught
        assert len(session.received) < 10


async def test_a_silent_server_accepts_and_says_nothing(autojump_clock):
    async with open_model(faults=Faults(silent=True)) as model, connect(model) as client:
        assert await client.quiet_for(60) == []
        assert model.live_sessions == 1


async def test_acknowledgements_can_be_late(autojump_clock):
    async with open_model(faults=Faults(ack_delay_s=9)) as model, connect(model) as client:
        start = trio.current_time()
        await client.update(ga_session())
        assert trio.current_time() - start == pytest.approx(9)


async def test_strange_events_fields_and_orders_are_still_valid_json(autojump_clock):
    faults = Faults(extra_fields=True, reorder_keys=True)
    async with open_model(faults=faults) as model, talk(model) as client:
        response = await client.asked()
        assert next(iter(client.events[-1])) == "future_field"
        assert response["future"] is None


async def test_unknown_events_come_between_the_known_ones(autojump_clock):
    async with open_model(faults=Faults(extra_events=True)) as model, connect(model) as client:
        with pytest.raises(Exception, match=r"session\.future_event"):  # the judge does not know it
            await client.until("session.created")


async def test_a_client_that_never_reads_is_reset_in_the_end(autojump_clock):
    async with open_model() as model, talk(model):
        session = model.sessions[0]
        session.stall()
        while session.is_open:
            session.emit({"type": "input_audio_buffer.cleared"})
        assert session.close_code == 1006


async def test_live_control_closes_with_any_code(autojump_clock):
    async with open_model() as model, talk(model) as client:
        model.sessions[0].close(1013, "try again later")
        assert await client.closed() == (1013, "try again later")


async def test_a_close_frame_survives_audio_that_is_still_coming_in(autojump_clock):
    async def flood():
        while True:
            await client.speak(b"\xff" * 1600)

    async with open_model() as model, talk(model) as client:
        model.sessions[0].close(1011)
        with pytest.raises(ConnectionClosed):
            await flood()
        assert (await client.closed())[0] == 1011


async def test_many_connections_come_and_go_without_a_trace(autojump_clock):
    async with open_model(["Hi."], pace=Pace(speed=50)) as model:
        async with trio.open_nursery() as nursery:

            async def one():
                async with talk(model) as client:
                    await client.asked()

            for _ in range(20):
                nursery.start_soon(one)
        for session in model.sessions:
            await session.until(lambda session=session: not session.is_open)
        assert (model.connections, model.live_sessions) == (20, 0)
