"""However and whenever a call ends: no task, no socket, no descriptor stays, and a record is written."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from bench.endings import report, run_crowd
from llcphone import CallRecord, EndReason
from tests.calls.memory import MemoryLeg, echo, open_memory
from tests.calls.stage import TRANSPORTS, nothing_left, task_names
from tests.calls.test_failing_sends import TURNS, hold, make_agent

if TYPE_CHECKING:
    from trio.testing import MockClock


@attrs.define(eq=False)
class CancelAt(trio.abc.Instrument):
    """Cancels a nursery just before the k-th step of any of its tasks, so at the checkpoint after it."""

    nursery: trio.Nursery
    k: int
    steps: int = 0
    cancelled_at: float | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._is_ours(task):
            self.steps += 1
            if self.steps == self.k:
                self.cancelled_at = trio.current_time()
                self.nursery.cancel_scope.cancel()

    def _is_ours(self, task: trio.lowlevel.Task | None) -> bool:
        while task is not None and task.parent_nursery is not None:
            if task.parent_nursery is self.nursery:
                return True
            task = task.parent_nursery.parent_task
        return False


async def hold_and_cancel(k: int) -> tuple[CancelAt, CallRecord, float]:
    """The short call, cancelled at its k-th checkpoint; also when its record was there."""
    ear = MemoryLeg(echo)
    async with open_memory(make_agent(), turns=TURNS) as stage:
        instrument = CancelAt(stage.calls, k)
        trio.lowlevel.add_instrument(instrument)
        try:
            record = await hold(stage, ear)
        finally:
            trio.lowlevel.remove_instrument(instrument)
        (ended_at,) = stage.ended_at
        assert stage.records == [record]
        assert all(leg.freed_at is not None for leg in stage.endpoint.legs)
        assert ear.freed_at is not None or record.started_after_ms is None
    return instrument, record, ended_at


async def test_a_call_may_be_cancelled_at_any_of_its_checkpoints(autojump_clock: MockClock) -> None:
    tasks = task_names()
    reasons = set()
    for k in range(1, 200):
        instrument, record, ended_at = await hold_and_cancel(k)
        if instrument.cancelled_at is None:
            break  # one checkpoint more than the call has
        assert ended_at - instrument.cancelled_at < 1
        reasons.add(record.reason)
    assert k > 25
    # The last ones come when the call has ended by itself and is closing its sockets.
    assert reasons == {EndReason.CANCELLED, EndReason.CALLER_HUNG_UP}
    assert record.reason is EndReason.CALLER_HUNG_UP
    assert task_names() == tasks


@pytest.mark.slow
@pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
async def test_calls_ended_in_every_way_at_random_moments_leave_nothing(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    """``python -m bench.endings`` does the same with 2,000 calls."""
    seed = secrets.randbelow(10**6)
    print(f"python -m bench.endings --calls 75 --pair {'/'.join(transports)} --seed {seed}")
    outcome = await run_crowd(75, seed, transports)
    assert outcome.clean, "\n".join(report(outcome))


async def test_the_check_itself_notices_a_socket_and_a_task(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(AssertionError):
            async with nothing_left():
                nursery.start_soon(trio.sleep_forever, name="left")
        left = trio.socket.socket()
        with pytest.raises(AssertionError):
            async with nothing_left():
                left.close()
        nursery.cancel_scope.cancel()
