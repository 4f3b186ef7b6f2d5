"""A leg that the poller reads: the same messages, the same end, and no trouble for other legs."""

from __future__ import annotations

import contextvars
import os
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from llcphone.errors import LegClosed
from llcphone.wire.poller import Poller
from llcphone.wire.socket import TLSSocket
from llcphone.wire.websocket import connect
from llcphone.wire.websocket_leg import read_all
from tests.wire.peers import (
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    close_payload,
    frame,
    leg_and_far,
    parse,
    tls_contexts,
    websocket_server,
)

FIRST = b"first"


class Reader:
    """A task that reads a leg to its end, through the poller."""

    def __init__(self, leg, poller: Poller | None, on_message=None) -> None:
        self.leg, self.poller = leg, poller
        self.taken: list[bytes] = []
        self.end: BaseException | None = None
        self.task: trio.lowlevel.Task | None = None
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self._also = on_message

    def on_message(self, message: bytes) -> None:
        if message == FIRST:
            return
        self.taken.append(message)
        if self._also is not None:
            self._also(message)

    async def run(self) -> None:
        self.task = trio.lowlevel.current_task()
        with self.scope:
            try:
                await read_all(self.leg, self.on_message, self.poller)
            except Exception as exc:
                self.end = exc
                self.ended.set()


@asynccontextmanager
async def open_poller():
    """``(poller, start)``: a poller that runs, and a way to start readers."""
    poller = Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)

        async def start(leg, far=None, on_message=None) -> Reader:
            """With its far side given it is polled by then: the first message a reader fetches itself."""
            reader = Reader(leg, poller, on_message)
            nursery.start_soon(reader.run)
            if far is not None:
                await far.send(text(FIRST))
                await wait_all_tasks_blocked()
            return reader

        yield poller, start
        nursery.cancel_scope.cancel()


def text(payload: bytes) -> bytes:
    return frame(TEXT, payload, masked=True)


class Schedules(trio.abc.Instrument):
    def __init__(self) -> None:
        self.of: list[trio.lowlevel.Task] = []

    def task_scheduled(self, task) -> None:
        self.of.append(task)


async def test_messages_are_taken_in_order_without_waking_the_reader(autojump_clock):
    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):
        reader = await start(leg, far)
        assert len(poller) == 1
        watch = Schedules()
        trio.lowlevel.add_instrument(watch)
        for number in range(20):
            await far.send(text(b"%d" % number))
            await wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(watch)
        assert reader.taken == [b"%d" % number for number in range(20)]
        assert watch.of.count(reader.task) == 0


async def test_messages_are_taken_in_the_readers_own_context(autojump_clock):
    whose = contextvars.ContextVar("whose", default="nobody")
    seen: list[str] = []

    async with open_poller() as (_, start), leg_and_far() as (leg, far, _), leg_and_far() as (other, its, _):
        for name, line in {"one": (leg, far), "two": (other, its)}.items():
            whose.set(name)  # a task begins with its starter's context
            await start(*line, on_message=lambda _: seen.append(whose.get()))
        whose.set("neither")
        await far.send(text(b"x"))
        await its.send(text(b"x"))
        await wait_all_tasks_blocked()
    assert sorted(seen) == ["one", "two"]


async def test_a_close_ends_the_reader_after_everything_before_it(autojump_clock):
    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):
        reader = await start(leg, far)
        await far.send(text(b"a") + text(b"b") + frame(CLOSE, close_payload(4001), masked=True))
        await wait_all_tasks_blocked()
        assert reader.taken == [b"a", b"b"]
        assert isinstance(reader.end, LegClosed)
        assert reader.end.code == 4001
        assert len(poller) == 0


@pytest.mark.parametrize("how", ["eof", "reset", "abort", "aclose", "send failed", "lost"])
async def test_every_end_reaches_the_reader_and_leaves_the_hub_empty(autojump_clock, how):
    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):
        reader = await start(leg, far)
        await far.send(text(b"before"))
        await wait_all_tasks_blocked()
        match how:
            case "eof":
                far.trio.close()
            case "reset":
                far.reset()
            case "abort":
                leg.abort()
            case "aclose":
                await leg.aclose()
            case "send failed":
                far.reset()
                for _ in range(3):  # the first may still be taken by the kernel
                    leg.send_nowait(b"x")
            case "lost":
                leg._lose("stalled")
        await wait_all_tasks_blocked()
        assert reader.taken == [b"before"]
        assert isinstance(reader.end, LegClosed)
        assert len(poller) == 0


async def test_a_failed_send_leaves_the_far_sides_last_words_to_be_taken_first(autojump_clock):
    async with open_poller() as (_, start), leg_and_far() as (leg, far, _):

        def answer(message: bytes) -> None:
            if message == b"go":  # the refusal is already in our buffer when this send fails
                leg._sock._sock.shutdown(1)
                leg.send_nowait(b"x")

        reader = await start(leg, far, answer)
        await far.send(text(b"go"))
        await far.send(text(b"refused") + frame(CLOSE, close_payload(4000), masked=True))
        await wait_all_tasks_blocked()
        assert reader.taken == [b"go", b"refused"]
        assert isinstance(reader.end, LegClosed)


async def test_what_take_raises_is_raised_in_its_own_reader_and_nowhere_else(autojump_clock):
    def bad(message: bytes) -> None:
        raise ZeroDivisionError

    async with (
        open_poller() as (poller, start),
        leg_and_far() as (leg, far, _),
        leg_and_far() as (other, its, _),
    ):
        broken, sound = await start(leg, far, bad), await start(other, its)
        await far.send(text(b"boom") + text(b"never taken"))
        await its.send(text(b"fine"))
        await wait_all_tasks_blocked()
        assert isinstance(broken.end, ZeroDivisionError)
        assert broken.taken == [b"boom"]
        assert sound.taken == [b"fine"]
        assert len(poller) == 1


async def test_a_cancelled_reader_takes_its_leg_back(autojump_clock):
    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):
        reader = await start(leg, far)
        reader.scope.cancel()
        await wait_all_tasks_blocked()
        assert len(poller) == 0
        await far.send(text(b"later"))
        assert await leg.receive() == [b"later"]  # nothing was lost: the leg is its owner's again


async def test_one_that_ends_another_in_the_same_turn_does_not_disturb_the_rest(autojump_clock):
    async with (
        open_poller() as (poller, start),
        leg_and_far() as (one, far_one, _),
        leg_and_far() as (two, far_two, _),
    ):
        readers = {
            one: await start(one, far_one, lambda _: two.abort()),
            two: await start(two, far_two, lambda _: one.abort()),
        }
        far_one.sock.send(text(b"x"))
        far_two.sock.send(text(b"x"))
        await wait_all_tasks_blocked()
        assert sum(len(reader.taken) for reader in readers.values()) == 1
        assert len(poller) == 1


async def test_a_new_leg_may_get_the_descriptor_of_one_that_was_just_closed(autojump_clock):
    async with open_poller() as (poller, start):
        for _ in range(5):
            async with leg_and_far() as (leg, far, _):
                reader = await start(leg, far)
                far.sock.send(text(b"a"))
                await wait_all_tasks_blocked()
                assert reader.taken == [b"a"]
                leg.abort()
            async with leg_and_far() as (leg, far, _):  # before the first reader's task has run again
                reader = await start(leg, far)
                far.sock.send(text(b"b"))
                await wait_all_tasks_blocked()
                assert reader.taken == [b"b"]
        assert len(poller) <= 1


async def test_a_flood_on_one_leg_does_not_keep_the_others_waiting(autojump_clock):
    async with (
        open_poller() as (_, start),
        leg_and_far(max_message=1 << 20) as (leg, far, _),
        leg_and_far() as (other, its, _),
    ):
        order: list[str] = []
        await start(leg, far, lambda _: order.append("flood"))
        await start(other, its, lambda _: order.append("other"))
        pings = frame(PING, b"", masked=True) * 3000
        far.sock.send(pings + text(b"end of the flood"))
        its.sock.send(text(b"x"))
        await wait_all_tasks_blocked()
        assert sorted(order) == ["flood", "other"]
        assert order[0] == "other"  # 64 pings a turn: it comes between


async def test_a_ping_is_answered_while_the_leg_is_lent(autojump_clock):
    async with open_poller() as (_, start), leg_and_far() as (leg, far, _):
        await start(leg, far)
        await far.send(frame(PING, b"?", masked=True))
        assert parse(await far.read()) == [(PONG, b"?")]


async def test_a_tls_leg_can_be_lent_although_openssl_hides_bytes_from_epoll(autojump_clock):
    client, server = tls_contexts()
    sent = [b"%d" % number + b"." * 9000 for number in range(40)]

    async def many(request) -> None:
        websocket = await request.accept()
        for message in sent:
            await websocket.send_message(message.decode())
        await websocket.aclose()

    async with open_poller() as (_, start), websocket_server(many, ssl_context=server) as url:
        leg = await connect(url, headers=(), tls=client, timeout_s=5, max_message=1 << 20)
        assert isinstance(leg._sock, TLSSocket)
        reader = await start(leg)
        with trio.fail_after(10):
            await reader.ended.wait()
        assert reader.taken == sent
        await leg.aclose()


async def test_the_hub_leaves_no_descriptor_behind(autojump_clock):
    before = len(os.listdir("/proc/self/fd"))
    async with open_poller() as (_, start), leg_and_far() as (leg, far, _):
        await start(leg, far)
    assert len(os.listdir("/proc/self/fd")) == before


FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=300).map(lambda b: text(b.hex().encode())),
        st.just(frame(PING, b"p", masked=True)),
        st.just(frame(TEXT, b"he", fin=False, masked=True) + frame(CONT, b"llo", masked=True)),
        st.just(frame(CONT, b"no", masked=True)),
        st.just(frame(CLOSE, close_payload(1000), masked=True)),
        st.just(text(b"\xff")),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(frames=FRAMES, cuts=st.lists(st.integers(1, 400), max_size=10))
def test_whatever_comes_however_it_is_cut_the_hub_tells_what_receive_tells(frames, cuts):
    data = b"".join(frames)

    async def told(with_poller: bool) -> tuple[list[bytes], int | None]:
        async with (
            open_poller() as (poller, _),
            leg_and_far() as (leg, far, _),
            trio.open_nursery() as nursery,
        ):
            reader = Reader(leg, poller if with_poller else None)
            nursery.start_soon(reader.run)
            at = 0
            for size in [*cuts, len(data)]:
                await wait_all_tasks_blocked()
                if at < len(data):
                    far.sock.send(data[at : at + size])
                at += size
            await wait_all_tasks_blocked()
            far.trio.close()
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            return reader.taken, getattr(reader.end, "code", None)

    clock = trio.testing.MockClock
    hub_says = trio.run(told, True, clock=clock(autojump_threshold=0))
    receive_says = trio.run(told, False, clock=clock(autojump_threshold=0))
    assert hub_says == receive_says


async def test_what_take_raises_after_it_has_ended_the_leg_is_raised_all_the_same(autojump_clock):
    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):

        def bad(message: bytes) -> None:
            leg.abort()  # polling is over, the reader will be woken
            raise ZeroDivisionError

        reader = await start(leg, far, bad)
        await far.send(text(b"boom"))
        await wait_all_tasks_blocked()
        assert isinstance(reader.end, ZeroDivisionError)
        assert len(poller) == 0


async def test_a_leg_that_cannot_be_served_is_forgotten_and_the_others_are_served_on(autojump_clock, caplog):
    def broken() -> None:
        raise RuntimeError("planted")

    async with open_poller() as (poller, start), leg_and_far() as (leg, far, _):
        reader = await start(leg, far)
        reads, writes = os.pipe()
        poller.watch(reads, broken)
        os.write(writes, b"x")
        await wait_all_tasks_blocked()
        await far.send(text(b"fine"))
        await wait_all_tasks_blocked()
        assert reader.taken == [b"fine"]
        assert len(poller) == 1
        os.close(reads)
        os.close(writes)
    assert [each.event for each in caplog.records] == ["a leg is read no more"]
    assert "planted" not in caplog.text


async def test_a_descriptor_that_was_closed_before_it_was_forgotten_is_forgotten(autojump_clock):
    async with open_poller() as (poller, _):
        reads, writes = os.pipe()
        poller.watch(reads, lambda: None)
        os.close(reads)
        os.close(writes)
        poller.forget(reads)
        assert len(poller) == 0
