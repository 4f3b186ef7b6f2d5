"""A leg over a socket object that stays with its handler."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve
from quart import websocket as quart_websocket
from quart_trio import QuartTrio
from trio.testing import wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, open_websocket_url

from llcphone.errors import LegClosed
from llcphone.wire.foreign_leg import RECEIVE_MESSAGES, SEND_MESSAGES, ForeignLeg
from llcphone.wire.leg import LegLimits
from tests.wire.peers import ended, websocket_server


class Slow:
    """A quart-like socket object on memory channels; ``send`` waits while ``stuck``."""

    def __init__(self) -> None:
        self.to_us, self._in = trio.open_memory_channel(1000)
        self.sent, self.closes = [], []
        self.moving = trio.Event()
        self.moving.set()

    async def receive(self):
        return await self._in.receive()

    async def send(self, data) -> None:
        await self.moving.wait()
        self.sent.append(data)

    async def close(self, code, reason="") -> None:
        self.closes.append((code, reason))


@asynccontextmanager
async def pumped(**kwargs):
    """``(leg, socket, lost, handler)``; ``handler`` is the cancel scope of the handler's task."""
    socket, lost, handler = Slow(), [], trio.CancelScope()
    leg = ForeignLeg(socket, **kwargs)
    leg.attach(lambda *a, **k: None, lost.append)

    async def handle() -> None:
        with handler:
            await leg.pump()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(handle)
        yield leg, socket, lost, handler
        nursery.cancel_scope.cancel()


async def test_messages_pass_both_ways_and_binary_is_skipped(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        for message in ("ü", b"\x00\xff", "two"):
            socket.to_us.send_nowait(message)
        leg.send_nowait(b"one")
        leg.send_many_nowait(["ü".encode(), b"three"])
        await wait_all_tasks_blocked()
        assert await leg.receive() == ["ü".encode(), b"two"]
        assert leg.receive_nowait() == []
        assert socket.sent == ["one", "ü", "three"]
        assert (leg.stats.frames_in, leg.stats.frames_out, leg.stats.skipped) == (2, 3, 1)
        assert lost == []


async def test_a_cancelled_handler_is_1001_after_what_came_before_and_cancels_no_reader(
    autojump_clock,
):
    async with pumped() as (leg, socket, lost, handler):
        socket.to_us.send_nowait("stop")
        await wait_all_tasks_blocked()
        handler.cancel()
        await wait_all_tasks_blocked()
        assert await ended(leg) == ([b"stop"], 1001)
        assert lost == []
        assert socket.closes == []
        leg.send_nowait(b"ignored")
        await leg.aclose()


async def test_aclose_closes_in_the_handlers_task_and_lets_the_handler_go(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        await wait_all_tasks_blocked()
        await leg.aclose(1000, "done")
        assert socket.closes == [(1000, "done")]
        assert leg.closed
        assert await ended(leg) == ([], 1000)
        await leg.aclose()
        assert lost == []


async def test_a_leg_closed_before_its_handler_pumps_is_closed_by_the_pump(autojump_clock):
    socket = Slow()
    leg = ForeignLeg(socket)
    await leg.aclose(1001)
    await leg.pump()
    assert socket.closes == [(1001, "")]


async def test_a_close_that_hangs_is_given_up_after_a_second(autojump_clock):
    class Hanging(Slow):
        async def close(self, code, reason="") -> None:
            await trio.sleep_forever()

    leg = ForeignLeg(Hanging())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leg.pump)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        await leg.aclose()
    assert trio.current_time() - start == pytest.approx(1)


async def test_abort_lets_the_handler_go_without_a_word(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        await wait_all_tasks_blocked()
        leg.abort()
        assert await ended(leg) == ([], 1006)
        await wait_all_tasks_blocked()
        assert (socket.closes, lost) == ([], [])


async def test_aclose_under_cancellation_returns_at_once(autojump_clock):
    async with pumped() as (leg, socket, _, _):
        socket.moving = trio.Event()
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await leg.aclose()
        assert scope.cancelled_caught
        assert leg.closed


async def test_a_send_stuck_for_five_seconds_is_a_lost_leg(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        socket.moving = trio.Event()
        start = trio.current_time()
        leg.send_nowait(b"x")
        assert await ended(leg) == ([], 1006)
        assert trio.current_time() - start == pytest.approx(5)
        assert [end.reason for end in lost] == ["stalled"]


async def test_a_receive_queue_overrun_is_a_lost_leg_whose_messages_can_still_be_read(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        for number in range(RECEIVE_MESSAGES + 1):
            socket.to_us.send_nowait(str(number))
        await wait_all_tasks_blocked()
        assert [end.reason for end in lost] == ["receive queue full"]
        messages, code = await ended(leg)
        assert (len(messages), code) == (RECEIVE_MESSAGES, 1006)


@pytest.mark.parametrize(("size", "count"), [(1, SEND_MESSAGES + 1), (2**20, 6)])
async def test_a_send_queue_too_long_or_too_big_is_a_lost_leg(autojump_clock, size, count):
    async with pumped() as (leg, _, lost, _):
        for number in range(count):
            assert lost == [], number
            leg.send_nowait(b"x" * size)
        assert [end.reason for end in lost] == ["send queue full"]


async def test_one_message_above_the_limit_is_sent_and_loses_nothing(autojump_clock):
    async with pumped() as (leg, socket, lost, _):
        leg.send_nowait(b"x" * 5 * 2**20)
        leg.send_nowait(b"next")
        await wait_all_tasks_blocked()
        assert lost == []
        assert [len(message) for message in socket.sent] == [5 * 2**20, 4]


async def test_dropping_media_keeps_the_rest_and_the_message_being_sent(autojump_clock):
    async with pumped() as (leg, socket, _, _):
        socket.moving = trio.Event()
        leg.send_nowait(b"begun", media=True)
        await wait_all_tasks_blocked()
        leg.send_many_nowait([b"m1", b"m2"], media=True)
        leg.send_nowait(b"mark")
        assert leg.drop_media_nowait() == 2
        leg.send_nowait(b"clear")
        socket.moving.set()
        await wait_all_tasks_blocked()
        assert socket.sent == ["begun", "mark", "clear"]
        assert leg.stats.dropped == 2


async def test_an_error_of_the_socket_object_reaches_its_handler_and_ends_the_leg(autojump_clock):
    class Broken(Slow):
        async def receive(self):
            raise ZeroDivisionError

    leg = ForeignLeg(Broken())
    with pytest.RaisesGroup(ZeroDivisionError):
        await leg.pump()
    assert await ended(leg) == ([], 1006)


async def test_a_trio_websocket_connection_as_a_leg(autojump_clock):
    ends = []

    async def handler(request):
        leg = ForeignLeg(await request.accept())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leg.pump)
            messages, code = [], 0
            try:
                while True:
                    got = await leg.receive()
                    messages += got
                    leg.send_many_nowait(got)
            except LegClosed as end:
                code = end.code
            ends.append((messages, code))

    async with websocket_server(handler) as url:
        async with open_websocket_url(url) as client:
            await client.send_message("héllo")
            assert await client.get_message() == "héllo"
            await client.aclose(1001)
        await trio.sleep(0.1)
    assert ends == [(["héllo".encode()], 1001)]


@asynccontextmanager
async def quart_app(handle_leg):
    """quart-trio on hypercorn with a websocket route that serves a leg; yields its URL."""
    app = QuartTrio(__name__)

    @app.websocket("/media")
    async def media():
        leg = ForeignLeg(quart_websocket._get_current_object(), limits=LegLimits())
        nursery.start_soon(handle_leg, leg)
        await leg.pump()

    config = HypercornConfig()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        start = nursery.start
        (address,) = await start(
            lambda task_status: serve(app, config, shutdown_trigger=stop.wait, task_status=task_status)
        )
        yield address.replace("http", "ws") + "/media"
        stop.set()
        nursery.cancel_scope.cancel()


async def test_a_quart_websocket_as_a_leg_and_its_hang_up(autojump_clock):
    ended, done = [], trio.Event()

    async def call(leg):
        messages = []
        try:
            while True:
                got = await leg.receive()
                messages += got
                leg.send_many_nowait(got)
        except LegClosed as end:
            ended.append((messages, end.code))
        await leg.aclose()
        done.set()

    async with quart_app(call) as url:
        async with open_websocket_url(url) as client:
            await client.send_message("one")
            assert await client.get_message() == "one"
        with trio.fail_after(5):
            await done.wait()
        await trio.aclose_forcefully(client._stream)
    assert ended == [([b"one"], 1001)]


async def test_a_quart_client_sees_our_close(autojump_clock):
    async def call(leg):
        leg.send_nowait(b"bye")
        await trio.sleep(0.1)
        await leg.aclose(1000, "done")

    async with quart_app(call) as url:
        async with open_websocket_url(url) as client:
            assert await client.get_message() == "bye"
            with pytest.raises(ConnectionClosed) as closed:
                await client.get_message()
            assert closed.value.reason.code == 1000
        await trio.aclose_forcefully(client._stream)
