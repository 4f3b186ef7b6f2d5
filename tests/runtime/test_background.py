"""The loop around every background writer: when it writes, what a failure costs, how long the end takes."""

from __future__ import annotations

from collections import deque

import pytest
import trio

from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger


class Queue:
    """Numbers that a writer takes one at a time, and when it did."""

    def __init__(self, **options: object) -> None:
        self.waiting: deque[int] = deque()
        self.wait_s = 0.0
        self.takes_s = 0.0
        self.failures: list[BaseException | bool] = []
        """What comes of the next writes: raised, or returned."""
        self.written: list[tuple[int, float]] = []
        self.tries: list[float] = []
        self.start_s = trio.current_time()
        self.due_at = NOW
        self.faults = Faults(logger("llcphone.test"))
        self.writer = BackgroundWriter(self.write, self.due, self.faults, failed="not written", **options)  # type: ignore[arg-type]

    def put(self, number: int) -> None:
        if not self.waiting:
            self.due_at = trio.current_time() + self.wait_s
        self.waiting.append(number)
        self.writer.news()

    def due(self) -> float:
        return self.due_at if self.waiting else NEVER

    async def write(self) -> bool:
        self.tries.append(trio.current_time() - self.start_s)
        await trio.sleep(self.takes_s)
        match self.failures.pop(0) if self.failures else True:
            case BaseException() as error:
                raise error
            case False:
                return False
        self.written.append((self.waiting.popleft(), trio.current_time() - self.start_s))
        return True


async def test_what_is_put_is_written_in_order_and_when_it_is_due(autojump_clock) -> None:
    queue = Queue()
    queue.wait_s = 0.5
    async with queue.writer.opened("writer"):
        for number in range(3):
            queue.put(number)
        await trio.sleep(10)
        queue.put(3)
        await trio.sleep(10)
    assert queue.written == [(0, 0.5), (1, 0.5), (2, 0.5), (3, 10.5)]


async def test_failures_pause_longer_and_longer_and_a_success_ends_that(autojump_clock) -> None:
    queue = Queue(pauses_s=(1.0, 5.0))
    queue.failures = [False, RuntimeError("words"), False, True, False]
    async with queue.writer.opened("writer"):
        queue.put(0)
        queue.put(1)
        await trio.sleep(100)
    assert queue.tries == [0, 1, 6, 11, 11, 12]
    assert queue.faults.counts == {"not written": 1}


async def test_news_does_not_shorten_the_pause_after_a_failure(autojump_clock) -> None:
    queue = Queue(pauses_s=(2.0,))
    queue.failures = [False]
    async with queue.writer.opened("writer"):
        for number in range(10):
            queue.put(number)
            await trio.sleep(0.1)
        await trio.sleep(10)
    assert queue.tries[:2] == [0, 2]


async def test_the_rest_is_written_at_once_at_the_end_also_after_a_cancellation(autojump_clock) -> None:
    queue = Queue()
    queue.wait_s = 1000
    queue.takes_s = 0.1
    with trio.move_on_after(1):
        async with queue.writer.opened("writer"):
            queue.put(0)
            queue.put(1)
            await trio.sleep_forever()
    assert [number for number, _ in queue.written] == [0, 1]


async def test_a_write_that_hangs_keeps_the_end_for_its_limit_only(autojump_clock) -> None:
    queue = Queue(flush_s=3.0)
    queue.takes_s = 1000
    async with queue.writer.opened("writer"):
        queue.put(0)
        await trio.sleep(1)
    assert trio.current_time() - queue.start_s == pytest.approx(4)
    assert not queue.written


@pytest.mark.parametrize(("pause_s", "tries"), [(2.0, 3), (5.0, 1)])
async def test_at_the_end_a_failed_write_is_repeated_if_there_is_time(pause_s, tries, autojump_clock) -> None:
    queue = Queue(pauses_s=(pause_s,), flush_s=5.0)
    queue.failures = [False] * 10
    async with queue.writer.opened("writer"):
        queue.put(0)
    assert len(queue.tries) == tries
