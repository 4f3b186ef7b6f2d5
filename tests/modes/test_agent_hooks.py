"""What the modes need of any agent: settings of its own, a brief per call, tools with targets."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, CallHandle, ConfigError
from llcphone.call.call import attestation_of
from llcphone.call.setup import plan_call
from llcphone.config import Config
from llcphone.engine.notes import ToolSlow
from tests.calls.memory import Turn, open_memory


def test_an_agents_settings_are_its_calls_alone() -> None:
    agent = Agent("Be brief.", settings={"silence": {"after_s": 15.0}, "realtime": {"speed": 1.2}})
    config = Config()
    setup = plan_call(config, agent)
    assert setup.silence.after_ms == 15_000
    assert setup.session["speed"] == 1.2
    assert config == Config()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"turns": {"silence": 1.0}}, "turns.silence"),
        ({"silent": {"after_s": 1.0}}, "silent.after_s"),
        ({"silence": {"after_s": -1.0}}, "silence.after_s"),
    ],
)
def test_a_setting_that_is_none_is_refused(settings: dict[str, dict[str, float]], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Agent("Be brief.", settings=settings).over(Config())
    assert caught.value.key == key


async def test_a_brief_stands_last_in_the_prompt(autojump_clock) -> None:
    agent = Agent("Be brief.")

    @agent.brief
    def who(call: CallHandle) -> str:
        return f"They rang {call.dialled}."

    async with open_memory(agent) as house:
        call = house.answer()
        assert call.run.setup.session["instructions"] == "Be brief.\n\nThey rang sim."


async def test_a_brief_that_fails_costs_no_call_and_tells_no_secret(autojump_clock, caplog) -> None:
    agent = Agent("Be brief.")

    @agent.brief
    def broken(call: CallHandle) -> str:
        raise ValueError(f"cannot find {call.caller}")

    async with open_memory(agent) as house:
        call = house.answer()
        assert call.run.setup.session["instructions"] == "Be brief."
    assert "brief failed" in caplog.text
    assert "anonymous" not in caplog.text


@pytest.mark.parametrize("takes_s", [0.4, 0.6])
async def test_a_tool_that_misses_its_target_is_told_and_kept(takes_s, autojump_clock, caplog) -> None:
    caplog.set_level(logging.WARNING)
    agent = Agent("Be brief.")

    @agent.tool(target_s=0.5)
    async def look_up() -> str:
        await trio.sleep(takes_s)
        return "noon"

    async with open_memory(agent, turns=[Turn(tool="look_up"), Turn()]) as house:
        call = house.answer()
        await wait_all_tasks_blocked()
        house.join(call)
        await trio.sleep(3)
        so_far = call.run.record_so_far()
        call.end()
        record = await call
    took_ms = round(takes_s * 1000)
    at_ms = record.tools[0]["at_ms"]
    assert 0 <= at_ms <= 3_000 - took_ms
    assert so_far.tools == record.tools
    assert record.tools == (
        {
            "id": record.tools[0]["id"],
            "name": "look_up",
            "at_ms": at_ms,
            "took_ms": took_ms,
            "target_ms": 500,
            "ok": True,
        },
    )
    slow = [note for note in house.notes if note.kind == "tool slow"]
    assert slow == ([ToolSlow("look_up", took_ms, 500)] if takes_s > 0.5 else [])
    assert ("tool slower than its target" in caplog.text) is (takes_s > 0.5)


async def test_a_tool_that_never_ends_stands_in_the_record(autojump_clock) -> None:
    agent = Agent("Be brief.")

    @agent.tool
    async def order() -> str:
        await trio.sleep_forever()

    async with open_memory(agent, turns=[Turn(tool="order"), Turn()]) as house:
        call = house.answer()
        await wait_all_tasks_blocked()
        house.join(call)
        await trio.sleep(3)
        so_far = call.run.record_so_far()
        call.end()
        record = await call
    (tool,) = record.tools
    assert (tool["name"], tool["took_ms"], tool["ok"]) == ("order", None, None)
    assert so_far.tools == record.tools


@pytest.mark.parametrize(
    ("verstat", "letter"),
    [
        ("TN-Validation-Passed-A", "A"),
        ("TN-Validation-Passed-C", "C"),
        ("TN-Validation-Failed-A", ""),
        ("TN-Validation-Passed-A-Diverted", ""),
        ("No-TN-Validation", ""),
        ("A", ""),
        ("", ""),
    ],
)
def test_only_a_passed_attestation_counts(verstat: str, letter: str) -> None:
    assert attestation_of(verstat) == letter
