"""Every way a fast leg can end."""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from llcphone.errors import LegClosed
from llcphone.wire.socket import Socket
from tests.wire.peers import (
    CLOSE,
    CONT,
    TEXT,
    Far,
    close_payload,
    fill,
    frame,
    leg_and_far,
    leg_over,
    parse,
    receive_all,
    tcp_pair,
)


def start_reader(leg, nursery) -> list:
    """Receive in a task; what came of it, and when it ended, stands in the list at last."""
    ends = []

    async def reader() -> None:
        ends.append(await receive_all(leg))
        ends.append(trio.current_time())

    nursery.start_soon(reader)
    return ends


# Ending by the far side


@pytest.mark.parametrize(
    ("sent", "code", "reason"), [(close_payload(1000, b"bye"), 1000, "bye"), (b"", 1005, "")]
)
async def test_a_close_is_answered_and_told_after_the_messages_before_it(autojump_clock, sent, code, reason):
    async with leg_and_far() as (leg, far, lost):
        await far.send(frame(TEXT, b"last words", masked=True) + frame(CLOSE, sent, masked=True))
        messages, end = await receive_all(leg)
        assert (messages, end.code, end.reason) == ([b"last words"], code, reason)
        assert leg.closed
        assert parse(await far.read()) == [(CLOSE, sent)]
        await leg.aclose()
        assert await far.read() == b""
        assert lost == []


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_close_between_fragments_is_echoed_and_the_open_message_given_up(
    autojump_clock, client, code
):
    async with leg_and_far(client=client) as (leg, far, _):
        masked, sent = not client, close_payload(code, b"bye")
        half = frame(TEXT, b"half of ", fin=False, masked=masked) + frame(
            CONT, b"it", fin=False, masked=masked
        )
        await far.send(frame(TEXT, b"whole", masked=masked) + half + frame(CLOSE, sent, masked=masked))
        messages, end = await receive_all(leg)
        assert (messages, end.code, end.reason) == ([b"whole"], code, "bye")
        assert parse(await far.read()) == [(CLOSE, sent)]
        await leg.aclose()


async def test_eof_and_reset_are_1006_after_what_came_before(autojump_clock):
    for end_it in (lambda far: far.trio.close(), Far.reset):
        async with leg_and_far() as (leg, far, lost):
            await far.send(frame(TEXT, b"words", masked=True) + b"\x81")
            end_it(far)
            messages, end = await receive_all(leg)
            assert (messages, end.code) == ([b"words"], 1006)
            assert lost == []


async def test_a_failed_send_is_told_by_receive_after_the_far_sides_reason(autojump_clock):
    """The model refuses us: it writes an error, a Close, and closes with our bytes unread."""
    async with leg_and_far(client=True) as (leg, far, lost):
        leg.send_nowait(b"unread")
        await far.send(frame(TEXT, b"why not") + frame(CLOSE, close_payload(4000)))
        far.trio.close()
        for _ in range(20):
            leg.send_nowait(b"audio")
        assert leg._mute
        messages, end = await receive_all(leg)
        assert (messages, end.code) == ([b"why not"], 4000)
        assert lost == []


@pytest.mark.parametrize("words", [[], [b"words"]])
async def test_a_failed_send_wakes_the_reader_although_nothing_comes(autojump_clock, words):
    async with leg_and_far() as (leg, far, lost):
        async with trio.open_nursery() as nursery:
            ends = start_reader(leg, nursery)
            await wait_all_tasks_blocked()
            leg._sock._sock.shutdown(socket.SHUT_WR)
            for word in words:
                far.sock.send(frame(TEXT, word, masked=True))
            leg.send_nowait(b"into the void")
        assert (ends[0][0], ends[0][1].code, ends[0][1].reason) == (words, 1006, "send failed")
        assert lost == []


async def test_a_failed_send_without_a_close_frame_is_1006(autojump_clock):
    async with leg_and_far() as (leg, far, lost):
        async with trio.open_nursery() as nursery:
            ends = start_reader(leg, nursery)
            await wait_all_tasks_blocked()
            far.reset()
            leg.send_nowait(b"into the void")
            leg.send_nowait(b"into the void")
        assert (ends[0][0], ends[0][1].code) == ([], 1006)
        assert lost == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff", masked=True), 1007),
        (frame(TEXT, b"unmasked"), 1002),
        (b"\x81\xff" + (2**62).to_bytes(8, "big"), 1009),
    ],
)
async def test_a_broken_stream_is_closed_with_its_code_which_arrives_though_more_is_unread(
    autojump_clock, data, code
):
    async with leg_and_far() as (leg, far, _):
        start = trio.current_time()
        await far.send(data + b"j" * 100_000)
        _, end = await receive_all(leg)
        assert end.code == code
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leg.aclose)
            assert parse(await far.read_to_end())[0][1][:2] == code.to_bytes(2, "big")
        assert trio.current_time() - start <= 1.0


# Ending by us


async def test_aclose_sends_close_and_returns_when_the_far_side_answers(autojump_clock):
    async with leg_and_far() as (leg, far, lost), trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(leg.aclose, 1000, "done")
        assert parse(await far.read()) == [(CLOSE, close_payload(1000, b"done"))]
        await far.send(
            frame(TEXT, b"late audio", masked=True) * 100 + frame(CLOSE, close_payload(1000), masked=True)
        )
        assert await far.read() == b""
        assert trio.current_time() == start
        assert lost == []


async def test_aclose_waits_one_second_for_a_silent_far_side_and_is_idempotent(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        start = trio.current_time()
        await leg.aclose()
        assert trio.current_time() - start == pytest.approx(1.0)
        await leg.aclose()
        leg.abort()
        assert trio.current_time() - start == pytest.approx(1.0)
        assert parse(await far.read_to_end()) == [(CLOSE, close_payload(1000))]


async def test_aclose_under_cancellation_sends_close_and_closes_at_once(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        with trio.CancelScope() as scope:
            scope.cancel()
            await leg.aclose(1001)
        assert scope.cancelled_caught
        assert leg._sock._sock.fileno() == -1
        assert parse(await far.read_to_end()) == [(CLOSE, close_payload(1001))]


@pytest.mark.parametrize("full", [False, True])
async def test_aclose_wakes_a_waiting_receive_and_a_flush(autojump_clock, full):
    async with leg_and_far(small_buffers=True) as (leg, _, lost), trio.open_nursery() as nursery:
        ends = start_reader(leg, nursery)
        if full:
            await fill(leg)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        await leg.aclose(1000)
        await wait_all_tasks_blocked()
        assert ends[0][1].code == 1000
        assert ends[1] == start
        assert lost == []


async def test_no_close_is_written_after_a_partial_frame(autojump_clock):
    async with leg_and_far(small_buffers=True) as (leg, far, _):
        leg.send_nowait(b"z" * 100_000)
        assert leg._queue.begun
        begun = far.sock.recv(30_000)  # now there would be room for a Close
        start = trio.current_time()
        await leg.aclose()
        assert trio.current_time() == start  # nothing to wait for
        assert begun + await far.read_to_end() == (b"\x81\x7f" + (100_000).to_bytes(8, "big")).ljust(
            leg.stats.bytes_out, b"z"
        )


async def test_abort_wakes_a_waiting_receive(autojump_clock):
    async with leg_and_far() as (leg, far, lost), trio.open_nursery() as nursery:
        ends = start_reader(leg, nursery)
        await wait_all_tasks_blocked()
        leg.abort()
        await wait_all_tasks_blocked()
        assert ends[0][1].code == 1006
        assert await far.read() == b""
        leg.send_nowait(b"ignored")
        assert leg.closed
        assert lost == []


async def test_a_reason_that_is_too_long_is_cut_at_a_character(autojump_clock):
    async with leg_and_far() as (leg, far, _):
        await leg.aclose(1000, "ü" * 100)
        ((_, payload),) = parse(await far.read_to_end())
        assert payload[2:].decode() == "ü" * 61


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_any_bytes_end_in_messages_or_leg_closed(pieces, client):
    async def main() -> None:
        ours, theirs = tcp_pair()
        leg, far = leg_over(Socket.from_accepted(ours), client=client), Far(theirs)
        for piece in pieces:
            try:
                await far.send(piece)
            except OSError:
                break
            try:
                leg.receive_nowait()
            except LegClosed:
                break
        far.trio.close()
        _, end = await receive_all(leg)
        assert 1000 <= end.code < 5000
        await leg.aclose()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
