"""Whole inbound calls over loopback sockets, on both transport pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from llcphone import Agent, EndReason
from llcphone.sim.model import CallTool, Say
from tests.calls.stage import INTERRUPTION, QUESTION, TRANSPORTS, nothing_left, rehearsal

if TYPE_CHECKING:
    from trio.testing import MockClock

pytestmark = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)


async def test_a_caller_is_greeted_asks_and_hangs_up(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with (
        nothing_left(),
        rehearsal(script=["Good morning!", "We open at nine."], transports=transports) as stage,
    ):
        call = await stage.ring()
        await call.hears_out(0.5, 500)
        await call.speak(QUESTION)
        await call.hears_out(0.5, 500)
        call.hang_up()
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller"]
        assert [line["text"] for line in record.transcript if line["speaker"] == "agent"] == [
            "Good morning!",
            "We open at nine.",
        ]
        assert call.record.error_codes == []


async def test_a_barge_in_truncates_where_the_ear_stopped(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    script = [
        "Hello, this is the bakery.",
        Say("A very long answer about everything.", 12_000),
        "Of course, here you are.",
    ]
    async with nothing_left(), rehearsal(script=script, transports=transports) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears(2.0)
        call.speak_nowait(INTERRUPTION)
        truncate = await session.receives("conversation.item.truncate")
        item = next(item for item in session.items if item.id == truncate["item_id"])
        heard_ms = item.kept_ms
        assert 1500 < heard_ms < 5000
        await call.hears(0.5)  # "Of course, here you are."
        await call.silence_for(500)
        call.hang_up()
        record = await stage.record()
        assert record.barge_ins == 1
        assert record.unasked_responses == 0
        cut = next(line for line in record.transcript if line["text"].startswith("A very"))
        assert cut["heard_ms"] == truncate["audio_end_ms"]
        assert cut["text"] != "A very long answer about everything."


async def test_a_tool_answers_and_the_agent_hangs_up_after_its_last_word(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")
    agent.offer_hang_up()

    @agent.tool(lean=True)
    async def opening_hours(day: Literal["weekday", "sunday"]) -> str:
        "When we are open."
        return f"nine to five on a {day}"

    script = [
        "Hello, this is the bakery.",
        CallTool("opening_hours", {"day": "sunday"}),
        "Nine to five.",
        [Say("Good-bye!", 1500), CallTool("hang_up")],
    ]
    async with nothing_left(), rehearsal(script=script, agent=agent, transports=transports) as stage:
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears_out(0.3, 500)
        output = next(item for item in session.items if item.type == "function_call_output")
        assert output.render()["output"] == "nine to five on a sunday"
        await call.speak(QUESTION)
        record = await stage.record()
        assert record.reason is EndReason.AGENT_HUNG_UP
        await call.ended()
        heard_ms = sum(len(audio) for _, audio in call.ear) / 8
        generated_ms = sum(item.generated_ms for item in session.items if item.role == "assistant")
        assert heard_ms == pytest.approx(generated_ms, abs=30)
