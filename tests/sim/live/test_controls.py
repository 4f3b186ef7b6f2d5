"""What a test can do with a running session, and what it finds recorded of it."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.live import CallTool, LiveScript, Pace, Say, open_live, run_live
from tests.sim.live.client import BACKEND, connect, live_session, silence, talk


async def test_a_session_is_found_as_soon_as_it_is_there(autojump_clock):
    found = []
    async with open_live() as live, trio.open_nursery() as nursery:

        async def wait():
            found.append(await live.session(2))

        nursery.start_soon(wait)
        async with connect(live), connect(live) as client:
            await client.start()
            assert [session.number for session in found] == [2]
            assert found[0].headers["authorization"] == "Bearer sk-test"
            assert found[0].path == "/v1/live/sessions"


async def test_what_a_client_sent_is_recorded_with_its_time(autojump_clock):
    async with open_live() as live, talk(live) as client:
        session = live.sessions[0]
        await client.feed(500)
        await client.comment("One.")
        await client.comment("Two.")
        assert (await session.receives("session.commentary.append", 2))["content"] == "Two."
        assert [each["content"] for each in session.events("session.commentary.append")] == ["One.", "Two."]
        assert session.received[-1].clock_ms == 500
        assert session.received_audio == silence(500)
        await client.feed(1000)
        await client.quiet_for(1)
        assert [each.taken_ms for each in session.appends] == [900, 900]
        assert bytes(session.sent_audio) == client.audio
        assert [each.event["type"] for each in session.sent] == client.kinds()


async def test_the_model_can_be_made_to_speak_and_to_call(autojump_clock):
    async with open_live() as live, talk(live, delegation=BACKEND) as client:
        session = live.sessions[0]
        session.say("Hello.", CallTool("look"))
        await client.feed(1000)
        await client.until_backend("response.completed")
        assert (session.said, len(session.calls)) == (["Hello."], 1)


async def test_any_event_can_be_sent(autojump_clock):
    async with open_live() as live, talk(live) as client:
        live.sessions[0].emit({"type": "info", "code": "notice", "message": "Something."})
        assert (await client.until("info"))["event_id"]
        live.sessions[0].emit({"type": "info", "code": "notice", "message": "Again.", "event_id": "mine"})
        assert (await client.until("info"))["event_id"] == "mine"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda session: session.close(1012), 1012),
        (lambda session: session.reset(), 1006),
        (lambda session: session.end("remote_hangup"), 1000),
    ],
)
async def test_a_session_can_be_ended_at_any_moment(end, code, autojump_clock):
    async with open_live() as live, talk(live) as client:
        end(live.sessions[0])
        assert await client.closed() == code
        assert (live.sessions[0].close_code, live.live_sessions) == (code, 0)


async def test_a_session_that_has_not_started_cannot_be_ended_by_name(autojump_clock):
    async with open_live() as live, connect(live) as client:
        session = await live.session()
        session.end("expired")
        assert session.stage == "waiting"
        await client.start()


async def test_an_ended_session_does_nothing_more(autojump_clock):
    """What was under way when it ended is not sent after its end."""
    async with open_live(["Hello."], pace=Pace(usage_s=0.01)) as live, talk(live) as client:
        session = live.sessions[0]
        await client.comment("Go.")
        await client.send("session.update", session={"triggers": []})
        await client.feed(100)
        await session.until(lambda: session.appended_ms == 100)
        session.end("content")
        await client.closed()
        assert client.kinds()[-1] == "session.closed"
        assert "session.updated" not in client.kinds()


async def test_triggers_are_updated_like_the_delegation(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.send("session.update", session={"triggers": []})
        assert (await client.until("session.updated"))["session"]["triggers"] == []


async def test_the_command_serves_a_script_and_keeps_no_audio(autojump_clock):
    script = LiveScript([Say("Hello.", 500)])
    async with trio.open_nursery() as nursery:
        live = await nursery.start(run_live, "127.0.0.1", 0, script)
        async with connect(live) as client:
            await client.send("session.start", session=live_session())
            await client.until("session.started")
            await client.comment("Go.")
            await client.feed(2000)
            await client.quiet_for(1)
            session = live.sessions[0]
            assert client.words() == "Hello."
            assert (session.received_audio, session.sent_audio) == (b"", b"")
            assert [each.event["type"] for each in session.received] == [
                "session.start",
                "session.commentary.append",
            ]
            assert session.appended_ms == 2000
        nursery.cancel_scope.cancel()
