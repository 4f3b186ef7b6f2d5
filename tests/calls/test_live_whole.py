"""Whole calls with a simulated GPT-Live: a real server, real sockets, and the settings that switch it on."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Agent
from llcphone.phone.open import open_phone
from llcphone.server.run import serve
from llcphone.sim import voices
from llcphone.sim.live import Faults, LiveSimulator, open_live
from llcphone.sim.model import CallTool
from llcphone.sim.twilio import TwilioSimulator, open_twilio
from llcphone.testing.stage import AUTH_TOKEN, rehearsal_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from llcphone.call.record import CallRecord
    from llcphone.phone.phone import Phone


@attrs.define(eq=False, kw_only=True)
class LiveStage:
    """A server, a simulated GPT-Live and a simulated Twilio."""

    twilio: TwilioSimulator
    live: LiveSimulator
    phone: Phone
    records: list[CallRecord]
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def record(self) -> CallRecord:
        return await self.nth_record(1)

    async def nth_record(self, nth: int) -> CallRecord:
        while len(self.records) < nth:
            self.ended = trio.Event()
            await self.ended.wait()
        return self.records[nth - 1]


@asynccontextmanager
async def live_stage(
    agent: Agent, script: Any = None, settings: Any = None, **simulated: Any
) -> AsyncIterator[LiveStage]:
    records: list[CallRecord] = []
    stages: list[LiveStage] = []

    def keep(record: CallRecord) -> None:
        records.append(record)
        for stage in stages:
            stage.ended.set()

    async with open_live(script, **simulated) as live:
        config = rehearsal_config(live.url, {"realtime": {"protocol": "live"}}, settings or {})
        url = f"{config.server.public_url}/twiml"
        async with (
            open_twilio(webhook_url=url, auth_token=AUTH_TOKEN) as twilio,
            open_phone(config, agent, on_record=keep) as phone,
        ):
            await phone.endpoints.first.accepted.wait()
            async with trio.open_nursery() as nursery:
                listener = await nursery.start(serve, phone, config)
                stages.append(LiveStage(twilio=twilio, live=live, phone=phone, records=records))
                yield stages[0]
                for call in twilio.calls:
                    call.hang_up()
                await phone.drain(5)
                listener.stop_accepting()


async def settled(stage: LiveStage) -> None:
    """The phone's own questions are over; their sessions are forgotten."""
    await trio.sleep(10)
    assert not any(session.is_open for session in stage.live.sessions)
    stage.live.sessions.clear()


GREETING = "Good morning, this is the bakery!"
ANSWER = "We are open until six."


def baker() -> Agent:
    """An agent with a tool."""
    agent = Agent("You answer the telephone of a bakery.", name="baker")

    @agent.tool
    async def opening_hours() -> str:
        """When the bakery is open."""
        return "until six"

    return agent


async def whole_call(stage: LiveStage, *, wait_s: float = 10.0) -> CallRecord:
    """A caller is greeted, asks, waits for the answer and hangs up."""
    call = await stage.twilio.ring()
    await call.stream_started()
    await trio.sleep(5)
    await call.speak(voices.load("book_table"))
    await trio.sleep(wait_s)
    call.hang_up()
    return await stage.record()


def said(record: CallRecord, speaker: str) -> list[str]:
    return [line["text"] for line in record.transcript if line["speaker"] == speaker]


async def test_a_caller_is_greeted_and_answered_and_the_record_says_by_which_api(
    autojump_clock: MockClock,
) -> None:
    async with live_stage(baker(), [GREETING, ANSWER]) as stage:
        await settled(stage)
        record = await whole_call(stage)
        session = await stage.live.session(1)
    assert record.dialect == "live"
    assert said(record, "agent") == [GREETING, ANSWER]
    assert session.refusals == []
    assert session.path == "/v1/live/sessions"  # the model is in the opening message
    assert session.config["model"] == "gpt-live-1"
    assert [tool["name"] for tool in session.tools] == ["opening_hours"]
    assert "safety_identifier" not in session.config


async def test_a_call_costs_its_seconds_and_ends_with_session_close(autojump_clock: MockClock) -> None:
    async with live_stage(baker(), [GREETING, ANSWER]) as stage:
        await settled(stage)
        record = await whole_call(stage, wait_s=40)
        session = await stage.live.session(1)
        await session.until(lambda: not session.is_open)
    assert record.seconds >= 45  # what was reported last: it is reported every 15 s
    assert record.cost_usd == pytest.approx(record.seconds * 0.05 / 60, abs=1e-6)
    assert len(session.events("session.close")) == 1
    assert session.close_code == 1000


async def test_a_tool_runs_behind_the_voice(autojump_clock: MockClock) -> None:
    script = [GREETING, CallTool("opening_hours", {}), ANSWER]
    async with live_stage(baker(), script) as stage:
        await settled(stage)
        record = await whole_call(stage)
        session = await stage.live.session(1)
    assert [tool["name"] for tool in record.tools] == ["opening_hours"]
    assert said(record, "agent")[-1] == ANSWER
    assert session.refusals == []
    (output,) = session.events("response.item.create")
    assert output["item"]["output"] == "until six"
    assert record.usage["input_text"] > 0
    assert record.cost_usd is not None
    assert record.cost_usd > record.seconds * 0.05 / 60  # the backend's tokens besides


async def test_the_caller_is_told_apart_by_a_hash_in_the_session(autojump_clock: MockClock) -> None:
    salted = {"realtime": {"protocol": "live", "safety_salt": "a-salt-of-ours"}}
    async with live_stage(baker(), [GREETING], salted) as stage:
        await settled(stage)
        call = await stage.twilio.ring(from_="+15551230009")
        await call.stream_started()
        session = await stage.live.session(1)
        start = await session.receives("session.start")
        call.hang_up()
        await stage.record()
    assert re.fullmatch(r"[0-9a-f]{32}", start["session"]["safety_identifier"])
    assert "openai-safety-identifier" not in session.headers


async def test_every_agent_is_asked_for_on_a_session_of_its_own(autojump_clock: MockClock) -> None:
    async with live_stage(baker()) as stage:
        await trio.sleep(10)
        bare, own = stage.live.sessions
        assert [each.is_open for each in (bare, own)] == [False, False]
        assert all(len(each.events("session.close")) == 1 for each in (bare, own))
        assert [len(each.tools) for each in (bare, own)] == [0, 1]
        assert stage.phone.endpoints.first.refused == {}


async def test_an_agent_whose_settings_are_refused_is_named(autojump_clock: MockClock) -> None:
    async with live_stage(baker(), settings={"live": {"backend_model": "gpt-5.6-terra"}}) as stage:
        await trio.sleep(10)
        stage.live.faults = Faults(refuse_start="invalid_value")
        trouble = await stage.phone.endpoints.first.ask()
    assert trouble == "invalid_value"


async def test_a_lost_session_is_replaced_and_reads_what_was_said(autojump_clock: MockClock) -> None:
    async with live_stage(baker(), [GREETING, ANSWER]) as stage:
        await settled(stage)
        stage.live.faults = Faults(reset_after_ms=6_000)
        call = await stage.twilio.ring()
        await call.stream_started()
        stage.live.faults = Faults()
        await trio.sleep(20)
        call.hang_up()
        record = await stage.record()
        second = stage.live.sessions[-1]
    assert len(record.gaps) == 1
    assert GREETING in str(second.config["input"])
    assert record.reason.value == "caller hung up"
