"""Whole calls beside a database that is well, locked, slow, stopped or dead: no frame waits for it."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, CallHandle
from llcphone.sim.model import CallTool, Say
from llcphone.store import database, open_store, store_of
from tests.calls.stage import QUESTION, rehearsal
from tests.store.servers import Postgres, own_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

CALLER = "+15551230001"
__all__ = ["own_server"]


def clerk(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """Greets, looks the caller up when they ask, and says what it was told."""
    if not any(item.get("role") == "assistant" for item in past):
        return Say("Good morning!")
    outputs = [item["output"] for item in past if item["type"] == "function_call_output"]
    return Say(f"I was told: {outputs[-1]}") if outputs else CallTool("who_calls")


def agent_with_records() -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def who_calls(call: CallHandle) -> str:
        customer = await store_of(call).find_customer(CALLER)
        return "nobody we know" if customer is None else customer.name

    return agent


async def ask(stage: Rehearsal, patience_s: float = 12.0) -> SimCall:
    """A caller hears the greeting, asks, and listens."""
    call = await stage.ring()
    await call.hears_out(0.3, 2_500)
    await call.speak(QUESTION)
    await trio.sleep(patience_s)
    return call


def told(stage: Rehearsal) -> str:
    said = [str(note.words) for note in stage.noted("agent said")]
    return said[-1]


def lateness_ms(session: Any) -> float:
    """How much later than 20 ms after the one before any frame came, from first to last."""
    times = [each.time_s for each in session.received if each.event["type"] == "input_audio_buffer.append"]
    assert len(times) > 300
    return max((later - sooner) * 1000 - 20 for sooner, later in pairwise(times))


async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
    """In place of a thread, which is no task: a virtual clock would not wait for it."""
    await trio.lowlevel.checkpoint()
    return work(*args)


async def slow(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
    await trio.sleep(2)
    return work(*args)


async def locked(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
    await trio.sleep(5)
    return work(*args)


async def stopped(*_: Any, **__: Any) -> Any:
    await trio.sleep_forever()


async def dead(work: Callable[..., Any], *_: Any, **__: Any) -> Any:
    await trio.lowlevel.checkpoint()
    if getattr(work, "__name__", "") != "close":
        raise OSError("disk I/O error")


@pytest.mark.parametrize(
    ("trouble", "answer", "kept"),
    [
        (at_once, "Ada", True),
        (slow, "StoreUnavailable", True),
        (locked, "StoreUnavailable", True),
        (stopped, "StoreUnavailable", False),
        (dead, "StoreUnavailable", False),
    ],
)
async def test_a_database_in_trouble_is_an_answer_and_delays_no_frame(
    trouble: Any,
    answer: str,
    kept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: Any,
) -> None:
    monkeypatch.setattr(database, "in_thread", at_once)
    settings = {"url": f"sqlite:///{tmp_path / 'phone.db'}"}
    async with rehearsal(script=clerk, agent=agent_with_records(), store=settings) as stage:
        store = stage.phone.store
        assert store is not None
        await store.add_customer("Ada", CALLER)
        monkeypatch.setattr(database, "in_thread", trouble)
        call = await ask(stage)
        session = await stage.session()
        assert answer in told(stage)
        assert lateness_ms(session) < 0.01
        call.hang_up()
        record = await stage.record()
        turn = record.turns[-1]
        assert turn["ear_gap_ms"] < 4_500
        await trio.sleep(6)  # the lock is over; nothing else is
        config = stage.config
    monkeypatch.setattr(database, "in_thread", at_once)
    for place in (store.main, store.look_ups):
        place.close()  # this database did not let them, and Python 3.13 warns of what nobody closed
    async with open_store(config) as again:
        calls = await again.calls()
        assert [each.id for each in calls] == ([record.call_id] if kept else [])
        if kept:
            details = await again.call(record.call_id)
            assert details is not None
            assert [tool.name for tool in details.tools] == ["who_calls"]
            assert details.summary.caller.startswith("+")


@pytest.mark.slow
async def test_a_real_server_that_is_stopped_in_mid_call_is_an_answer(own_server: Postgres) -> None:
    settings = {"url": own_server.url, "timeout_s": 1.0}
    async with rehearsal(script=clerk, agent=agent_with_records(), store=settings) as stage:
        store = stage.phone.store
        assert store is not None
        await store.add_customer("Ada", CALLER)
        assert await store.find_customer(CALLER) is not None  # its connection is open
        group = _processes(own_server.pid)
        try:
            for pid in group:
                os.kill(pid, signal.SIGSTOP)  # of our own server only
            call = await ask(stage, 6.0)
            assert "StoreUnavailable" in told(stage)
            call.hang_up()
            record = await stage.record()
        finally:
            for pid in group:
                os.kill(pid, signal.SIGCONT)
        await store.writer.put(lambda db: None).settled.wait()
        assert [each.id for each in await store.calls()] == [record.call_id]


def _processes(parent: int) -> list[int]:
    """The server and its children, newest last."""
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        return [parent, *map(int, file.read().split())]
