"""Guards and budgets that a resume, a transfer or a text message must not go round: whole calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.config import Config
from llcphone.errors import DialRefused
from llcphone.modes import routed
from llcphone.modes.agent_file import load_agent
from llcphone.sim.model import Say
from llcphone.sim.twilio import Callee, DialOutcome
from llcphone.store.webhook import body_of
from llcphone.testing import rehearse
from tests.calls.stage import QUESTION, nothing_left, rehearsal
from tests.calls.test_resume import in_mid_answer, journalled, script
from tests.calls.test_transfer_cold import Desk, asks_for_sales, staged
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")

FIRST, SECOND = "+15550100055", "+15550100056"


# -- the budget of a call ------------------------------------------------------------------------


async def test_a_call_that_lost_its_stream_comes_back_with_what_it_has_spent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path, money={"call_budget_usd": 0.5}) as stage:
        call = await in_mid_answer(stage)
        await call.silence_for(500)
        call.drop()
        await call.stream_started(2)
        (second,) = stage.phone.calls()
        first = stage.records[0]
        assert first.cost_usd
        assert second.spent_usd == pytest.approx(first.cost_usd)
        assert second.run.status.call_usd >= second.spent_usd
        await call.hears(0.5)
        call.hang_up()
        record = await stage.record(2)
        assert record.cost_usd is not None  # a run's record has its own share: the day's sum counts each once
        assert stage.phone.day_budget.today_usd == pytest.approx(first.cost_usd + record.cost_usd)


async def test_a_caller_who_comes_back_from_a_failed_transfer_has_spent_what_they_had(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), staged(dial=DialOutcome("busy")) as stage:
        call = await asks_for_sales(stage)
        await call.stream_started(2)
        (second,) = stage.phone.calls()
        assert second.spent_usd == pytest.approx(stage.records[0].cost_usd, abs=1e-6)  # records are rounded
        assert second.lasted_s >= 0
        call.hang_up()
        await call.ended()


# -- calls at once -------------------------------------------------------------------------------


async def test_a_call_of_ours_that_was_resumed_keeps_its_place_until_twilio_says_completed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = {"outbound": {"max_concurrent": 1}, "journal": {"url": url_of(tmp_path)}}
    agent = Agent("Be brief.")
    async with nothing_left(), rehearse(agent, script=script, settings=settings, callee=Callee()) as stage:
        stage.phone.place_call(FIRST)
        call = await stage.twilio.outbound()
        await call.stream_started()
        await trio.sleep(2)
        call.drop()
        await call.stream_started(2)
        with pytest.raises(DialRefused) as refused:
            stage.phone.place_call(SECOND)
        assert refused.value.code == "too_many_now"
        call.hang_up()
        await call.ended()
        await stage.record(2)
        await trio.sleep(1)
        stage.phone.place_call(SECOND)
        other = await stage.twilio.outbound(2)
        await other.stream_started()
        other.hang_up()
        await other.ended()


async def test_a_call_of_ours_that_was_transferred_keeps_its_place_until_twilio_says_completed(
    autojump_clock: MockClock,
) -> None:
    outbound = {"max_concurrent": 1}
    dial = DialOutcome(ring_s=1.0, talk_s=20.0)
    async with nothing_left(), staged(callee=Callee(), dial=dial, outbound=outbound) as stage:
        stage.phone.place_call(FIRST)
        call = await stage.twilio.outbound()
        await call.stream_started()
        await call.speak(QUESTION)
        await call.hears_out(0.5, 300)
        if not stage.records:
            await call.speak(QUESTION)
        assert (await stage.record()).reason is EndReason.TRANSFERRED
        with pytest.raises(DialRefused) as refused:
            stage.phone.place_call(SECOND)
        assert refused.value.code == "too_many_now"
        await call.ended()
        await trio.sleep(1)
        stage.phone.place_call(SECOND).end()


# -- text messages and colleagues ----------------------------------------------------------------


async def test_a_call_sends_no_more_than_its_text_messages_and_none_to_odd_numbers(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), staged(callee=Callee()) as stage:
        for number in ("+19005550101", "+881612345678", "+266696687", "anonymous", "sip:ana@example.test"):
            call = await stage.ring(from_=number)
            (ours,) = stage.phone.calls()
            assert not (await ours.send_sms("caller", "Hello")).ok, number
            call.hang_up()
            await call.ended()
            while stage.phone.live_calls:  # noqa: ASYNC110
                await trio.sleep(0.05)
        call = await stage.ring(from_="+15550100077")
        (ours,) = stage.phone.calls()
        sent = [(await ours.send_sms("caller", "Hello")).ok for _ in range(25)]
        assert sent == [True] * 3 + [False] * 22
        assert len(stage.twilio.rest.messages) == 3
        assert (await ours.send_sms("sales", "Hello")).ok  # the operator's own number is exempt
        call.hang_up()
        await call.ended()


async def test_a_destination_is_rung_three_times_at_most_for_one_call(autojump_clock: MockClock) -> None:
    desk = Desk()
    async with nothing_left(), staged(desk=desk, dial=DialOutcome("busy")) as stage:
        call = await asks_for_sales(stage)
        for nth in range(2, 5):
            await call.stream_started(nth)
            (ours,) = [each for each in stage.phone.calls() if not each.run.over]
            outcome = await ours.transfer("sales")
            assert outcome.ok is (nth < 4)
        call.hang_up()
        await call.ended()


# -- withheld callers ----------------------------------------------------------------------------


async def test_withheld_callers_share_no_safety_identifier_and_people_have_one_each(
    autojump_clock: MockClock,
) -> None:
    seen: dict[str, str] = {}
    async with rehearsal(script=[Say("Hello.", 500)] * 9, realtime={"safety_salt": "salt"}) as stage:
        callers = ["anonymous", "+266696687", "+15550100001", "+525512345678", "+5215512345678"]
        for nth, caller in enumerate([*callers, "sip:ana@example.test"], start=1):
            call = await stage.ring(from_=caller)
            session = await stage.session(nth)
            seen[caller] = session.headers.get("openai-safety-identifier", "")
            call.hang_up()
            await call.ended()
    assert seen["anonymous"] == seen["+266696687"] == ""
    assert seen["+15550100001"] != seen["sip:ana@example.test"] != ""
    assert seen["+525512345678"] == seen["+5215512345678"] != ""


@pytest.mark.parametrize(("caller", "told"), [("+266696687", "unknown"), ("+15550100001", "+15550100001")])
def test_a_webhook_tells_of_no_number_that_is_none(caller: str, told: str) -> None:
    class Record:
        direction, transcript, turns = "inbound", (), ()
        call_id = call_sid = agent = resumed_from = transferred_to = ""
        born_at = duration_s = cost_usd = 0.0
        reason, started_after_ms = EndReason.CALLER_HUNG_UP, 1

    class Kept:
        record, dialled, context = Record, "+15550100002", ""

    Kept.caller = caller  # type: ignore[attr-defined]
    assert body_of(Kept)["caller_phone"] == told  # type: ignore[arg-type]


# -- what is known at the start ------------------------------------------------------------------


async def test_a_bad_line_of_the_list_is_named_by_readiness(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = tmp_path / "list"
    file.write_text("+15550100001\n611\n")
    async with staged(outbound={"do_not_call_file": str(file)}, callee=Callee()) as stage:
        assert any("do_not_call_file: line 2" in reason for reason in stage.phone.ready())
        file.write_text("+15550100001\n")
        assert stage.phone.dialler is not None
        await stage.phone.dialler.lists.read()
        assert not any("do_not_call_file" in reason for reason in stage.phone.ready())


def test_routes_know_both_spellings_of_a_number() -> None:
    tables = {"routes": {"csr": ["+5215512345678"], "ivr": ["+541123456789"]}}
    choice = routed(Config.from_dict(tables), load_agent)
    for number, who in (
        ("+525512345678", "csr"),
        ("+5215512345678", "csr"),
        ("+5491123456789", "ivr"),
        ("sip:+525512345678@example.test", "csr"),
    ):
        assert choice({"To": number, "From": "+15550100001", "Direction": "inbound"}) is choice.by_name[who]
