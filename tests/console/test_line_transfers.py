"""Transfers whose caller, and whose colleague, is a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, CallHandle, EndReason, Outcome
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from tests.console.page import SALES, exchange

if TYPE_CHECKING:
    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")

GREETING, THROUGH, BACK = "Hello, this is the bakery.", "I get them for you.", "I am sorry, they cannot come."
BRIEFING = "There is a caller about a wedding cake. Will you take it?"
SETTINGS = {"transfers": {"destinations": {"sales": {"number": SALES}}}}


def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    texts = str(conversation)
    if "Brief them now" in texts:
        if turn == 1:
            return Say(BRIEFING, 1_500)
        return Say("Here you are.", 500) if "function_call_output" in texts else CallTool("take_call", {})
    if "tried to put the caller through" in texts:
        return Say(BACK, 1_000)
    if turn == 1:
        return Say(GREETING, 1_000)
    return Say(THROUGH, 1_000) if "function_call_output" in texts else CallTool("put_through", {})


def receptionist(*, warm: bool) -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def put_through(call: CallHandle) -> Outcome:
        return await call.transfer("sales", summary="A wedding cake.", warm=warm)

    return agent


async def test_whoever_holds_the_page_plays_the_party_that_is_dialled(autojump_clock: MockClock) -> None:
    agent = receptionist(warm=False)
    async with exchange(agent, script=script, settings=SETTINGS) as here, here.page() as page:
        page.send("call")
        await page.hears(0.5)
        await page.quiet(0.3)
        page.send("line", name="yes_please")
        asked = await page.until("dial")
        assert (asked["to"], asked["name"]) == (SALES, "sales")
        assert asked["choices"] == ["answered", "busy", "no-answer"]
        page.send("dial", outcome="answered")
        assert (await page.until("dial", 2))["choices"] == ["over"]
        await trio.sleep(30)
        page.send("dial", outcome="over")
        assert (await page.until("state", state="over"))["why"] == "<Hangup>"
        assert here.stage.records[0].reason is EndReason.TRANSFERRED


async def test_a_caller_who_finds_nobody_is_back_with_the_agent(autojump_clock: MockClock) -> None:
    agent = receptionist(warm=False)
    async with exchange(agent, script=script, settings=SETTINGS) as here, here.page() as page:
        page.send("call")
        await page.hears(0.5)
        await page.quiet(0.3)
        page.send("line", name="yes_please")
        await page.until("dial")
        page.send("dial", outcome="busy")
        await page.until("stream", 2, state="started")
        await page.hears(0.9)
        assert BACK in str([item.render() for item in here.stage.model.sessions[-1].items])
        page.send("hangup")
        await page.until("state", state="over")


async def test_the_second_line_is_the_colleague_of_a_warm_transfer(autojump_clock: MockClock) -> None:
    agent = receptionist(warm=True)
    async with (
        exchange(agent, script=script, settings=SETTINGS) as here,
        here.page() as page,
        here.page() as colleague,
    ):
        page.send("call")
        await page.hears(0.5)
        await page.quiet(0.3)
        page.send("line", name="yes_please")
        rung = await colleague.until("ring")
        assert rung["to"] == SALES
        await page.until("conference", state="waiting")
        colleague.send("accept", call=rung["call"])
        await colleague.hears(1.0)
        await colleague.quiet(0.3)
        colleague.send("line", name="yes_please")
        await page.until("conference", state="joined")
        await colleague.until("conference", state="joined")
        assert here.stage.twilio.open_streams == 0
        page.send("line", name="book_table")
        colleague.send("line", name="goodbye")
        await trio.sleep(6)
        assert voices.load("book_table") in colleague.heard
        assert voices.load("goodbye") in page.heard
        assert {error["code"] for error in page.carrier("error") + colleague.carrier("error")} == {31921}
        colleague.send("hangup")
        await page.until("state", state="over")
        assert {each.reason for each in here.stage.records} == {EndReason.TRANSFERRED}
