"""The routes of llc-phone 3: what its campaign layers send and expect."""

import trio

from llcphone import Agent
from llcphone.agent import Agents
from llcphone.config.company import CompanyConfig
from llcphone.server.api import legacy
from llcphone.server.api.models import LegacyCall
from llcphone.sim.twilio import Callee
from llcphone.sim.twilio.rest import RestError
from tests.server.api_stage import TO, code_of, open_api


async def test_an_outbound_call_is_answered_as_the_original_did(autojump_clock):
    async with open_api() as api:
        body = {
            "to": TO,
            "caller_name": "Jane Doe",
            "appointment_date": "2026-12-01",
            "appointment_time": "10:30",
            "scenario": "confirmation",
            "campaign": "what llc-phone 3 did not know either",
        }
        answer = await api.post("/outbound-call", body)
        callee = await api.stage.twilio.outbound(1)
        assert answer.status_code == 200
        reply = answer.json()
        assert (reply["success"], reply["call_sid"], reply["to"]) == (True, callee.sid, TO)
        assert reply["scenario"] == "confirmation"
        await callee.stream_started()
        prompt = (await api.stage.session()).config["instructions"]
        assert "Caller name: Jane Doe" in prompt
        assert "Appointment: 2026-12-01 10:30" in prompt
        assert (await api.get(f"/calls/{reply['id']}")).json()["state"] == "talking"


def test_only_what_was_given_stands_in_the_context():
    assert legacy.context_of(LegacyCall(TO), CompanyConfig()) == ""
    order = LegacyCall(TO, purpose="Ask for a quote.", custom_instructions=" Be kind. ", company_name=" ")
    assert legacy.context_of(order, CompanyConfig()) == (
        "About this call:\nPurpose of the call: Ask for a quote.\nInstructions for this call: Be kind."
    )


async def test_a_call_that_twilio_refuses_is_no_success(autojump_clock):
    async with open_api() as api:
        api.stage.twilio.rest.refuse_next.append(RestError(400, 21215, "not permitted"))
        answer = await api.post("/outbound-call", {"to": TO}, "k1")
        assert (answer.status_code, code_of(answer)) == (502, "not_placed")
        again = await api.post("/outbound-call", {"to": TO}, "k1")
        assert again.content == answer.content
        assert api.stage.twilio.calls == []


async def test_a_call_sid_that_comes_late_is_empty_but_the_call_goes_on(autojump_clock, monkeypatch):
    monkeypatch.setattr(legacy, "CALL_SID_LIMIT_S", 0.0)
    async with open_api(callee=Callee(ring_s=5)) as api:
        answer = await api.post("/outbound-call", {"to": TO}, "k1")
        assert (answer.status_code, answer.json()["success"], answer.json()["call_sid"]) == (200, True, "")
        callee = await api.stage.twilio.outbound(1)
        await trio.sleep(1)
        again = await api.post("/outbound-call", {"to": TO}, "k1")
        assert again.json()["call_sid"] == callee.sid
        assert again.json()["id"] == answer.json()["id"]


async def test_tools_and_public_url_are_told(autojump_clock):
    agent = Agent("Be brief.", name="desk")
    agent.offer_hang_up()
    for speaker in (agent, Agents({"desk": agent}), lambda form: agent):
        async with open_api(speaker) as api:
            (tool,) = (await api.get("/tools")).json()
            assert (tool["type"], tool["name"]) == ("function", "hang_up")
            url = api.stage.config.server.public_url
            assert (await api.get("/public-url")).json() == {"publicUrl": url}
