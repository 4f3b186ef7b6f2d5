"""Whole calls over loopback: what they cost, where their time went, and how a budget ends them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from llcphone import Agent, EndReason
from llcphone.prices import Rates
from llcphone.realtime.events import Usage
from llcphone.sim.model import CallTool, Pace, Say
from tests.calls.stage import QUESTION, TRANSPORTS, rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone import CallRecord
    from tests.calls.stage import Rehearsal

RATES = Rates(4, 32, 0.4, 0.4, 16, 64)
TURNS = ["Good morning, this is the bakery.", "A table for two, gladly.", "Good bye then, and thank you!"]


async def one_question(stage: Rehearsal, number: int = 1) -> CallRecord:
    """A caller hears the greeting, asks, hears the answer, and hangs up."""
    call = await stage.ring()
    await call.hears_out(0.5, 2500)
    await call.speak(QUESTION)
    await call.hears_out(0.5, 3500)
    call.hang_up()
    return await stage.record(number)


@pytest.mark.parametrize("transports", TRANSPORTS)
async def test_a_record_says_what_the_call_cost_and_where_the_time_of_each_turn_went(
    autojump_clock, transports
) -> None:
    pace = Pace(first_audio_ms=400)
    async with rehearsal(script=TURNS, pace=pace, transports=transports) as stage:
        record = await one_question(stage)
        greeting, answer = record.turns
        assert record.cost_usd == pytest.approx(RATES.cost_usd(Usage(**record.usage)), abs=1e-6)
        assert record.cost_usd == pytest.approx(greeting["cost_usd"] + answer["cost_usd"], abs=1e-6)
        assert record.cost_usd == pytest.approx(stage.phone.day_budget.today_usd, abs=1e-6)
        assert greeting["usage"]["output_audio"] > 0
        assert answer["usage"]["input_audio"] > 0
        assert record.unbilled_responses == 0
        assert sum(answer["parts"].values()) == answer["ear_gap_ms"]
        assert answer["parts"]["first_delta"] >= 400
        assert answer["longest"] == max(answer["parts"], key=lambda part: answer["parts"][part])
        assert answer["ear_gap_ms"] >= answer["answer_gap_ms"]


async def test_a_call_that_has_spent_its_budget_ends_with_a_good_bye_that_was_heard(autojump_clock) -> None:
    async with rehearsal(script=TURNS, money={"call_budget_usd": 0.004}) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 2500)
        await call.speak(QUESTION)
        await call.ended()
        record = await stage.record()
    assert record.reason is EndReason.BUDGET
    assert [turn["asked"] for turn in record.turns] == ["greeting", "caller", "goodbye"]
    said = [line["text"] for line in record.transcript if line["speaker"] == "agent"]
    assert said == TURNS  # all three, each heard to its end
    assert record.cost_usd is not None
    assert record.cost_usd > 0.004


async def test_a_tool_that_runs_when_the_budget_is_spent_does_not_keep_the_call(autojump_clock) -> None:
    agent = Agent("Be brief.")

    @agent.tool
    async def look_up() -> str:
        """Look something up."""
        return "nothing"

    asks = [Say("One moment.", 1500), CallTool("look_up")]
    script = [Say(TURNS[0], 1000), asks, TURNS[2], TURNS[2]]
    async with rehearsal(script=script, agent=agent, money={"call_budget_usd": 0.003}) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 2500)
        await call.speak(QUESTION)
        await call.ended()
        record = await stage.record()
    assert record.reason is EndReason.BUDGET
    assert record.turns[1]["tools"] == ["look_up"]
    assert record.turns[-1]["heard_ms"] is not None


async def test_a_spent_day_lets_no_new_call_in_and_no_live_one_out(
    autojump_clock, no_threads, tmp_path: Path
) -> None:
    money = {"day_budget_usd": 0.001, "state_file": str(tmp_path / "spent.json")}
    async with rehearsal(script=TURNS, money=money) as stage:
        record = await one_question(stage)
        assert record.reason is EndReason.CALLER_HUNG_UP  # though the greeting alone had spent the day
        assert len(record.turns) == 2
        assert stage.phone.ready() == ["the day's budget is spent"]
        assert "Stream" not in stage.phone.answer({"CallSid": "CA9", "From": "+1555", "To": "+1555"})
    async with rehearsal(script=TURNS, money=money) as stage:
        assert stage.phone.day_budget.over  # and it is still that day


async def test_a_slow_model_is_an_alarm_with_its_part_and_without_a_word(autojump_clock, caplog) -> None:
    pace = Pace(first_audio_ms=3_500)
    alarms = {"slow_turn_ms": 2_000, "dead_air_ms": 1_500}
    recovery = {"stall_s": 20.0}
    with caplog.at_level(logging.WARNING, "llcphone.call_warnings"):
        async with rehearsal(script=TURNS, pace=pace, alarms=alarms, recovery=recovery) as stage:
            call = await stage.ring()
            await call.hears_out(0.5, 2500)
            await call.speak(QUESTION)
            await call.hears_out(0.5, 1000)
            call.hang_up()
            record = await stage.record()
    kinds = [alarm["kind"] for alarm in record.alarms]
    assert kinds.count("slow turn") == 1
    assert kinds.count("dead air") == 2  # before the greeting and before the answer
    (slow,) = [alarm for alarm in record.alarms if alarm["kind"] == "slow turn"]
    assert slow["because"] == "first_delta"
    assert slow["lasted_ms"] == record.turns[1]["ear_gap_ms"] >= 3_500
    lines = [each for each in caplog.records if each.name == "llcphone.call_warnings"]
    assert sorted(line.event for line in lines) == sorted(kinds)
    assert not any(word in str(vars(line)) for line in lines for word in ("table", "bakery"))


async def test_an_unknown_model_is_called_without_a_price(autojump_clock) -> None:
    async with rehearsal(script=TURNS, realtime={"model": "gpt-realtime-9"}) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 2500)
        call.hang_up()
        record = await stage.record()
    assert record.cost_usd is None
    assert record.turns[0]["cost_usd"] is None
    assert record.usage["output_audio"] > 0
