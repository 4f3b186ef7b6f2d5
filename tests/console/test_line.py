"""Whole calls from the line socket: webhook, TwiML, signed stream, engine, model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone import Agent, EndReason
from llcphone.sim import voices
from llcphone.sim.model import Say
from tests.console.page import exchange

if TYPE_CHECKING:
    from trio.testing import MockClock

GREETING = Say("Hello, this is Casa Verde. How can I help you?", voices.load("greeting"))
LONG = Say(voices.TEXTS["long_answer"], voices.load("long_answer"))
SUNDAY = Say(voices.TEXTS["sunday"], voices.load("sunday"))


async def test_a_page_holds_a_whole_call_with_a_barge_in(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING, LONG, SUNDAY]) as here, here.page() as page:
        ready = await page.until("ready")
        assert ready["line"] == 1
        assert ready["number"] == here.stage.twilio.number
        page.send("call")
        await page.until("state", state="connected")
        shown = await page.until("id")
        await page.hears(2.0)
        await page.quiet(0.5)
        assert page.heard == bytearray(voices.load("greeting"))
        await page.speak(voices.load("hello_opening_hours"))
        await page.hears(2.0)
        await page.speak(voices.load("interrupt_wait"))
        clear = page.of("clear")[0]
        await page.hears(2.0)
        await page.quiet(0.5)
        page.send("hangup")
        over = await page.until("state", state="over")
        record = await here.stage.record()

        assert over["why"] == "caller hung up"
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.call_id == shown["call"]
        (call,) = here.stage.twilio.calls
        assert call.record.error_codes == []
        session = await here.stage.session()
        assert voices.load("book_table") not in session.received_audio
        assert voices.load("hello_opening_hours") in session.received_audio
        sent = [each["mark"]["name"] for each in page.of("mark")]
        assert page.confirmed == sent
        assert len(sent) == len(set(sent))
        (stream,) = call.record.streams
        assert stream.messages["mark"] == len(sent)
        cut_ms = round(clear["at"] * 1000) - round(call.log.born_at * 1000)
        assert min(abs(start + len(audio) / 8 - cut_ms) for start, audio in call.ear) <= 20
