"""The fast leg over a real socket: sending, receiving and keepalive."""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from llcphone.errors import LegClosed
from llcphone.wire.leg import LegLimits
from tests.wire.peers import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    close_payload,
    fill,
    frame,
    leg_and_far,
    parse,
    poll,
    receive_all,
)

# Receiving


async def test_messages_arrive_and_a_ping_between_them_is_answered(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        await far.send(
            b"".join(
                [
                    frame(TEXT, b"a", masked=True),
                    frame(PING, b"?", masked=True),
                    frame(TEXT, b"b", masked=True),
                ]
            )
        )
        assert await leg.receive() == [b"a", b"b"]
        assert parse(await far.read()) == [(PONG, b"?")]


async def test_a_fragmented_message_with_a_ping_inside_is_put_together(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        for piece in (
            frame(TEXT, b"he", fin=False, masked=True),
            frame(PING, b"!", masked=True),
            frame(CONT, b"llo", masked=True),
        ):
            await far.send(piece)
            await wait_all_tasks_blocked()
        assert await leg.receive() == [b"hello"]
        assert parse(await far.read()) == [(PONG, b"!")]


async def test_a_binary_message_is_skipped_and_counted(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        await far.send(frame(BINARY, b"\xff\xff", masked=True) + frame(TEXT, b"text", masked=True))
        assert await leg.receive() == [b"text"]
        assert leg.stats.skipped == 1


async def test_bytes_read_with_the_handshake_come_first(autojump_clock):
    async with leg_and_far(rest=frame(TEXT, b"early", masked=True)) as (leg, far, _):
        assert await leg.receive() == [b"early"]
        await far.send(frame(TEXT, b"later", masked=True))
        assert await leg.receive() == [b"later"]


async def test_a_parked_leg_is_polled_without_waiting_and_serves_pings(autojump_clock):
    async with leg_and_far(client=True, attach=False) as (leg, far, _):
        assert leg.receive_nowait() == []
        await far.send(frame(PING, b"idle") + frame(TEXT, b"event"))
        assert await poll(leg) == [b"event"]
        assert parse(await far.read()) == [(PONG, b"idle")]
        await far.send(frame(CLOSE, close_payload(1001)))
        with pytest.raises(LegClosed) as end:
            await poll(leg)
        assert end.value.code == 1001


async def test_a_flood_lets_other_tasks_run_between_turns(autojump_clock):
    async with leg_and_far() as (leg, far, _), trio.open_nursery() as nursery:
        nursery.start_soon(far.send, frame(PING, masked=True) * 50_000 + frame(TEXT, b"end", masked=True))
        turns = 0

        async def bystander() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(bystander)
        assert await leg.receive() == [b"end"]
        assert turns > 500
        nursery.cancel_scope.cancel()


# Sending


async def test_frames_go_out_at_once_and_in_order_from_both_sides(autojump_clock):
    for client in (False, True):
        async with leg_and_far(client=client) as (leg, far, _):
            start = trio.current_time()
            leg.send_nowait(b"one")
            leg.send_many_nowait([b"two", b"three"])
            assert (leg.stats.frames_out, leg._queue.size_bytes) == (3, 0)
            data = b""
            while len(data) < leg.stats.bytes_out:
                data += await far.read()
            assert parse(data) == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"three")]
            assert trio.current_time() == start


async def test_what_the_kernel_refuses_waits_in_the_outbox_and_arrives_in_order(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, far, lost):
        count = await fill(leg)
        for i in range(count, count + 50):
            leg.send_nowait(b"%06d" % i)
        leg.send_many_nowait([b"%06d" % i for i in range(count + 50, count + 60)])
        data = b""
        while b"%06d" % (count + 59) not in data:
            data += await far.read(100_000)
        assert [payload[:6] for _, payload in parse(data)] == [b"%06d" % i for i in range(count + 60)]
        await wait_all_tasks_blocked()
        assert leg._queue.size_bytes == 0
        assert leg.stats.bytes_out == len(data)
        assert lost == []


async def test_the_flush_task_exists_only_while_the_outbox_is_not_empty(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, far, _):

        def tasks() -> list[str]:
            return [
                task.name
                for nursery in trio.lowlevel.current_task().child_nurseries
                for task in nursery.child_tasks
            ]

        assert tasks() == []
        count = await fill(leg)
        assert tasks() == ["flush"]
        received = 0
        while received < count * 1010:
            received += len(await far.read(100_000))
        await wait_all_tasks_blocked()
        assert tasks() == []
        await fill(leg)
        assert tasks() == ["flush"]


async def test_dropping_media_keeps_the_begun_frame_and_all_that_is_not_media(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, far, _):
        count = await fill(leg, media=True)
        for _ in range(10):
            leg.send_nowait(b"media", media=True)
        leg.send_nowait(b"important")
        dropped = leg.drop_media_nowait()
        leg.send_nowait(b"clear")
        data = b""
        while b"clear" not in data:
            data += await far.read(100_000)
        payloads = [payload for _, payload in parse(data)]
        assert payloads[-2:] == [b"important", b"clear"]
        assert b"media" not in payloads
        assert dropped in {10, 11}
        assert len(payloads) == count + 12 - dropped
        assert leg.stats.dropped == dropped


async def test_frames_sent_before_attach_wait_for_it(autojump_clock):
    async with leg_and_far(small_buffers=True, attach=False) as (leg, far, _):
        count = await fill(leg)
        async with trio.open_nursery() as nursery:
            leg.attach(nursery.start_soon, lambda _: None)
            data = b""
            while len(data) < count * 1010:
                data += await far.read(100_000)
        assert len(parse(data)) == count


async def test_a_far_side_that_stops_reading_is_lost_after_five_seconds(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, _, lost):
        start = trio.current_time()
        await fill(leg)
        while not lost:
            assert not leg.closed
            await trio.sleep(0.1)
        assert trio.current_time() - start == pytest.approx(5, abs=0.2)
        assert (lost[0].code, lost[0].reason) == (1006, "stalled")
        leg.send_nowait(b"ignored")
        with pytest.raises(LegClosed):
            await leg.receive()


async def test_a_slow_reader_that_takes_a_little_is_not_stalled(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, far, lost):
        for i in range(100):  # the pair holds about three of them
            leg.send_nowait(b"%06d" % i + b"." * 10_000)
        for _ in range(8):
            await trio.sleep(4)
            assert await far.read(100_000)
        assert lost == []


async def test_an_outbox_above_its_limit_loses_the_leg_inside_send(autojump_clock):
    async with leg_and_far(limits=LegLimits(queue_limit_bytes=2**20)) as (leg, _, lost):
        for _ in range(200):
            leg.send_nowait(b"x" * 100_000)
        assert [(end.code, end.reason) for end in lost] == [(1006, "send queue full")]
        assert leg._queue.size_bytes == 0


async def test_one_message_above_the_limit_is_sent_and_loses_nothing(autojump_clock):
    limits = LegLimits(queue_limit_bytes=2**20)
    async with leg_and_far(small_buffers=True, limits=limits) as (leg, far, lost):
        leg.send_nowait(b"x" * 3 * 2**20)
        leg.send_nowait(b"next")
        read = 0
        while read < 3 * 2**20:
            read += len(await far.read(2**20))
        assert lost == []
        await fill(leg)
        assert (await receive_all(leg))[
            1
        ].reason == "stalled"  # a far side that reads nothing is still given up


async def test_a_loss_wakes_the_waiting_reader(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, _, lost):
        await fill(leg)
        _, end = await receive_all(leg)
        assert end.reason == "stalled"
        assert len(lost) == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9000), st.booleans()), min_size=1, max_size=40), st.booleans())
def test_bytes_on_the_wire_are_whole_frames_whatever_is_dropped(sends, client):
    async def main() -> None:
        async with leg_and_far(small_buffers=True, client=client) as (leg, far, _):
            for number, (size, drop) in enumerate(sends):
                leg.send_nowait(b"%06d" % number + b"." * size, media=True)
                if drop:
                    leg.drop_media_nowait()
            leg.send_nowait(b"last")
            data = b""
            while leg._queue.size_bytes:
                data += await far.read()
            leg._sock._sock.shutdown(socket.SHUT_WR)
            data += await far.read_to_end()
            payloads = [payload for _, payload in parse(data)]
            assert payloads == sorted(payloads)
            assert payloads[-1] == b"last"
            assert len(payloads) == len(sends) + 1 - leg.stats.dropped

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# Keepalive


async def test_a_ping_goes_out_every_twenty_seconds_and_its_pong_is_enough(autojump_clock):
    async with leg_and_far(client=True) as (leg, far, lost):
        pings = []
        for second in range(0, 200, 4):
            before = leg.stats.bytes_out
            leg.keepalive_nowait(float(second))
            if leg.stats.bytes_out == before:
                continue
            pings.append(second)
            ((opcode, payload),) = parse(await far.read())
            assert opcode == PING
            await far.send(frame(PONG, payload))
            assert await poll(leg) == []
        assert pings == list(range(20, 200, 20))
        assert lost == []


async def test_a_leg_that_says_nothing_after_a_ping_is_lost_within_forty_seconds_of_its_last_word(
    autojump_clock,
):
    async with leg_and_far(client=True) as (leg, far, lost):
        for second in range(0, 24, 4):
            leg.keepalive_nowait(float(second))
            await far.send(frame(TEXT, b"busy"))
            assert await poll(leg) == [b"busy"]
        for second in range(24, 60, 4):
            leg.keepalive_nowait(float(second))
            assert lost == []
        leg.keepalive_nowait(60.0)
        assert [(end.code, end.reason) for end in lost] == [(1006, "no answer to a ping")]


@pytest.mark.parametrize("word", [frame(TEXT, b"busy"), frame(PING, b"you?"), frame(PONG, b"unasked")])
async def test_a_leg_that_talks_but_answers_no_ping_lives(word, autojump_clock):
    async with leg_and_far(client=True) as (leg, far, lost):
        for second in range(0, 200, 4):
            leg.keepalive_nowait(float(second))
            await far.send(word)
            await poll(leg)
        assert lost == []
