"""Whatever somebody else's code raises stays in its block; cancellation and Ctrl-C get out."""

from __future__ import annotations

import asyncio

import pytest
import trio

from llcphone.runtime.containment import contained, kinds_of


class Odd(BaseException):
    """Neither an Exception nor one that Python knows."""


def raised() -> list[BaseException]:
    return [
        RuntimeError("words"),
        SystemExit(1),
        Odd(),
        asyncio.CancelledError(),
        GeneratorExit(),
        RecursionError(),
        MemoryError(),
        StopIteration(),
        ExceptionGroup("", [ValueError("words")]),
        BaseExceptionGroup("", [SystemExit(), BaseExceptionGroup("", [Odd(), ValueError()])]),
    ]


KINDS = [type(exc).__name__ for exc in raised()]


@pytest.mark.parametrize("at", range(len(KINDS)), ids=KINDS)
async def test_any_exception_stays_in_the_block(at: int) -> None:
    thrown = raised()[at]
    with contained() as failure:
        await trio.lowlevel.checkpoint()
        raise thrown
    assert failure.error is thrown
    assert failure.kinds == kinds_of(thrown)
    assert "words" not in str(failure.kinds)


def test_a_block_that_goes_well_has_no_error() -> None:
    with contained() as failure:
        pass
    assert failure.error is None
    assert failure.kinds == []


def test_it_works_without_a_trio_run() -> None:
    with contained() as failure:
        raise SystemExit(3)
    assert failure.kinds == ["SystemExit"]


async def test_a_cancelled_block_is_cancelled() -> None:
    after = []
    with trio.CancelScope() as scope:
        with contained():
            scope.cancel()
            await trio.sleep_forever()
        after.append("the line behind the block")
    assert scope.cancelled_caught
    assert after == []


async def test_a_deadline_of_its_own_stays_in_the_block(autojump_clock: trio.testing.MockClock) -> None:
    with contained() as failure, trio.move_on_after(1) as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert failure.error is None


async def test_an_error_raised_while_being_cancelled_does_not_stop_the_cancellation() -> None:
    async def fails_in_its_cleanup() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Odd

    with trio.CancelScope() as scope:
        with contained() as failure:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails_in_its_cleanup)
                nursery.start_soon(trio.sleep_forever)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert failure.error is not None
    assert failure.kinds == ["Odd"]


async def test_a_cancellation_that_was_kept_and_raised_again_is_an_error_like_any_other() -> None:
    kept: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as exc:
            kept.append(exc)
            raise
    with contained() as failure:
        raise kept[0]
    assert failure.kinds == ["Cancelled"]


def test_ctrl_c_gets_out() -> None:
    with pytest.raises(KeyboardInterrupt), contained():
        raise KeyboardInterrupt


def test_of_a_group_only_ctrl_c_gets_out() -> None:
    with pytest.raises(BaseExceptionGroup) as out, contained() as failure:
        raise BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [KeyboardInterrupt(), Odd()])])
    assert kinds_of(out.value) == ["KeyboardInterrupt"]
    assert failure.kinds == ["Odd", "ValueError"]
