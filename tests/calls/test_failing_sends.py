"""A send may fail at any message of a call, in three ways, inside any task's step.

One short call visits every kind of sender: the twilio reader, the openai reader, the deadline task (a due
update), a tool's task, and a step made from outside the call. It is held once for every message that
leaves it; that message cannot be sent. Each time the call ends with a record, at once, and in peace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, CallRecord, EndReason, JoinRefused
from llcphone.engine.events import ModelSaid
from llcphone.realtime.events import SpeechStarted
from tests.calls.memory import Failure, MemoryLeg, MemoryStage, Turn, echo, media, open_memory
from tests.calls.stage import JUST_END, engine_of, task_names

if TYPE_CHECKING:
    from trio.testing import MockClock

TURNS = [Turn(800), Turn(400, tool="look_up"), Turn(400), Turn(600)]
SENDERS = {"twilio reader", "openai reader", "deadlines", "tool look_up", "outside"}
LOST = {"phone": EndReason.PHONE_LOST, "model": EndReason.MODEL_LOST}


def make_agent() -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def look_up() -> str:
        return "nine to five"

    @agent.tool
    async def more() -> str:
        return "more"

    return agent


async def hold(stage: MemoryStage, ear: MemoryLeg) -> CallRecord:
    """The short call, every input of it, whatever has become of the call meanwhile."""
    call = stage.answer()
    await trio.sleep(0.5)  # a leg that fails before the session is configured is dialled again
    try:
        stage.join(call, ear)
    except JoinRefused:
        return await call.wait()
    await wait_all_tasks_blocked()  # the full tools leave with the deadline task
    ear.put(media(), media())
    await wait_all_tasks_blocked()
    stage.model.put(*stage.mind.caller_turn())  # a tool, its answer, the next response
    await wait_all_tasks_blocked()
    ear.reply = lambda message: ()
    stage.model.put(*stage.mind.caller_turn())
    await wait_all_tasks_blocked()
    leg_number = engine_of(call).state.session.leg_number
    call.run.step(ModelSaid(leg_number, SpeechStarted("u", 0)))  # a barge-in
    await wait_all_tasks_blocked()
    ear.put({"event": "stop", "streamSid": "MZ1"})
    with trio.fail_after(1):
        return await call.wait()


async def hold_with_a_failure(
    leg: str, k: int, failure: Failure, recovery: dict[str, Any] = JUST_END
) -> tuple[MemoryLeg, CallRecord]:
    ear = MemoryLeg(echo, fails_at=k if leg == "phone" else 0, failure=failure)
    async with open_memory(make_agent(), turns=TURNS, recovery=recovery) as stage:
        stage.endpoint.fail_first(k if leg == "model" else 0, failure)
        record = await hold(stage, ear)
        failing = ear if leg == "phone" else stage.endpoint.legs[0]
        assert stage.records == [record]
        joined = [ear] if record.started_after_ms is not None else []
        assert all(each.freed_at is not None for each in (*joined, *stage.endpoint.legs))
    return failing, record


@pytest.mark.parametrize("failure", Failure, ids=lambda each: each.name.lower())
@pytest.mark.parametrize("leg", ["phone", "model"])
async def test_a_send_that_fails_anywhere_ends_the_call_in_peace(
    leg: str, failure: Failure, autojump_clock: MockClock
) -> None:
    tasks = task_names()
    senders: set[str] = set()
    k = 0
    while True:
        k += 1
        failing, record = await hold_with_a_failure(leg, k, failure)
        if len(failing.senders) < k:
            break  # one message more than the call has
        senders.add(failing.senders[-1])
        assert failing.failed_at is not None
        assert failing.freed_at is not None
        assert failing.freed_at - failing.failed_at < 1
        if record.attempts == 1:
            assert record.reason is LOST[leg]
        else:  # lost while it was being configured: the next leg took its place
            assert (k, record.reason) == (1, EndReason.CALLER_HUNG_UP)
    assert record.reason is EndReason.CALLER_HUNG_UP
    assert k > 10
    assert {name if name in SENDERS else "outside" for name in senders} >= SENDERS - (
        {"deadlines", "tool look_up"} if leg == "phone" else set()
    )
    assert task_names() == tasks


@pytest.mark.parametrize("failure", Failure, ids=lambda each: each.name.lower())
async def test_a_send_to_the_model_that_fails_anywhere_is_survived(
    failure: Failure, autojump_clock: MockClock
) -> None:
    tasks = task_names()
    k = 0
    while True:
        k += 1
        failing, record = await hold_with_a_failure("model", k, failure, recovery={})
        assert record.reason is EndReason.CALLER_HUNG_UP
        if len(failing.senders) < k:
            break  # one message more than the call has
        assert record.attempts == 2
        assert [gap["owed"] != "" for gap in record.gaps] == ([] if k == 1 else [True])
    assert k > 10
    assert task_names() == tasks
