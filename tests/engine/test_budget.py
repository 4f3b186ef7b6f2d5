"""A call that has cost enough: what is being said is finished, a good-bye, and the end."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.call_setup import AtLimit, MoneyPlan
from llcphone.engine.events import EndReason, ModelLegLost
from llcphone.prices import Rates
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped, Usage
from llcphone.realtime.messages import CreateResponse, SystemText
from llcphone.twilio.media import StreamStopped
from tests.engine.script import CANCELLED, Ear, Script, created, delta, done, item_done, live
from tests.engine.setups import money_plan, recovery_plan

RATES = Rates(4, 32, 0.4, 0.4, 16, 64)
ONE_CENT = Usage(output_audio=10_000 // 64)  # 156 tokens: $0.009984
HALF = Usage(output_audio=78)
CUE = "Say good-bye."


def plan(budget_usd: float = 0.009, **fields: Any) -> MoneyPlan:
    return money_plan(rates=RATES, budget_usd=budget_usd, goodbye_cue=CUE, **fields)


def says_all(ear: Ear, response: str, item: str, ms: int, usage: Usage) -> None:
    ear.sees(created(response), delta(ms, item, response), item_done(item, response))
    ear.sees(done(response, usage=usage))


def answered(money: MoneyPlan, usage: Usage = ONE_CENT, **setup: Any) -> tuple[Script, Ear]:
    """The caller has spoken and the agent answers with 400 ms, of which the tokens are told."""
    call = live(money=money, **setup)
    ear = Ear(call)
    ear.sees(delta(400), item_done(), done("r1", usage=usage))
    return call, ear


def test_every_response_is_billed_to_its_turn_and_to_the_call() -> None:
    call = Script(money=plan(0), priming=True).live()
    call.sees(created("p", "priming", in_conversation=False), done("p", usage=Usage(input_text=250)))
    call.caller_says("u1", "r1")
    call.sees(done("r1", usage=Usage(input_text=1_000, cached_text=500, output_text=100)))
    bill, (turn,) = call.engine.state.talk.bill, call.engine.state.talk.timings.turns
    assert turn.cost_usd == pytest.approx((500 * 4 + 500 * 0.4 + 100 * 16) / 1e6)
    assert bill.cost_usd == pytest.approx(turn.cost_usd + 250 * 4 / 1e6)
    told = [note.fields for note in call.notes if note.kind == "tokens"]
    assert [fields["of_turn"] for fields in told] == [False, True]
    assert told[-1]["call_usd"] == bill.cost_usd
    assert told[-1]["cached_share"] == 0.5


def test_a_model_without_a_price_has_an_unknown_cost_and_no_budget() -> None:
    call, _ = answered(money_plan(rates=None, budget_usd=0.001))
    assert call.engine.state.talk.bill.cost_usd is None
    assert call.engine.state.talk.timings.turns[0].cost_usd is None
    assert not call.engine.state.talk.bill.over
    assert call.engine.state.talk.bill.usage == ONE_CENT


def test_an_end_that_is_told_twice_is_paid_once() -> None:
    call, ear = answered(plan(0))
    ear.sees(done("r1", usage=ONE_CENT))
    assert call.engine.state.talk.bill.usage == ONE_CENT


def test_a_response_that_the_hang_up_cut_off_is_counted_as_not_billed() -> None:
    call = live(money=plan(0))
    call.sees(delta(400), StreamStopped())
    assert call.engine.state.talk.bill.unbilled == 1
    assert call.engine.state.talk.bill.cost_usd == 0


def test_a_cancelled_response_is_billed_for_what_it_made() -> None:
    call = live(money=plan(0))
    call.sees(delta(400), done("r1", status=CANCELLED, usage=HALF))
    assert call.engine.state.talk.bill.cost_usd == pytest.approx(78 * 64 / 1e6)
    assert call.engine.state.talk.bill.unbilled == 0


def test_a_call_below_its_budget_goes_on() -> None:
    call, ear = answered(plan(), HALF)
    assert SystemText(CUE) not in call.said.model
    ear.at(5_000)
    assert call.engine.ended is None


def test_a_spent_budget_lets_the_sentence_end_then_says_good_bye_then_ends() -> None:
    call, ear = answered(plan())
    assert call.said.model[-2:] == [SystemText(CUE), CreateResponse("goodbye")]
    assert [note.kind for note in call.notes].count("budget spent") == 1
    ear.at(200)
    ear.sees(created("r2", "goodbye"), delta(600, "i2", "r2"), item_done("i2", "r2"), done("r2"))
    ear.at(900)
    assert call.engine.ended is None
    ear.at(1_010)  # 400 ms of the answer and 600 ms of good-bye
    assert call.engine.ended is EndReason.BUDGET
    assert ear.heard_ms == 1_000
    assert call.engine.state.talk.timings.turns[-1].asked == "goodbye"


def test_a_caller_who_interrupts_the_good_bye_is_answered_and_then_it_ends() -> None:
    call, ear = answered(plan())
    ear.sees(created("r2", "goodbye"), delta(600, "i2", "r2"))
    ear.at(500)
    ear.sees(SpeechStarted("u2"), done("r2", status=CANCELLED), SpeechStopped("u2"), InputCommitted("u2"))
    assert call.engine.ended is None
    says_all(ear, "r3", "i3", 300, ONE_CENT)
    ear.at(1_000)
    assert call.engine.ended is EndReason.BUDGET
    assert call.said.model.count(SystemText(CUE)) == 1


def test_nobody_talks_longer_than_the_grace() -> None:
    call, ear = answered(plan(grace_ms=3_000))
    ear.sees(created("r2", "goodbye"))
    ear.at(500)
    ear.sees(SpeechStarted("u2"))
    ear.at(2_999)
    assert call.engine.ended is None
    ear.at(3_000)
    assert call.engine.ended is EndReason.BUDGET


def test_hang_up_ends_after_what_is_being_said_without_another_response() -> None:
    call, ear = answered(plan(at_limit=AtLimit.HANG_UP))
    ear.at(390)
    assert call.engine.ended is None
    ear.at(410)
    assert call.engine.ended is EndReason.BUDGET
    assert SystemText(CUE) not in call.said.model


def test_note_only_tells_and_once() -> None:
    call, ear = answered(plan(at_limit=AtLimit.NOTE))
    ear.at(1_000)
    ear.call.caller_says("u2", "r2")
    ear.sees(delta(200, "i2", "r2"), item_done("i2", "r2"), done("r2", usage=ONE_CENT))
    ear.at(8_000)
    assert call.engine.ended is None
    assert [note.kind for note in call.notes].count("budget spent") == 1


def test_a_budget_that_priming_has_spent_ends_the_call_after_one_good_bye() -> None:
    call = Script(money=plan(), priming=True).live()
    ear = Ear(call)
    ear.sees(created("p", "priming", in_conversation=False), done("p", usage=ONE_CENT))
    ear.sees(created("r1", "goodbye"), delta(200), item_done(), done("r1"))
    ear.at(250)
    assert call.engine.ended is EndReason.BUDGET


def test_a_good_bye_waits_while_the_caller_speaks() -> None:
    call = live(money=plan())
    ear = Ear(call)
    ear.sees(delta(400), SpeechStarted("u2"), done("r1", status=CANCELLED, usage=ONE_CENT))
    assert SystemText(CUE) not in call.said.model
    ear.sees(SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    says_all(ear, "r2", "i2", 200, HALF)
    assert call.said.model[-2:] == [SystemText(CUE), CreateResponse("goodbye")]


def test_a_model_lost_on_the_good_bye_ends_the_call_by_the_grace_at_the_latest() -> None:
    call, ear = answered(plan(grace_ms=5_000), recovery=recovery_plan(limit_ms=8_000))
    ear.sees(created("r2", "goodbye"), ModelLegLost(1))
    ear.at(5_100)
    assert call.engine.ended is EndReason.BUDGET


def test_a_hang_up_of_the_agents_own_keeps_its_reason() -> None:
    call, ear = answered(plan(0))
    call.engine.state.hang_up_when_heard(call.now_ms)
    ear.at(500)
    assert call.engine.ended is EndReason.AGENT_HUNG_UP


def test_what_older_runs_have_cost_counts() -> None:
    call, ear = answered(plan(0.02, spent_usd=0.015))
    assert call.engine.state.talk.bill.over
    assert call.engine.state.talk.bill.cost_usd == pytest.approx(0.009984)  # this run's own share
    assert call.engine.state.talk.bill.call_usd == pytest.approx(0.024984)
    ear.at(600)
    assert SystemText(CUE) in call.said.model


def test_a_run_that_begins_with_nothing_left_says_good_bye_at_once() -> None:
    call = Script(money=plan(0.02, spent_usd=0.02)).live()
    call.until(100)
    assert SystemText(CUE) in call.said.model
