"""The event stream: it lasts, it is bounded in number and in memory, and it tells no more than it should."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from llcphone.server.api import calls
from llcphone.server.api.calls import CallIndex
from llcphone.server.api.endpoints import KEEPALIVE_S, STREAM_LIMIT_S
from llcphone.server.http import STALL_TIMEOUT_S
from llcphone.server.listener import CLOSE_LIMIT_S, EXCHANGE_LIMIT_S
from llcphone.sim import voices
from tests.server.api_stage import BUSY, KEY, TO, code_of, open_api


class Listener:
    """A client of the stream, by hand."""

    def __init__(self, stream):
        self.stream = stream
        self.text = b""

    async def read_until(self, end):
        while end not in self.text:
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError(self.text[-300:])
            self.text += data

    async def read_to_end(self):
        try:
            async for data in self.stream:
                self.text += data
        except trio.BrokenResourceError:
            pass

    def events(self):
        """Every event so far; each came in a chunk of its own."""
        lines = self.text.split(b"\r\n")
        return [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]

    def kinds(self):
        return [event["kind"] for event in self.events()]


@asynccontextmanager
async def listen(api, query="", *, buffer=None):
    url = api.stage.config.server.public_url
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    if buffer is not None:
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, buffer)
    async with stream:
        head = f"GET /logs{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        await stream.send_all(head.encode())
        listener = Listener(stream)
        await listener.read_until(b": events follow")
        yield listener


async def test_a_whole_call_is_told_as_it_happens(autojump_clock):
    async with open_api(script=["Your table is booked."]) as api, listen(api) as listener:
        assert listener.text.startswith(b"HTTP/1.1 200")
        assert b"content-type: text/event-stream" in listener.text
        call_id = await api.place()
        callee = await api.stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.5)
        callee.hang_up()
        await listener.read_until(b'"ended"')
        kinds = listener.kinds()
        order = [
            "session ready",
            "dialling",
            "dialled",
            "stream started",
            "agent speaks",
            "ended",
        ]
        assert [kind for kind in kinds if kind in order] == order
        assert {event["call"] for event in listener.events()} == {call_id}
        assert listener.events()[-1]["fields"]["reason"] == "caller hung up"
        assert b"table" not in listener.text
        assert TO.encode() not in listener.text


async def test_words_are_told_to_whoever_asks_for_them(autojump_clock):
    async with open_api(script=["Your table is booked."]) as api, listen(api, "?words=1") as listener:
        await api.place()
        callee = await api.stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.5)
        await listener.read_until(b"Your table is booked.")
        callee.hang_up()


async def test_one_call_can_be_followed_alone(autojump_clock):
    async with open_api(callee=BUSY) as api:
        first = await api.place()
        async with listen(api, f"?call={first}") as listener:
            await api.ended(await api.place("+15551239998"))
            await api.ended(first)
            await listener.read_until(b"still here")
            assert {event["call"] for event in listener.events()} == {first}


async def test_a_stream_lasts_beyond_an_exchange_shows_that_it_lives_and_ends_in_an_hour(autojump_clock):
    async with open_api() as api:
        start = trio.current_time()
        async with listen(api) as listener:
            await trio.sleep(3 * EXCHANGE_LIMIT_S)
            assert len(api.stage.listener.pending) == 0  # no stranger waits for it
            await listener.read_to_end()
            assert listener.text.count(b": still here") >= STREAM_LIMIT_S / KEEPALIVE_S - 2
            assert STREAM_LIMIT_S <= trio.current_time() - start < STREAM_LIMIT_S + 2 * KEEPALIVE_S
            assert listener.text.endswith(b"0\r\n\r\n")


async def test_there_are_only_so_many_streams_and_one_that_left_makes_room(autojump_clock):
    async with open_api() as api, AsyncExitStack() as stack:
        for _ in range(calls.LISTENERS - 1):
            await stack.enter_async_context(listen(api))
        async with listen(api):
            answer = await api.get("/logs")
            assert (answer.status_code, code_of(answer)) == (429, "too_many_streams")
            assert int(answer.headers["Retry-After"]) > 0
        await trio.sleep(3 * KEEPALIVE_S)  # that it left is noticed by what is sent to it
        async with listen(api) as listener:
            assert listener.text.startswith(b"HTTP/1.1 200")


async def test_a_reader_that_is_too_slow_is_dropped_and_the_others_hear_all(autojump_clock, monkeypatch):
    monkeypatch.setattr(calls, "WAITING_EVENTS", 4)
    async with open_api(callee=BUSY) as api, listen(api, buffer=4096), listen(api) as quick:
        index = index_of(api)
        assert len(index._listeners) == 2
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quick.read_to_end)
            call = api.stage.phone.place_call(TO)
            for _ in range(60):  # 6 MB: more than the buffers of a socket hold
                index._send(call, "many", {"filler": "x" * 100_000}, "")
                await trio.sleep(0.05)
            await call
            await trio.sleep(STALL_TIMEOUT_S + KEEPALIVE_S)
            assert quick.text.count(b'"many"') == 60
            assert len(index._listeners) == 1
            assert api.stage.phone.connections["gone"] == 1
            nursery.cancel_scope.cancel()


async def test_a_closing_door_waits_for_no_stream(autojump_clock):
    async with open_api() as api, listen(api) as listener:
        start = trio.current_time()
        api.stage.listener.stop_accepting()
        await listener.read_to_end()
        assert trio.current_time() - start <= CLOSE_LIMIT_S + 0.1


async def test_a_head_request_is_no_stream(autojump_clock):
    async with open_api() as api:
        answer = await api.client.head("/logs")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert index_of(api)._listeners == []


async def test_events_can_be_switched_off(autojump_clock):
    async with open_api(api={"events": False}) as api:
        assert code_of(await api.get("/logs")) == "not_found"
        assert "/logs" not in (await api.get("/openapi.json")).json()["paths"]


async def test_notes_cost_the_index_nothing_while_nobody_listens(autojump_clock):
    async with open_api() as api:
        index, observers = index_of(api), api.stage.phone.observers
        before = list(observers)
        with index.listen(), index.listen():
            assert observers == [*before, index._noted]
        assert observers == before


def index_of(api):
    """The index that watches the stage's phone."""
    listeners = [getattr(each, "__self__", None) for each in api.stage.phone.on_end]
    (index,) = [each for each in listeners if isinstance(each, CallIndex)]
    return index
