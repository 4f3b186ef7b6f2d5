"""Whole calls from the line socket: webhook, TwiML, signed stream, engine, model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.config.console import ConsoleConfig
from llcphone.console.line import Cue, Lines
from llcphone.console.open import open_console
from llcphone.console.spoken import can_speak, spoken
from llcphone.sim import voices
from llcphone.sim.model import Say
from llcphone.sim.ulaw import DECODED
from llcphone.testing import rehearse
from tests.console.browser import KEY, Browser
from tests.console.page import exchange, open_page
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

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
        assert voices.load("hello_opening_hours") in session.received_audio
        sent = [each["mark"]["name"] for each in page.of("mark")]
        assert page.confirmed == sent
        assert len(sent) == len(set(sent))
        (stream,) = call.record.streams
        assert stream.messages["mark"] == len(sent)
        cut_ms = round(clear["at"] * 1000) - round(call.log.born_at * 1000)
        assert min(abs(start + len(audio) / 8 - cut_ms) for start, audio in call.ear) <= 20


async def test_what_a_page_can_do_is_told_when_it_opens(autojump_clock: MockClock) -> None:
    cues = [Cue("I would like to book a table.", "book_table"), Cue("Anything.", "")]
    async with exchange(Agent("Be brief."), cues=cues) as here, here.page() as page, here.page() as other:
        ready = await page.until("ready")
        assert ready["cues"] == [
            {"text": "I would like to book a table.", "wav": "book_table"},
            {"text": "Anything.", "wav": ""},
        ]
        goodbye = {"name": "goodbye", "text": voices.TEXTS["goodbye"], "ms": 2956}
        assert goodbye in ready["lines"]
        assert ready["model"] == "simulated"
        second = await other.until("ready")
        assert (second["line"], second["from"]) == (2, "+15551230003")
    async with exchange(Agent("Be brief.")) as here, here.page() as first:
        assert (await first.until("ready"))["line"] == 1


async def test_a_recording_is_said_without_a_microphone(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING, LONG]) as here, here.page() as page:
        page.send("call")
        await page.hears(2.0)
        await page.quiet(0.5)
        page.send("line", name="hello_opening_hours")
        await page.hears(2.0)
        session = await here.stage.session()
        assert voices.load("hello_opening_hours") in session.received_audio
        assert session.received_audio.count(voices.load("hello_opening_hours")[:800]) == 1


async def test_typed_words_are_spoken_where_there_is_a_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time, for a program that speaks does not know ours."""
    if not can_speak():
        pytest.skip("espeak-ng is not installed")
    speech = await spoken("-v is a word, too: hello!")
    assert speech is not None
    assert len(speech) > 8000
    level = sum(abs(DECODED[byte]) for byte in speech) / len(speech)
    assert level > 300
    monkeypatch.setenv("PATH", "")
    assert await spoken("hello") is None
    assert not can_speak()


async def test_typed_words_reach_the_model(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def voice(text: str) -> bytes | None:
        return voices.load(text) if text in voices.TEXTS else None

    monkeypatch.setattr("llcphone.console.line.spoken", voice)
    async with exchange(Agent("Be brief."), script=[GREETING]) as here, here.page() as page:
        page.send("call")
        await page.hears(2.0)
        await page.quiet(0.5)
        page.send("speak", text="book_table")
        page.send("speak", text="no voice for this")
        await trio.sleep(5)
        session = await here.stage.session()
        assert voices.load("book_table") in session.received_audio
        (error,) = page.carrier("error")
        assert "install espeak-ng" in error["text"]


async def test_keys_reach_the_agent(autojump_clock: MockClock) -> None:
    pressed: list[str] = []
    agent = Agent("Be brief.")

    @agent.on_digit
    async def note(call: object, digit: str) -> None:
        pressed.append(digit)

    async with exchange(agent, script=[GREETING]) as here, here.page() as page:
        page.send("call")
        await page.until("stream", state="started")
        for digit in "12#*0":
            page.send("dtmf", dtmf={"digit": digit})
        await trio.sleep(1)
        assert "".join(pressed) == "12#*0"
        page.send("dtmf", dtmf={"digit": "w"})
        assert (await page.until("error"))["code"] == 0


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"null",
        b'{"event":"no such thing"}',
        b'{"event":"media","media":{"payload":"AAAA"}}',
        b'{"event":"media","media":{"payload":"***"}}',
        b'{"event":"line","name":"../../etc/passwd"}',
        b'{"event":"fault","what":"delay","ms":999999}',
        b'{"event":"speak","text":"' + b"x" * 501 + b'"}',
        b"[" * 2000,
    ],
    ids=str,
)
async def test_a_page_that_sends_nonsense_is_told_and_keeps_its_line(
    autojump_clock: MockClock, message: bytes
) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING]) as here, here.page() as page:
        page.send("call")
        await page.until("stream", state="started")
        page.leg.send_nowait(message)
        assert (await page.until("error"))["code"] == 0
        await page.hears(1.0)


async def test_a_call_placed_by_the_server_rings_the_page(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Remind them."), script=[GREETING]) as here, here.page() as page:
        call = here.stage.phone.place_call("+15550001234", Agent("Remind them."))
        rung = await page.until("ring")
        assert rung["to"] == "+15550001234"
        page.send("accept", call=rung["call"])
        assert (await page.until("id"))["call"] == call.call_id
        page.send("line", name="hello")
        await page.hears(1.0)
        page.send("hangup")
        record = await call
        assert record.reason is EndReason.CALLER_HUNG_UP
        declined = here.stage.phone.place_call("+15550001235", Agent("Remind them."))
        await page.until("ring", to="+15550001235")
        page.send("decline")
        assert (await declined).reason is EndReason.BUSY


async def test_with_no_page_open_nobody_answers(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Remind them.")) as here:
        assert (await here.stage.phone.place_call("+15550001234", Agent("Hi."))).reason is EndReason.NO_ANSWER


async def test_a_lost_model_is_replaced_and_the_caller_stays(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING, LONG, SUNDAY]) as here, here.page() as page:
        page.send("call")
        await page.hears(2.0)
        await page.quiet(0.5)
        page.send("fault", what="lose-model")
        await here.stage.session(2)
        page.send("line", name="hello_opening_hours")
        await page.hears(2.0)
        page.send("hangup")
        assert (await here.stage.record()).reason is EndReason.CALLER_HUNG_UP


async def test_a_delay_holds_for_both_directions_and_ends(autojump_clock: MockClock) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING, LONG]) as here, here.page() as page:
        page.send("fault", what="delay", ms=400)
        page.send("call")
        began = trio.current_time()
        await page.until("stream", state="started")
        assert trio.current_time() - began >= 0.8
        await page.hears(2.0)
        await page.quiet(0.5)
        await page.speak(voices.load("hello_opening_hours"))
        await page.hears(2.0)
        page.send("fault", what="delay", ms=0)
        await trio.sleep(1)
        asked = trio.current_time()
        page.send("hangup")
        await page.until("state", state="over")
        assert trio.current_time() - asked < 0.1
        assert [each["event"] for each in page.shown].count("error") == 0


async def test_a_stream_that_is_lost_is_shown_and_the_server_is_asked_what_is_next(
    autojump_clock: MockClock,
) -> None:
    async with exchange(Agent("Be brief."), script=[GREETING, SUNDAY]) as here, here.page() as page:
        page.send("call")
        await page.hears(1.0)
        page.send("fault", what="drop-stream")
        assert (await page.until("error"))["code"] == 31903
        await page.until("stream", state="ended")
        over = await page.until("state", state="over")
        assert over["why"] == "<Hangup>"


async def test_a_lost_stream_is_resumed_where_there_is_a_journal(
    autojump_clock: MockClock, tmp_path: Path, no_threads: None
) -> None:
    settings = {"journal": {"url": url_of(tmp_path)}}
    agent = Agent("Be brief.")
    async with (
        exchange(agent, script=[GREETING, SUNDAY], settings=settings) as here,
        here.page() as page,
    ):
        page.send("call")
        await page.hears(2.0)
        await page.quiet(0.5)
        page.send("fault", what="drop-stream")
        assert (await page.until("error"))["code"] == 31903
        await page.until("stream", 2, state="started")
        await page.hears(1.0)
        page.send("hangup")
        await page.until("state", state="over", why="caller hung up")


async def test_a_page_comes_with_a_ticket_through_the_consoles_port(autojump_clock: MockClock) -> None:
    lines = Lines(model="simulated")
    config = ConsoleConfig(key=KEY)
    async with (
        rehearse(Agent("Be brief."), script=[GREETING], callee=lines.callee) as stage,
        open_console(stage.phone, config, sockets={"line": lines.serve}) as console,
    ):
        lines.twilio = stage.twilio
        browser = Browser(console.port)
        await browser.enter(console)
        async with open_page(console.port, await browser.ticket("line")) as page:
            page.send("call")
            await page.hears(2.0)
            page.send("hangup")
            await page.until("state", state="over")
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP
