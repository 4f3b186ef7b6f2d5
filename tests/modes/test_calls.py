"""A whole call per mode: its outcome is in the database, the right person was rung, the record tells it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from llcphone import EndReason
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee, DialOutcome
from llcphone.store import Store
from tests.calls.stage import GOODBYE, INTERRUPTION, QUESTION, nothing_left
from tests.modes.all_modes import ADA, SALES, SUPPORT, open_modes
from tests.store.store_kit import WEEK, next_weekday

pytestmark = pytest.mark.usefixtures("no_threads")

SHORT = 800
BYE = [Say("Good-bye.", SHORT), CallTool("hang_up")]


async def test_the_receptionist_takes_a_message_when_nobody_is_there(tmp_path, autojump_clock) -> None:
    message = {"name": "Ada", "reason": "A cake for Saturday.", "urgency": "urgent", "for_whom": "sales"}
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        CallTool("check_availability", {"person_or_department": "Sales"}),
        Say("They are not here. May I take a message?", SHORT),
        CallTool("take_message", message),
        Say("I have noted that.", SHORT),
        BYE,
    ]
    closed = {"desk_hours": {"sales": "sat 10:00-12:00"}}
    async with nothing_left(), open_modes(tmp_path, script, company=closed) as modes:
        call = await modes.ring("receptionist", vouched=True)
        for speech in (QUESTION, INTERRUPTION, GOODBYE):
            await modes.says(call, speech)
        await call.ended()
        kept = await modes.kept()
        (taken,) = kept.messages
        assert (taken.name, taken.number, taken.reason) == ("Ada", ADA, "A cake for Saturday.")
        assert (taken.urgency, taken.for_whom) == ("urgent", "sales")
        available = json.loads((await modes.outputs())[0])
        assert available == {
            "available": False,
            "destination": "sales",
            "hours": "closed until Saturday 28 November, 10:00",
        }
        record = await modes.stage.record()
        assert (record.agent, record.reason) == ("receptionist", EndReason.AGENT_HUNG_UP)
        assert [(tool["name"], tool["ok"]) for tool in record.tools] == [
            ("check_availability", True),
            ("take_message", True),
            ("hang_up", True),
        ]
        assert not call.record.dialled


async def test_a_message_that_the_store_does_not_say_is_written_is_not_told_as_saved(
    tmp_path, autojump_clock, monkeypatch
) -> None:
    async def refused(*args: Any, **more: Any) -> bool:
        return False

    monkeypatch.setattr(Store, "take_message", refused)
    monkeypatch.setattr(Store, "add_note", refused)
    message = {"name": "Ada", "reason": "A cake for Saturday."}
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        CallTool("take_message", message),
        Say("I could not keep that.", SHORT),
    ]
    async with open_modes(tmp_path, script) as modes:
        call = await modes.ring("receptionist", vouched=True)
        await modes.says(call, QUESTION)
        told = json.loads((await modes.outputs())[0])
        assert told["saved"] is False
        assert "promise nothing" in told["says"]
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        [
            CallTool("add_call_note", {"text": "x", "outcome": "answered"}),
            CallTool("escalate_to_human", {"reason": "x", "summary": "y"}),
        ],
        Say("I put you through.", SHORT),
    ]
    closed = {"desk_hours": {"sales": "sat 10:00-12:00"}}
    async with open_modes(tmp_path, script, company=closed) as modes:
        call = await modes.ring("csr", vouched=True)
        await modes.says(call, QUESTION)
        outputs = await modes.outputs()  # in the order in which they were done
        assert [json.loads(each)["note"] for each in outputs if '"note"' in each] == ["not kept"]
        assert sum("promise nothing" in each for each in outputs) == 1


async def test_the_receptionist_greets_by_the_hour_with_its_own_voice_and_prompt(tmp_path, autojump_clock):
    async with open_modes(tmp_path, [Say("Good morning!", SHORT)]) as modes:
        await modes.ring("receptionist")
        session = await modes.stage.session()
        assert "You are the receptionist." in session.config["instructions"]
        assert session.config["instructions"].endswith(
            "This call: It is Wednesday 25 November, 09:30. We are open until 17:00. The caller's number "
            "ends in 0 0 0 1. Greeting: Good morning, Casa Verde, this is Avery. How can I help you?"
        )
        assert session.config["audio"]["output"]["voice"] == "marin"


async def test_the_ivr_puts_the_caller_through_to_whom_they_need(tmp_path, autojump_clock):
    script = [
        Say("Casa Verde, how can I direct your call?", SHORT),
        CallTool("transfer_call", {"destination": "Support", "reason": "Ada's order has not come."}),
        Say("I put you through to support.", SHORT),
    ]
    outcome = DialOutcome(ring_s=2.0, talk_s=5.0)
    async with nothing_left(), open_modes(tmp_path, script, dial_outcome=outcome) as modes:
        call = await modes.ring("ivr")
        await modes.says(call, QUESTION)
        record = await call.ended()
        assert (record.dialled, record.joined) == ([SUPPORT], [SUPPORT])
        kept = await modes.kept()
        assert (kept.summary.agent, kept.summary.reason) == ("ivr", "transferred")
        assert [tool.name for tool in kept.tools] == ["transfer_call"]


async def test_customer_service_moves_an_appointment_after_the_callers_yes(tmp_path, autojump_clock) -> None:
    old, new = next_weekday(hour=10), next_weekday(hour=11)
    wish = {"day": new.date().isoformat(), "time": "11:00", "what": "check-up", "instead_of": 1}
    note = {"text": "Wanted to come an hour later.", "outcome": "moved"}
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        CallTool("book_appointment", wish),
        Say("Eleven instead of ten, is that right?", SHORT),
        CallTool("book_appointment", wish),
        [Say("Done.", SHORT), CallTool("add_call_note", note)],
        BYE,
    ]
    async with nothing_left(), open_modes(tmp_path, script) as modes:
        await modes.store.set_hours(WEEK, timezone="Europe/Madrid")
        ada = await modes.store.add_customer("Ada Lovelace", ADA)
        await modes.store.book(ada.id, old, what="check-up")
        call = await modes.ring("csr", vouched=True)
        await call.silence_for(100)
        assert "Ada Lovelace" in await modes.told(), "she was looked up while the agent greeted"
        await modes.says(call, QUESTION)
        (before,) = await modes.store.appointments(ada.id)
        assert before.starts_at.hour == 10, "nothing is saved before the caller has agreed"
        await modes.says(call, INTERRUPTION)
        await modes.says(call, GOODBYE)
        await call.ended()
        (after,) = await modes.store.appointments(ada.id)
        assert (after.starts_at.replace(tzinfo=None), after.what) == (new, "check-up")
        kept = await modes.kept()
        assert [(each.text, each.outcome, each.customer_id) for each in kept.notes] == [
            (note["text"], "moved", ada.id)
        ]
        assert kept.summary.agent == "csr"
        assert [tool.name for tool in kept.tools].count("book_appointment") == 2


async def test_customer_service_books_for_a_new_customer(tmp_path, autojump_clock) -> None:
    day = next_weekday(hour=9)
    wish = {"day": day.date().isoformat(), "time": "09:00:00", "what": "first visit", "name": "Bob"}
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        CallTool("check_availability", {"day": day.date().isoformat()}),
        CallTool("book_appointment", wish),
        Say("Monday at nine, right?", SHORT),
        CallTool("book_appointment", wish),
        Say("Booked.", SHORT),
    ]
    async with open_modes(tmp_path, script) as modes:  # its calendar has the company's hours
        call = await modes.ring("csr")
        await modes.says(call, QUESTION)
        await modes.says(call, INTERRUPTION)
        await call.silence_for(1_500)
        bob = await modes.store.find_customer(ADA)
        assert bob is not None
        assert bob.name == "Bob"
        (booked,) = await modes.store.appointments(bob.id)
        assert booked.starts_at.replace(tzinfo=None) == day
        assert json.loads((await modes.outputs())[1])["free"][0] == "09:00"


async def test_customer_service_hands_over_to_a_person_who_is_told_first(tmp_path, autojump_clock) -> None:
    reason = {"reason": "wants a person", "summary": "Ada's cake was broken."}
    script: Any = escalation(reason)
    human, rung = {"escalate_to": "support"}, list[str]()

    def callee(number: str) -> Callee:
        rung.append(number)
        return Callee()

    async with open_modes(tmp_path, script, company=human, callee=callee) as modes:
        call = await modes.ring("csr", vouched=True)
        await modes.says(call, QUESTION)
        colleague = await modes.stage.twilio.outbound()
        await colleague.stream_started()
        assert rung == [SUPPORT]
        assert reason["summary"] in (await modes.stage.session(2)).config["instructions"]
        kept = await modes.kept()
        assert [(each.text, each.outcome) for each in kept.notes] == [
            ("wants a person: Ada's cake was broken.", "escalated")
        ]
        call.hang_up()
        await call.ended()


def escalation(reason: dict[str, str]) -> Any:
    """The csr's side until the hand-over; the one who briefs the colleague only says something."""

    def reply(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        names = {tool["name"] for tool in tools}
        if "take_call" in names:
            return Say("A caller for you.", SHORT)
        if turn == 1:
            return Say("Good morning, Casa Verde.", SHORT)
        if not any(item.get("name") == "escalate_to_human" for item in past):
            return CallTool("escalate_to_human", reason)
        return Say("I put you through.", SHORT)

    return reply


async def test_nothing_is_booked_on_a_holiday(tmp_path, autojump_clock) -> None:
    day = next_weekday(hour=9)
    wish = {"day": day.date().isoformat(), "time": "09:00:00", "what": "first visit", "name": "Bob"}
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        [CallTool("check_availability", {"day": wish["day"]}), CallTool("book_appointment", wish)],
        Say("We are closed that day.", SHORT),
    ]
    async with open_modes(tmp_path, script, company={"closed": [wish["day"]]}) as modes:
        call = await modes.ring("csr")
        await modes.says(call, QUESTION)
        answers = [json.loads(output) for output in (await modes.outputs())[-2:]]
        assert {"free": []} in answers
        assert {"saved": False, "code": "closed", "why": "we are closed on that day"} in answers


async def test_records_that_cannot_be_reached_are_an_answer(tmp_path, autojump_clock):
    script = [
        Say("Good morning, Casa Verde.", SHORT),
        CallTool("lookup_customer"),
        Say("I cannot see that now.", SHORT),
    ]
    async with open_modes(tmp_path, script) as modes:
        call = await modes.ring("csr", vouched=True)
        modes.stage.phone.calls()[0].store = None
        await modes.says(call, QUESTION)
        assert "cannot be reached now" in (await modes.outputs())[-1]
        assert not call.over


async def test_nobody_answers_so_the_receptionist_goes_on_and_takes_a_message(tmp_path, autojump_clock):
    def reply(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        back = "tried to put the caller through" in str(past)
        done = [item["name"] for item in past if item["type"] == "function_call"]
        if turn == 1:
            return Say("Nobody answered. May I take a message?" if back else "Good morning.", SHORT)
        if not done:
            return CallTool("transfer_call", {"destination": "sales", "reason": "A cake."})
        if back and "take_message" not in done:
            return CallTool("take_message", {"name": "Ada", "reason": "A cake."})
        return BYE if back else Say("I put you through.", SHORT)

    nobody = DialOutcome(status="no-answer", ring_s=5.0)
    async with nothing_left(), open_modes(tmp_path, reply, dial_outcome=nobody) as modes:
        call = await modes.ring("receptionist", vouched=True)
        await modes.says(call, QUESTION)
        await call.stream_started(2)
        await call.hears(0.5)
        await modes.says(call, INTERRUPTION)
        ended = await call.ended()
        assert (ended.dialled, ended.joined) == ([SALES], [])
        kept = await modes.kept(2)
        assert [(each.name, each.number, each.reason) for each in kept.messages] == [("Ada", ADA, "A cake.")]
        assert [record.reason for record in modes.stage.records] == [
            EndReason.TRANSFERRED,
            EndReason.AGENT_HUNG_UP,
        ]


async def test_the_receptionist_leaves_no_20_s_of_silence(tmp_path, autojump_clock) -> None:
    def slow(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        return Say("Good morning." if turn == 1 else "Are you still there?", SHORT)

    async with open_modes(tmp_path, slow) as modes:
        call = await modes.ring("receptionist")
        record = await modes.stage.record()
        await call.ended()
        assert record.reason is EndReason.AGENT_HUNG_UP
        heard = call.ear
        gaps_ms = [
            later - (start + len(audio) / 8) for (start, audio), (later, _) in itertools.pairwise(heard)
        ]
        assert len(heard) == 4, "the greeting, two questions, the good-bye"
        assert 10_000 < max(gaps_ms) < 20_000
