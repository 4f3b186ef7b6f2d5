"""How much of an answer was heard: what the record says, and what the telephone in the page has played.

A whole call in virtual time, in this process. Its ear is the page's own audio thread in Chromium, which plays
a step whenever virtual time has passed, so no machine is too busy for it.
"""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from llcphone import Agent
from llcphone.sim import voices
from llcphone.sim.model import Say
from tests.browser.steps import STEP_MS, Telephone
from tests.console.page import Page as Line
from tests.console.page import exchange, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from llcphone.call.record import CallRecord

NEAR_MS = 2 * STEP_MS
GREETING = Say("Hello.", voices.load("hello")[:4000])
LONG = Say(voices.TEXTS["long_answer"], voices.load("long_answer"))
SUNDAY = Say(voices.TEXTS["sunday"], voices.load("sunday")[:4000])
SECONDS = 0.5
"""Of the answer, before somebody begins to interrupt it."""
REACTION_MS = 1000
"""Until that is speech."""


@attrs.define(eq=False)
class Ear(Line):
    """A page's line whose ear is a telephone in Chromium."""

    telephone: Telephone = attrs.field(kw_only=True)
    played: int = 0
    """Bytes."""
    waiting: list[str | dict[str, Any]] = attrs.field(factory=list)

    @property
    def heard_s(self) -> float:
        return self.played / 8000

    def _take(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "media":
                self.waiting.append(message["media"]["payload"])
                self.heard += base64.b64decode(message["media"]["payload"])
            case "mark":
                self.waiting.append({"mark": message["mark"]["name"]})
            case "clear":
                self.waiting.append({"clear": True})
        if message["event"] != "media":
            self.shown.append(message)

    async def play(self) -> None:
        at, idle = trio.current_time(), True
        while True:
            if idle and not self.waiting:
                await self.news.park()
                at = trio.current_time()
            messages, self.waiting = self.waiting, []
            seen = self.telephone.step(messages)
            at += STEP_MS / 1000
            await trio.sleep_until(at)
            self.played, idle = seen["played"], seen["idle"]
            for name in seen["marks"]:
                self.confirmed.append(name)
                self.send("mark", mark={"name": name})


@pytest.mark.parametrize("latency_ms", [30, 200], ids=["loudspeaker", "bluetooth"])
def test_the_record_knows_what_was_heard_of_an_interrupted_answer(bare_page: Page, latency_ms: int) -> None:
    telephone = Telephone.of(bare_page, latency_ms=latency_ms)

    async def call() -> tuple[CallRecord, Ear]:
        script = [GREETING, LONG, SUNDAY]
        async with exchange(Agent("Be brief."), script=script) as here:
            async with open_page(here.port, kind=partial(Ear, telephone=telephone)) as line:
                line.send("call")
                await line.until("state", state="connected")
                await line.hears(len(GREETING.audio) / 8000)
                await trio.sleep(1)
                line.send("line", name="yes_please")
                await line.hears(SECONDS)
                line.send("line", name="interrupt_wait")
                while not line.of("clear"):
                    await line.news.park()
                await trio.sleep(3 * STEP_MS / 1000)
                line.send("hangup")
            return await here.stage.record(), line

    record, line = trio.run(call, clock=MockClock(autojump_threshold=0))
    (cut,) = telephone.cuts
    line_cut = next(each for each in record.transcript if each["unheard"])
    rendered_ms = (cut["played"] - len(GREETING.audio)) / 8
    assert line_cut["heard_ms"] == pytest.approx(rendered_ms - latency_ms, abs=NEAR_MS)
    assert 1000 * SECONDS <= rendered_ms <= 1000 * SECONDS + STEP_MS + REACTION_MS
    told = [each["mark"]["name"] for each in line.of("mark")]
    assert line.confirmed == told
