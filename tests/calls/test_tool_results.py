"""Tools that raise anything, return anything, or return too much: an answer to the model, whatever it was."""

from __future__ import annotations

import json
import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, CallHandle, ConfigError, EndReason
from llcphone.call.tool_results import LONGEST
from llcphone.runtime.containment import kinds_of
from llcphone.sim.model import CallTool, Say
from tests.calls.memory import open_memory
from tests.calls.stage import QUESTION, rehearsal
from tests.calls.test_one_calls_fault import WAYS, lives_on, thrown
from tests.calls.test_tools import STOP, answers, asks, creates, live_call
from tests.tools.test_schema import SEQUENCES

if TYPE_CHECKING:
    from trio.testing import MockClock

open_calls = partial(open_memory, call={"media_timeout_s": 300.0})


def name_of(kind: type[BaseException]) -> str:
    """What the model reads of it: a group's first type by name."""
    return kinds_of(thrown(kind))[0]


# -- raising --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("detached", [False, True], ids=["own", "detached"])
async def test_whatever_a_tool_raises_is_an_answer_and_all_calls_live_on(
    kind: type[BaseException], detached: bool, autojump_clock: MockClock
) -> None:
    agent = Agent()

    @agent.tool(detached=detached)
    async def book() -> None:
        await trio.sleep(1)
        raise thrown(kind)

    async with open_calls(agent) as stage:
        _, other_ear, other_model = await live_call(stage)
        _, ear, model = await live_call(stage)
        model.put(*asks(("a", "book")))
        await trio.sleep(1.01)
        assert answers(model) == {"a": {"error": name_of(kind)}}
        assert creates(model) == 1
        assert await lives_on(other_ear, other_model)
        assert await lives_on(ear, model)


@attrs.frozen
class Picky:
    name: str = attrs.field()

    @name.validator
    def _check(self, attribute: object, value: str) -> None:
        raise SystemExit(value)


@pytest.mark.parametrize("kind", WAYS)
async def test_whatever_an_approval_raises_is_a_refusal(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    agent = Agent()

    async def hook(call: CallHandle, name: str, arguments: dict[str, Any]) -> bool:
        raise thrown(kind)

    @agent.tool(irreversible=True, approve=hook)
    async def pay() -> None:
        raise AssertionError("never run")

    @agent.tool
    async def book(who: Picky) -> None:
        raise AssertionError("never run")

    async with open_calls(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "pay")), *asks(("b", "book"), arguments='{"who": {"name": "Ada"}}'))
        await trio.sleep(1)
        told = {
            "a": {"error": "not approved: nobody could be asked"},
            "b": {"error": "bad arguments: SystemExit"},
        }
        assert answers(model) == told
        assert call.record is None
        assert await lives_on(ear, model)


async def test_a_tool_of_a_call_that_ends_is_still_cancelled(autojump_clock: MockClock) -> None:
    agent, ended = Agent(), []

    @agent.tool(retry=5)
    async def endless() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    async with open_calls(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "endless")))
        await wait_all_tasks_blocked()
        ear.put(STOP)
        assert (await call.wait()).reason is EndReason.CALLER_HUNG_UP
        assert len(ended) == 1


async def test_ctrl_c_in_a_tool_still_ends_the_process() -> None:
    agent = Agent()

    @agent.tool
    async def stop() -> None:
        raise KeyboardInterrupt

    async def hold() -> None:
        async with open_calls(agent) as stage:
            _, _, model = await live_call(stage)
            model.put(*asks(("a", "stop")))
            await trio.sleep(5)

    with pytest.raises(BaseExceptionGroup) as out:
        await hold()
    assert kinds_of(out.value) == ["KeyboardInterrupt"]


# -- results that cannot be shown -----------------------------------------------------------------


@attrs.define
class Customer:
    name: str
    order: Any = None


def cycle() -> Customer:
    customer = Customer("Ana")
    customer.order = {"of": customer}
    return customer


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (cycle(), {"status": "done, but its result cannot be shown (Customer refers back to itself)"}),
        (object(), {"status": "done, but its result cannot be shown (object)"}),
        ({"file": os.fsdecode(b"caf\xe9.pdf")}, {"file": "caf\ufffd.pdf"}),
    ],
    ids=["cycle", "object", "half a character"],
)
async def test_an_effect_is_not_repeated_because_its_result_cannot_be_written(
    result: Any, told: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent, effects = Agent(), []

    @agent.tool(retry=2)
    async def pay() -> Any:
        effects.append(1)
        return result

    async with open_calls(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "pay")))
        await trio.sleep(5)
        assert (effects, answers(model)) == ([1], {"a": told})
        ear.put(STOP)
        (tool,) = (await call.wait()).tools
        assert tool["ok"]
        warned = [line for line in caplog.records if line.event.startswith("tool result cannot be shown")]
        assert len(warned) == ("status" in told)


async def test_a_forgotten_await_is_an_error_that_names_it(autojump_clock: MockClock) -> None:
    agent, effects = Agent(), []

    async def send_mail() -> None: ...

    @agent.tool(retry=2)
    async def mail() -> Any:
        effects.append(1)
        return send_mail()

    async with open_calls(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "mail")))
        await trio.sleep(5)
        assert "misses an await before send_mail()" in answers(model)["a"]["error"]
        assert effects == [1]


async def test_rows_of_a_database_keep_their_names(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool
    async def customers() -> Any:
        with sqlite3.connect(":memory:") as db:
            db.row_factory = sqlite3.Row
            rows = db.execute("select 7 as id, 'Ana' as name").fetchall()
        db.close()
        return rows

    async with open_calls(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "customers")))
        await trio.sleep(1)
        assert answers(model) == {"a": [{"id": 7, "name": "Ana"}]}


def plain_wrapper(function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__wrapped__ = function  # type: ignore[attr-defined]
    call.__name__ = function.__name__
    return call


class Desk:
    async def __call__(self, day: str) -> str:
        return f'"{day}"'


async def hours(db: object, day: str) -> str:
    return f'"{day}"'


async def week(day: str) -> str:
    return f'"{day}"'


async def test_partials_objects_and_wrappers_run(autojump_clock: MockClock) -> None:
    agent = Agent()
    agent.tool(partial(hours, object()))
    agent.tool(name="desk")(Desk())
    agent.tool(plain_wrapper(week))
    async with open_calls(agent) as stage:
        _, _, model = await live_call(stage)
        given = '{"day": "monday"}'
        model.put(*asks(("a", "hours"), ("b", "desk"), ("c", "week"), arguments=given))
        await trio.sleep(1)
        assert answers(model) == dict.fromkeys("abc", "monday")


# -- too much -------------------------------------------------------------------------------------


def outputs(model: Any) -> list[str]:
    """Every tool's answer that a session was told."""
    items = [message["item"] for message in model.sent if message["type"] == "conversation.item.create"]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


async def test_a_late_result_and_one_told_unasked_have_the_same_bound(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool(timeout_s=1, late="deliver")
    async def slow() -> str:
        await trio.sleep(2)
        return "x" * 5_000_000

    async with open_calls(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "slow")))
        await trio.sleep(3)
        call.tell("slow", {"of": "y" * 5_000_000}, "x" * 5_000_000)
        await trio.sleep(1)
        _, late, told = outputs(model)
        assert late == told
        assert len(told) == LONGEST
        assert told.endswith(f"{5_000_000 - told.index('…')} characters left out)")
        (arguments,) = [
            item["item"]["arguments"]
            for item in model.sent
            if item.get("item", {}).get("call_id") == "told-1" and "arguments" in item["item"]
        ]
        assert len(arguments) <= LONGEST
        assert list(json.loads(arguments)) == ["of"]
        assert await lives_on(ear, model)


async def test_only_a_tool_of_the_agent_is_told_of(autojump_clock: MockClock) -> None:
    async with open_calls(Agent()) as stage:
        call, ear, model = await live_call(stage)
        with pytest.raises(ConfigError, match="the agent has no such tool"):
            call.tell("crm.lookup", {}, 1)
        assert await lives_on(ear, model)


async def test_a_brief_has_a_bound_too(autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")
    agent.brief(lambda call: "x" * 5_000_000)
    async with open_calls(agent) as stage:
        await live_call(stage)
        (update, *_) = [each for each in stage.model.sent if each["type"] == "session.update"]
        _, brief = update["session"]["instructions"].split("\n\n")
        assert len(brief) == LONGEST


def outputs_of(session: Any) -> list[str]:
    """Every tool's answer in the items that a simulated session was sent."""
    items = [event["item"] for event in session.events("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def reader(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """Greets, calls the tool, and says how long its answer is."""
    if not any(item.get("role") == "assistant" for item in past):
        return Say("Good morning!")
    if past[-1]["type"] == "function_call_output":
        return Say(f"I read {len(past[-1]['output'])} characters.")
    return CallTool("look_up")


async def test_the_strict_vendor_takes_every_way_to_write_a_sequence(autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")
    for at, (hint, _, _) in enumerate(SEQUENCES):

        async def take(it: Any) -> None: ...

        take.__annotations__ = {"it": hint}
        agent.tool(name=f"take_{at}")(take)
    async with rehearsal(script=[Say("Good morning!")], agent=agent) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears(0.3)
        assert len(session.config["tools"]) == len(SEQUENCES)
        call.hang_up()
        await stage.record()
        assert not stage.noted("model error")


async def test_megabytes_cost_no_session_and_are_told_the_next_one_as_they_were_cut(
    autojump_clock: MockClock,
) -> None:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def look_up() -> str:
        return "x" * 5_000_000

    async with rehearsal(script=reader, agent=agent) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await session.until(lambda: any(item.type == "function_call_output" for item in session.items))
        await call.hears(0.3)
        assert len(stage.model.sessions) == 1
        await call.silence_for(800)
        session.reset()
        again = await stage.session(2)
        await again.until(lambda: any(item.type == "function_call_output" for item in again.items))
        call.hang_up()
        await stage.record()
        (first,) = outputs_of(session)
        (second,) = outputs_of(again)
        assert first == second
        assert len(first) == LONGEST
        assert len(stage.model.sessions) == 2
