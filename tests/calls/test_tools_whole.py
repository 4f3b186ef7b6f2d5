"""Slow tools in whole calls, over loopback sockets and with strict vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from tests.calls.stage import INTERRUPTION, QUESTION, TRANSPORTS, nothing_left, rehearsal

if TYPE_CHECKING:
    from trio.testing import MockClock

both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
ONE_MOMENT = voices.load("one_moment")


def clerk(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """Greets, calls the tool once, talks meanwhile, and says what it found."""
    if not any(item.get("role") == "assistant" for item in past):
        return Say("Good morning!")
    outputs = [item["output"] for item in past if item["type"] == "function_call_output"]
    if past[-1]["type"] != "function_call_output":
        asked = any(item["type"] == "function_call" for item in past)
        return Say("I am still looking.") if asked else CallTool("look_up")
    return Say(f"I was told: {outputs[-1]}")


def slow_agent(seconds: float, **options: Any) -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True, **options)
    async def look_up() -> str:
        await trio.sleep(seconds)
        return "noon"

    return agent


def heard(call: Any) -> bytes:
    return b"".join(audio for _, audio in call.ear)


@both
async def test_a_slow_tool_is_bridged_by_a_filler_and_told_when_it_is_late(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    agent = slow_agent(7, timeout_s=4, late="deliver")
    settings = {"tool_after_ms": 700, "every_ms": 600_000}
    async with (
        nothing_left(),
        rehearsal(script=clerk, agent=agent, transports=transports, filler=settings) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await session.until(lambda: sum(item.type == "function_call_output" for item in session.items) == 2)
        await call.hears_out(0.3, 800)
        call.hang_up()
        record = await stage.record()
        assert ONE_MOMENT in heard(call)
        assert [line["text"] for line in record.transcript if line["speaker"] == "system"] == ["(filler)"]
        words = [line["text"] for line in record.transcript if line["speaker"] == "agent"]
        assert words[1].startswith('I was told: {"status":"still running after 4 s')
        assert words[2] == "I was told: noon"
        assert len(words) == 3
        assert record.unasked_responses == 0


@both
async def test_a_caller_who_speaks_into_the_filler_silences_it_and_is_answered_while_the_tool_works(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    agent = slow_agent(12)
    settings = {"tool_after_ms": 700, "every_ms": 600_000}
    async with (
        nothing_left(),
        rehearsal(script=clerk, agent=agent, transports=transports, filler=settings) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await session.until(lambda: any(item.type == "function_call" for item in session.items))
        before = len(heard(call))
        await call.hears(0.2)
        await call.speak(INTERRUPTION)
        assert ONE_MOMENT not in heard(call)[before:]  # its end was cleared
        assert not session.events("conversation.item.truncate")
        await session.until(lambda: any(item.type == "function_call_output" for item in session.items))
        await call.hears_out(0.3, 800)
        call.hang_up()
        record = await stage.record()
        words = [line["text"] for line in record.transcript if line["speaker"] == "agent"]
        assert words == ["Good morning!", "I am still looking.", "I was told: noon"]
