"""A session's life: its start, its updates, its ends, what it refuses."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.live import Assumptions, Pace, open_live
from tests.sim.live.client import BACKEND, TOOL, connect, live_session, talk


async def test_a_session_starts_as_asked_after_a_while(autojump_clock):
    async with open_live() as live, connect(live) as client:
        began = trio.current_time()
        started = await client.start(delegation=BACKEND, safety_identifier="hash")
        assert trio.current_time() - began == pytest.approx(0.6)
        assert started["client_event_id"] == "start-1"
        session = started["session"]
        assert session["id"].startswith("live_")
        assert session["status"] == "active"
        assert session["audio"] == live_session()["audio"]
        assert session["delegation"] == BACKEND | {"acknowledgement_delay_ms": 0}
        assert session["safety_identifier"] == "hash"
        assert (session["store"], session["input"]) == (False, [])


async def test_what_is_not_asked_for_has_a_default(autojump_clock):
    async with open_live() as live, connect(live) as client:
        await client.send("session.start", session={"model": "gpt-live-1.1"})
        started = await client.until("session.started")
        assert "client_event_id" not in started
        assert started["session"]["audio"] == {
            "format": {"type": "audio/pcm", "rate": 24000},
            "output": {"voice": "marin"},
        }
        assert started["session"]["delegation"]["type"] == "client"
        assert started["session"]["instructions"]


async def test_a_session_says_when_it_ends(autojump_clock, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1000.0)
    async with open_live(pace=Pace(start_s=1, lasts_s=50)) as live, connect(live) as client:
        assert (await client.start())["session"]["expires_at"] == 1051


async def test_nothing_comes_before_the_start(autojump_clock):
    async with open_live() as live, connect(live) as client:
        await client.comment("Hello.", event_id="c")
        error = await client.error()
        assert "client_event_id" not in error
        began = trio.current_time()
        assert await client.closed() == 1000
        assert trio.current_time() - began == pytest.approx(2)
        assert live.sessions[0].refusals == [error]


@pytest.mark.parametrize(("echoes", "echo"), [(False, None), (True, "start-1")])
async def test_a_refused_start_is_dropped_soon(echoes, echo, autojump_clock):
    assumes = Assumptions(refusal_echoes=echoes)
    async with open_live(assumes=assumes) as live, connect(live) as client:
        odd = live_session(turn_detection=None)
        await client.send_odd({"type": "session.start", "event_id": "start-1", "session": odd})
        error = await client.error()
        assert (error["code"], error["param"]) == ("unknown_parameter", "session.turn_detection")
        assert error.get("client_event_id") == echo
        began = trio.current_time()
        assert await client.closed() == 1000
        assert trio.current_time() - began == pytest.approx(2)


async def test_a_second_start_is_refused_and_the_session_goes_on(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.send("session.start", session=live_session(), event_id="again")
        assert (await client.error())["client_event_id"] == "again"
        await client.feed(100)
        await client.until("session.output_audio.delta")


async def test_audio_before_started_is_refused_or_kept(autojump_clock):
    async with open_live() as live, connect(live) as client:
        await client.send("session.start", session=live_session())
        await client.feed(20)
        assert "session.started" in (await client.error())["message"]
        await client.until("session.started")
    async with open_live(assumes=Assumptions(early_audio="kept")) as live, connect(live) as client:
        await client.send("session.start", session=live_session())
        await client.feed(200)
        await client.until("session.started")
        await client.until("session.output_audio.delta")
        await client.until("session.output_audio.delta")


@pytest.mark.parametrize(("message", "code"), [("{", "invalid_json"), ("[]", "invalid_event")])
async def test_what_is_no_event_is_refused(message, code, autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.send_odd(message)
        assert (await client.error())["code"] == code
        await client.websocket.send_message(b"{}")
        assert (await client.error())["code"] == "invalid_event"


async def test_an_update_takes_the_delegation_and_replaces_its_tools(autojump_clock):
    async with open_live() as live, talk(live, delegation=BACKEND) as client:
        began = trio.current_time()
        responses = {"tools": [TOOL | {"name": "book"}]}
        change = {"type": "responses", "responses": responses}
        await client.send("session.update", session={"delegation": change}, event_id="tools-1")
        updated = await client.until("session.updated")
        assert trio.current_time() - began == pytest.approx(0.15)
        assert updated["client_event_id"] == "tools-1"
        responses = updated["session"]["delegation"]["responses"]
        assert (responses["model"], len(responses["tools"])) == ("gpt-5.6-luna", 1)
        assert responses["tools"][0]["name"] == "book"
        assert live.sessions[0].tools == responses["tools"]


@pytest.mark.parametrize(
    ("update", "code", "param"),
    [
        ({"audio": {}}, "immutable_field_update", "session.audio"),
        ({"instructions": "x"}, "immutable_field_update", "session.instructions"),
        ({"delegation": {"type": "client"}}, "immutable_field_update", "session.delegation.type"),
        ({"voice": "ash"}, "unknown_parameter", "session.voice"),
        (
            {"delegation": {"type": "responses", "responses": {"speed": 1}}},
            "unknown_parameter",
            "session.delegation.responses.speed",
        ),
    ],
)
async def test_an_update_of_anything_else_is_refused(update, code, param, autojump_clock):
    async with open_live() as live, talk(live, delegation=BACKEND) as client:
        await client.send_odd({"type": "session.update", "session": update, "event_id": "u"})
        error = await client.error()
        assert (error["code"], error["param"], error["client_event_id"]) == (code, param, "u")


async def test_a_close_is_answered_with_the_bill(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await trio.sleep(12.7)
        await client.send("session.close", event_id="bye")
        closed = await client.until("session.closed")
        assert (closed["reason"], closed["usage"]) == ("close_requested", {"seconds": 12})
        assert closed["client_event_id"] == "bye"
        assert closed["session"] == live.sessions[0].config
        assert await client.closed() == 1000


async def test_what_was_not_taken_is_refused_at_the_close(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.comment("Say hello.", event_id="greet-1")
        await client.send("session.close")
        error = await client.error()
        assert (error["code"], error["client_event_id"]) == ("context_injection_incomplete", "greet-1")
        await client.until("session.closed")


async def test_without_audio_a_session_expires(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await trio.sleep(20)
        await client.feed(20)
        began = trio.current_time()
        closed = await client.until("session.closed")
        assert closed["reason"] == "expired"
        assert trio.current_time() - began == pytest.approx(31)
        assert await client.closed() == 1000


async def test_a_session_expires_at_its_age(autojump_clock):
    async with open_live(pace=Pace(lasts_s=60)) as live, talk(live) as client:
        for _ in range(5):
            await trio.sleep(10)
            await client.feed(20)
        closed = await client.until("session.closed")
        assert (closed["reason"], closed["usage"]) == ("expired", {"seconds": 60})


@pytest.mark.parametrize("names_share", [True, False])
async def test_usage_is_reported_as_it_grows(names_share, autojump_clock):
    assumes = Assumptions(context_window=names_share)
    async with open_live(assumes=assumes) as live, talk(live) as client:
        await trio.sleep(30.5)
        first = await client.until("session.usage.updated")
        second = await client.until("session.usage.updated")
        assert [first["usage"], second["usage"]] == [{"seconds": 15}, {"seconds": 30}]
        assert ("context_window" in second) == names_share


async def test_a_closing_session_takes_nothing_more(autojump_clock):
    async with open_live([]) as live, talk(live, delegation=BACKEND) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go."}]}
        await client.send("response.item.create", item=item)
        await client.send("response.create")
        await client.send("session.close")
        await client.comment("Too late.", event_id="late")
        assert (await client.error())["client_event_id"] == "late"
        await client.until_backend("response.completed")
        await client.until("session.closed")
