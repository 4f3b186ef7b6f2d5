"""Calls over HTTP: placed, shown, hung up."""

import httpx
import trio

from llcphone import Agent
from llcphone.agent import Agents
from llcphone.server.api import calls
from llcphone.sim import voices
from llcphone.sim.twilio import Callee
from llcphone.telemetry.redaction import masked_number
from tests.server.api_stage import BUSY, TO, open_api


async def test_a_call_is_placed_and_followed_to_its_end(autojump_clock):
    async with open_api(script=["Good morning."]) as api:
        answer = await api.post("/calls", {"to": TO, "context": "The table is for two."})
        assert answer.status_code == 202
        view = answer.json()
        assert answer.headers["Location"] == f"/calls/{view['id']}"
        assert (view["state"], view["direction"], view["agent"]) == ("warming", "outbound", "desk")
        callee = await api.stage.twilio.outbound(1)
        assert (await api.get(f"/calls/{view['id']}")).json()["state"] in ("dialling", "ringing")
        await callee.stream_started()
        talking = (await api.get(f"/calls/{view['id']}")).json()
        assert (talking["state"], talking["call_sid"], talking["record"]) == ("talking", callee.sid, None)
        callee.hang_up()
        ended = await api.ended(view["id"])
        assert (ended["state"], ended["reason"]) == ("ended", "caller hung up")
        assert ended["dialled_after_ms"] < ended["answered_after_ms"] <= ended["talking_after_ms"]
        assert ended["record"]["call_sid"] == callee.sid
        assert ended["record"]["duration_s"] == ended["duration_s"] > 0
        prompt = (await api.stage.session()).config["instructions"]
        assert prompt.endswith("The table is for two.")


async def test_a_call_that_nobody_answers_says_so(autojump_clock):
    async with open_api(callee=BUSY) as api:
        ended = await api.ended(await api.place())
        assert (ended["reason"], ended["talking_after_ms"]) == ("busy", None)


async def test_a_machine_is_named(autojump_clock):
    callee = Callee(answered_by="machine_start", detection_s=1.0)
    async with open_api(callee=callee) as api:
        ended = await api.ended(await api.place())
        assert (ended["reason"], ended["answered_by"]) == ("a machine answered", "machine_start")


async def test_numbers_leave_masked_unless_they_are_asked_for(autojump_clock):
    async with open_api(callee=BUSY) as api:
        call_id = await api.place()
        for state in ("live", "ended"):
            if state == "ended":
                await api.ended(call_id)
            for path in ("/calls", f"/calls/{call_id}"):
                assert TO[1:] not in (await api.get(path)).text
                assert TO in (await api.get(path, params={"numbers": "1"})).text
            (view,) = (await api.get("/calls")).json()["calls"]
            assert (view["to"], view["from"]) == ("…99", "…02")


def test_only_the_end_of_what_is_a_number_is_shown():
    assert masked_number("+15551230002") == "…02"
    assert masked_number("sip:jane.doe@example.test") == "…"
    assert masked_number("") == ""


async def test_words_leave_only_when_they_are_asked_for(autojump_clock):
    async with open_api(script=["Your table is booked."]) as api:
        call_id = await api.place()
        callee = await api.stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears_out(1.0, 500)
        callee.hang_up()
        await api.ended(call_id)
        assert "table" not in (await api.get(f"/calls/{call_id}")).text
        with_words = (await api.get(f"/calls/{call_id}", params={"words": "1"})).json()
        assert "Your table is booked." in [line["text"] for line in with_words["record"]["transcript"]]
        # nobody else's view lost them for it
        assert "table" in (await api.get(f"/calls/{call_id}", params={"words": "1"})).text


async def test_calls_that_ring_us_are_listed_too_newest_first(autojump_clock):
    async with open_api() as api:
        inbound = await api.stage.ring(from_="+15551230001")
        call_id = await api.place()
        newest, oldest = (await api.get("/calls")).json()["calls"]
        assert (newest["id"], newest["direction"]) == (call_id, "outbound")
        assert (oldest["direction"], oldest["state"], oldest["from"]) == ("inbound", "talking", "…01")
        (first,) = (await api.get("/calls", params={"limit": "1"})).json()["calls"]
        assert first["id"] == call_id
        assert (await api.post(f"/calls/{oldest['id']}/hangup")).status_code == 202
        await inbound.ended()
        await api.ended(oldest["id"])


async def test_a_hang_up_lets_the_agent_finish_and_may_come_twice(autojump_clock):
    async with open_api(script=["A sentence of some length, so that it takes a while."]) as api:
        call_id = await api.place()
        callee = await api.stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.5)
        assert (await api.post(f"/calls/{call_id}/hangup")).json()["state"] == "talking"
        ended = await api.ended(call_id)
        assert ended["reason"] == "agent hung up"
        (turn,) = ended["record"]["turns"]
        assert turn["answer_gap_ms"] is not None
        again = await api.post(f"/calls/{call_id}/hangup")
        assert (again.status_code, again.json()["reason"]) == (202, "agent hung up")


async def test_a_hang_up_before_the_answer_cancels_the_call_at_twilio(autojump_clock):
    async with open_api(callee=Callee(ring_s=20)) as api:
        call_id = await api.place()
        callee = await api.stage.twilio.outbound(1)
        await trio.sleep(2)
        await api.post(f"/calls/{call_id}/hangup")
        assert (await api.ended(call_id))["talking_after_ms"] is None
        await callee.ended()
        assert callee.status == "canceled"


async def test_only_so_many_ended_calls_are_remembered(autojump_clock, monkeypatch):
    monkeypatch.setattr(calls, "REMEMBERED", 2)
    async with open_api(callee=BUSY, outbound={"per_number_min_gap_s": 0.0, "per_number_per_day": 9}) as api:
        ids = []
        for _ in range(3):
            ids.append(await api.place())
            await api.ended(ids[-1])
        assert [view["id"] for view in (await api.get("/calls")).json()["calls"]] == ids[:0:-1]
        assert (await api.get(f"/calls/{ids[0]}")).status_code == 404


async def test_of_old_long_calls_only_the_view_is_remembered(autojump_clock, monkeypatch):
    monkeypatch.setattr(calls, "MOST_LINES", 0)
    async with open_api(callee=BUSY, outbound={"per_number_min_gap_s": 0.0, "per_number_per_day": 9}) as api:
        call_id = await api.place()
        (await api.stage.record())  # without a line: it stays whole
        assert (await api.ended(call_id))["record"] is not None
        monkeypatch.setattr(calls, "MOST_LINES", -1)
        second = await api.place()
        await api.stage.record(2)
        for one in (call_id, second):
            view = (await api.get(f"/calls/{one}")).json()
            assert (view["state"], view["record"]) == ("ended", None)


async def test_an_agent_is_asked_for_by_name(autojump_clock):
    agents = Agents({"day": Agent("It is day.", name="day"), "night": Agent("It is night.", name="night")})
    async with open_api(agents, callee=BUSY) as api:
        call_id = await api.place(agent="night")
        assert (await api.ended(call_id))["agent"] == "night"
        usual = await api.place("+15551239998")
        assert (await api.ended(usual))["agent"] == "day"
        document = (await api.get("/openapi.json")).json()
        assert document["components"]["schemas"]["NewCall"]["properties"]["agent"]["enum"] == [
            "",
            "day",
            "night",
        ]


async def test_one_of_our_own_numbers_is_the_caller_id(autojump_clock):
    ours = ("+15551230003", "+15551230002")
    async with open_api(callee=BUSY, outbound={"caller_ids": list(ours)}) as api:
        await api.ended(await api.place(caller_id=ours[1]))
        callee = await api.stage.twilio.outbound(1)
        assert callee.fields["From"] == ours[1]


async def test_without_a_key_in_the_settings_there_is_no_api(autojump_clock):
    async with open_api(api={"key": ""}) as api:
        for path in ("/calls", "/calls/x", "/tools", "/public-url", "/logs", "/openapi.json"):
            answer = await api.get(path)
            assert (answer.status_code, answer.text) == (404, "Not Found\n")
        assert (await api.post("/calls", {"to": TO})).status_code == 404
        assert (await api.post("/outbound-call", {"to": TO})).status_code == 404
        assert api.stage.phone.live_calls == 0


async def test_no_number_or_key_reaches_the_log(autojump_clock, caplog):
    caplog.set_level("DEBUG", logger="llcphone")
    async with open_api(callee=BUSY) as api:
        await api.ended(await api.place(context="Her name is Jane."))
        await api.post("/calls", {"to": "+1555not"})
        async with httpx.AsyncClient(base_url=api.client.base_url) as stranger:
            await stranger.get("/calls", headers={"Authorization": "Bearer wrong-key-of-someone"})
    said = caplog.text + repr([vars(record) for record in caplog.records])
    assert "call placed over the API" in said
    assert "wrong key" in said
    for secret in (TO[2:], "a-key-of", "wrong-key-of", "Jane"):
        assert secret not in said
