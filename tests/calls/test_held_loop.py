"""A tool or hook that blocks holds all calls: it is named, and the model is not blamed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, CallHandle, Note
from llcphone.call.loop_blocking import LONG_MS, timed
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.telemetry.metrics import open_metrics
from tests.calls.stage import engine_of
from tests.calls.test_tools import answers, asks, live_call, rehearsal
from tests.telemetry.test_metrics import Figures

if TYPE_CHECKING:
    from trio.testing import MockClock

BLOCKS_S = LONG_MS / 1000 + 0.02


async def test_a_tool_that_blocks_is_named_in_log_metrics_and_notes(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent, notes = Agent(), []

    @agent.tool
    async def look_up() -> int:
        await trio.sleep(1)
        time.sleep(BLOCKS_S)  # noqa: ASYNC251
        await trio.sleep(1)
        return 7

    caplog.set_level(logging.WARNING)
    async with rehearsal(agent, on_note=lambda call, note: notes.append((call, note))) as stage:
        with open_metrics(stage.phone) as metrics:
            call, _, model = await live_call(stage)
            other, _, _ = await live_call(stage)
            model.put(*asks(("a", "look_up")))
            await trio.sleep(3)
            assert answers(model) == {"a": 7}
            figures = Figures(metrics.page())
    (held,) = [(whose, note) for whose, note in notes if note.kind == "loop held"]
    assert held[0] is call
    assert held[1].fields["by"] == "tool look_up"
    assert held[1].fields["ms"] >= LONG_MS
    (line,) = [each for each in caplog.records if "trio.to_thread" in each.getMessage()]
    assert (line.by, line.call, line.ms) == ("tool look_up", call.call_id, held[1].fields["ms"])
    assert figures("loop_held_seconds_total", by="tool look_up") >= LONG_MS / 1000
    assert figures("trouble_total", what="loop held") == 1
    for each in (call, other):
        assert [by for _, _, by in engine_of(each).policies.alarms._held] == ["tool look_up"]


async def test_a_hook_that_blocks_is_named(autojump_clock: MockClock) -> None:
    agent, notes = Agent(), []

    @agent.on_start
    async def begin(call: CallHandle) -> None:
        time.sleep(BLOCKS_S)  # noqa: ASYNC251

    def noted(call: CallHandle, note: Note) -> None:
        notes.append(note)

    async with rehearsal(agent, on_note=noted) as stage:
        await live_call(stage)
    assert [note.fields["by"] for note in notes if note.kind == "loop held"] == ["hook on_start"]


async def test_a_brief_that_waits_is_named(autojump_clock: MockClock) -> None:
    agent = Agent("Hi.", name="ada")

    @agent.brief
    def brief(call: CallHandle) -> str:
        time.sleep(BLOCKS_S)
        return "It is noon."

    async with rehearsal(agent) as stage:
        await live_call(stage)
        assert list(stage.phone.loop_monitor.held_s) == ["brief of ada"]


async def test_a_tool_that_waits_as_it_should_is_not_named(autojump_clock: MockClock) -> None:
    agent, notes = Agent(), []

    @agent.tool
    async def look_up() -> int:
        await trio.sleep(3)
        return 7

    async with rehearsal(agent, on_note=lambda call, note: notes.append(note)) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "look_up")))
        await trio.sleep(4)
    assert [note for note in notes if note.kind == "loop held"] == []


async def test_what_is_timed_returns_raises_and_is_cancelled_as_ever(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async def returns() -> int:
        await trio.sleep(1)
        return 3

    async def fails() -> None:
        await trio.sleep(1)
        raise ValueError("mine")

    async def waits() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append("cleaned up")

    assert await timed(returns(), seen.append) == 3
    with pytest.raises(ValueError, match="mine"):
        await timed(fails(), seen.append)
    with trio.move_on_after(1) as scope:
        await timed(waits(), seen.append)
    assert (scope.cancelled_caught, seen) == (True, ["cleaned up"])


async def test_a_loop_that_something_else_held_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    pulse = LoopMonitor(list)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.run)
        await trio.sleep(0.15)
        time.sleep(1.2)  # noqa: ASYNC251
        await trio.sleep(0.15)
        nursery.cancel_scope.cancel()
    (line,) = [each for each in caplog.records if each.name == "llcphone.loop_monitor"]
    assert "no tool or hook" in line.getMessage()
    assert line.ms >= 1_000
