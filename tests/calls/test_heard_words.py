"""Heard words in languages without spaces, as whole calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.sim.model import Pace, Say
from tests.calls.stage import INTERRUPTION, QUESTION, nothing_left, rehearsal
from tests.engine.test_words import CHINESE, JAPANESE, THAI

if TYPE_CHECKING:
    from trio.testing import MockClock

GREETING = Say("もしもし。", 1_000)


@pytest.mark.parametrize("text", [JAPANESE, CHINESE, THAI], ids=["japanese", "chinese", "thai"])
async def test_a_barge_in_after_six_of_ten_seconds_leaves_six_tenths_of_the_words(
    text: str, autojump_clock: MockClock
) -> None:
    script = [GREETING, Say(text, 10_000), Say("どうぞ。", 500)]
    async with nothing_left(), rehearsal(script=script) as stage:
        call = await stage.ring()
        await call.hears_out(0.9, 300)
        await call.speak(QUESTION)
        await call.hears(5.9)
        await call.speak(INTERRUPTION)
        await call.hears(0.4)
        call.hang_up()
        record = await stage.record()
        (cut,) = (line for line in record.transcript if text.startswith(line["text"]))
        assert 0.5 <= len(cut["text"]) / len(text) <= 0.65


async def test_a_session_lost_early_in_an_answer_leaves_the_next_one_only_what_was_spoken(
    autojump_clock: MockClock,
) -> None:
    script = [GREETING, Say(JAPANESE, 6_000), Say("はい。", 500)]
    async with nothing_left(), rehearsal(script=script, pace=Pace(speed=1.0)) as stage:
        call = await stage.ring()
        await call.hears_out(0.9, 300)
        await call.speak(QUESTION)
        await call.hears(1.6)
        (await stage.session()).reset()
        fresh = await stage.session(2)
        await fresh.receives("response.create")
        items = [each["item"] for each in fresh.events("conversation.item.create")]
        texts = [each["content"][0].get("text", "") for each in items if each.get("role") == "assistant"]
        assert JAPANESE.startswith(texts[-1])
        assert 0.15 <= len(texts[-1]) / len(JAPANESE) <= 0.4
        await trio.sleep(1)
        call.hang_up()
        await stage.record()
