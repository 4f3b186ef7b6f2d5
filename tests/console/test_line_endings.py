"""However a page leaves, nothing of its call stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.console.line import CALLS_KEPT
from llcphone.sim import voices
from llcphone.sim.model import Say
from tests.calls.stage import nothing_left
from tests.console.page import Exchange, exchange

if TYPE_CHECKING:
    from trio.testing import MockClock

LONG = Say(voices.TEXTS["long_answer"], voices.load("long_answer"))
ROUNDS, AT_ONCE = 20, 10


async def leave_in_mid_word(here: Exchange, number: int) -> None:
    """A page that hears the agent, speaks itself, and is gone; each at another moment, in another way."""
    async with here.page() as page, trio.open_nursery() as nursery:
        page.send("fault", what="delay", ms=number % 4 * 70)
        page.send("call")
        await page.until("state", state="ringing")
        if number % 5:  # else before anything is heard
            await page.hears(0.1 + number % 7 * 0.13)
        nursery.start_soon(page.speak, voices.load("book_table"))
        await trio.sleep(number % 11 * 0.037)
        match number % 3:
            case 0:
                page.leg.abort()
            case 1:
                await page.leg.aclose()
            case 2:
                page.send("hangup")
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_hundreds_of_pages_that_leave_in_mid_word_leave_nothing(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=lambda *_: LONG) as here:
        await trio.sleep(1)
        async with nothing_left():
            for round_ in range(ROUNDS):
                async with trio.open_nursery() as nursery:
                    for number in range(AT_ONCE):
                        nursery.start_soon(leave_in_mid_word, here, round_ * AT_ONCE + number)
            await here.stage.phone.wait_until_empty()
        reasons = {record.reason for record in here.stage.records}
        assert len(here.stage.records) > 0.8 * ROUNDS * AT_ONCE  # some left before the server knew of them
        assert reasons <= {EndReason.CALLER_HUNG_UP, EndReason.NEVER_JOINED, EndReason.START_TIMEOUT}
        assert here.stage.twilio.live_calls == 0
        assert len(here.stage.twilio.calls) <= CALLS_KEPT + AT_ONCE


async def test_a_page_that_does_not_read_is_a_telephone_in_a_tunnel(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=lambda *_: LONG) as here, here.page() as page:
        page.send("call")
        await page.hears(1.0)
        page.stalled = True
        await trio.sleep(20)
        assert here.stage.phone.live_calls == 1
        page.stalled = False
        page.send("line", name="book_table")
        await page.hears(1.0)
        page.send("hangup")
        assert (await here.stage.record()).reason is EndReason.CALLER_HUNG_UP
