"""A process that had the port before and hangs: what its questions cost those who call now."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import trio

from llcphone.server.handover import SUPPORTED, new_address
from llcphone.server.own_calls import Concern, concern_of
from llcphone.server.previous_process import ANSWER_S, PreviousProcess, passed_to_previous
from llcphone.server.socket_passing import NO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="sockets are handed over on Linux")


def post(path: str, **form: str) -> bytes:
    body = urlencode(form)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


NEW_CALL = post("/twiml", CallSid="CA1")
STREAM = b"GET /media/abc HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def old_process() -> AsyncIterator[tuple[PreviousProcess, trio.SocketListener]]:
    """One whose kernel takes questions and which answers none by itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
        address = new_address()
        plain.bind("\0" + address)
        plain.listen(128)
        async with trio.SocketListener(trio.socket.from_stdlib_socket(plain.dup())) as listener:
            yield PreviousProcess(address), listener


async def waited_s(previous: PreviousProcess, request: bytes) -> float:
    began, (ours, theirs) = trio.current_time(), trio.socket.socketpair()
    with ours, theirs:
        assert not await passed_to_previous([previous], trio.SocketStream(ours), request)
    return trio.current_time() - began


async def test_only_who_calls_first_waits_for_a_process_that_hangs(autojump_clock: MockClock) -> None:
    async with old_process() as (previous, _):
        assert await waited_s(previous, NEW_CALL) == pytest.approx(ANSWER_S)
        assert await waited_s(previous, NEW_CALL) == 0
        assert await waited_s(previous, STREAM) == pytest.approx(ANSWER_S), "nobody else could have its call"
        assert await waited_s(previous, NEW_CALL) == 0


async def test_who_calls_meanwhile_waits_no_longer_than_the_first(autojump_clock: MockClock) -> None:
    waits: list[float] = []

    async def calls_after(delay_s: float) -> None:
        await trio.sleep(delay_s)
        waits.append(await waited_s(previous, NEW_CALL))

    async with old_process() as (previous, _), trio.open_nursery() as nursery:
        for delay_s in (0.0, 1.0, 2.0):
            nursery.start_soon(calls_after, delay_s)
    assert sorted(waits) == pytest.approx([1.0, 2.0, 3.0])


async def test_a_process_that_answers_again_is_asked_again(autojump_clock: MockClock) -> None:
    async with old_process() as (previous, listener):
        await waited_s(previous, NEW_CALL)
        await (await listener.accept()).aclose()  # the question that has no answer

        async def answer() -> None:
            async with await listener.accept() as stream:
                await stream.send_all(NO)

        for request in (STREAM, NEW_CALL):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer)
                assert await waited_s(previous, request) < ANSWER_S
        assert not previous.hangs


@pytest.mark.parametrize(
    ("request_", "concern"),
    [
        (NEW_CALL, Concern.NEW),
        (STREAM, Concern.BEGUN),
        (post("/twiml/token"), Concern.BEGUN),
        (post("/recording/call", CallSid="CA1"), Concern.BEGUN),
        (b"GET /calls/1 HTTP/1.1\r\nHost: a\r\n\r\n", Concern.BEGUN),
        (b"GET /calls HTTP/1.1\r\nHost: a\r\n\r\n", Concern.NONE),
        (post("/calls"), Concern.NONE),
        (b"nonsense\r\n\r\n", Concern.NONE),
    ],
)
def test_a_request_says_by_its_path_and_form_whose_it_may_be(request_: bytes, concern: Concern) -> None:
    assert concern_of(request_) is concern
