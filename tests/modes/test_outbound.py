"""Calls we place by scenario: what an order must tell, who speaks, and what is noted of it."""

from __future__ import annotations

import pytest

from llcphone.config import Config
from llcphone.modes import routed
from llcphone.modes.agent_file import load_agent
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee
from tests.calls.stage import INTERRUPTION, QUESTION, nothing_left
from tests.modes.all_modes import SETTINGS, open_modes
from tests.server.api_stage import TO, code_of, open_api

pytestmark = pytest.mark.usefixtures("no_threads")

WHEN = {"appointment_date": "2026-12-01", "appointment_time": "10:30"}


async def test_a_confirmation_needs_date_and_time(autojump_clock) -> None:
    agents = routed(Config.from_dict(SETTINGS), load_agent)
    async with open_api(agents) as api:
        order = {"to": TO, "caller_name": "Jane", "scenario": "confirmation"}
        refused = await api.post("/outbound-call", {**order, "appointment_date": "2026-12-01"})
        assert (refused.status_code, code_of(refused)) == (422, "missing_facts")
        assert "appointment_time" in refused.text
        assert not api.stage.twilio.calls
        taken = await api.post("/outbound-call", {**order, **WHEN})
        assert taken.status_code == 200
        prompt = (await api.stage.session()).config["instructions"]
        assert "Confirm the appointment." in prompt
        assert prompt.endswith("Appointment: 2026-12-01 10:30")


async def test_a_custom_call_needs_its_brief(autojump_clock) -> None:
    async with open_api(routed(Config.from_dict(SETTINGS), load_agent)) as api:
        refused = await api.post("/outbound-call", {"to": TO, "scenario": "custom"})
        assert code_of(refused) == "missing_facts"
        brief = {"custom_instructions": "Ask whether the keys were found."}
        assert (
            await api.post("/outbound-call", {"to": TO, "scenario": "custom", **brief})
        ).status_code == 200


async def test_what_they_said_is_noted_and_the_callee_speaks_first(tmp_path, autojump_clock):
    note = {"text": "Comes at half past ten.", "outcome": "confirmed"}
    script = [
        Say("This is Avery of Casa Verde about your appointment.", 800),
        [Say("Thank you, good-bye.", 800), CallTool("add_call_note", note), CallTool("hang_up")],
    ]
    person = Callee(says=QUESTION)
    async with nothing_left(), open_modes(tmp_path, script, callee=person) as modes:
        call = modes.stage.phone.place_call(TO, modes.stage.phone.agent.by_name["confirmation"])  # type: ignore[union-attr]
        callee = await modes.stage.twilio.outbound()
        await callee.stream_started()
        await callee.hears(0.3)
        await modes.says(callee, INTERRUPTION)
        record = await call
        await callee.ended()
        kept = await modes.kept()
        assert [(each.text, each.outcome) for each in kept.notes] == [(note["text"], "confirmed")]
        assert record.agent == "confirmation"
        assert record.turns[0]["asked"] == "caller", "nobody greets a callee who has not spoken"
