"""GPT-Live under strain, in whole calls: sessions that are lost at any moment, and a call of ten minutes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import trio

from llcphone import Agent, EndReason
from llcphone.sim import voices
from llcphone.sim.live import Faults
from llcphone.sim.model import Say
from tests.calls.test_a_lost_model import HOURS, agent_words, text_of
from tests.calls.test_live_whole import live_stage, settled

if TYPE_CHECKING:
    from trio.testing import MockClock

SENTENCES = [
    "Good morning!",
    "From Tuesday to Saturday we open at noon and close at nine.",
    *(f"That is answer number {number} of the bakery." for number in range(1, 12)),
]
CUTS = 20
AGAIN_MS = 1_500
"""From the loss to the agent's next word, for 95 of 100."""
LEAD_MS = 250


def speak(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """The next sentence that was not said, or the rest of one that broke off."""
    told = " ".join(text_of(item) for item in past if item.get("role") == "assistant")
    left = [sentence for sentence in SENTENCES if sentence not in told]
    if turn == 1:
        heard = max(range(len(left[0])), key=lambda at: at if told.endswith(left[0][:at]) else -1)
        left[0] = left[0][heard:].strip() or left[0]
    return Say(left[turn - 1])


async def test_sessions_that_are_lost_at_random_moments(autojump_clock: MockClock) -> None:
    """Every call talks again, and nothing that was heard is said twice."""
    chance = random.Random(7)
    gaps_ms: list[int] = []
    async with live_stage(Agent("Be brief."), speak) as stage:
        await settled(stage)
        for nth in range(1, CUTS + 1):
            call = await stage.twilio.ring()
            await call.stream_started()
            session = next(each for each in stage.live.sessions if each.is_open)
            cut_s = chance.uniform(0.5, 12.0)
            async with trio.open_nursery() as nursery:

                async def breaks(cut_s: float = cut_s, session: object = session) -> None:
                    await trio.sleep(cut_s)
                    session.reset()  # type: ignore[attr-defined]

                nursery.start_soon(breaks)
                await call.heard_audio(800)
                await call.silence_for(400)
                await call.speak(voices.load("book_table"))
                await call.hears(0.5)
                await trio.sleep(16)
            call.hang_up()
            record = await stage.nth_record(nth)
            words = agent_words(record)
            assert record.reason is EndReason.CALLER_HUNG_UP, (nth, cut_s)
            assert len(record.gaps) == 1, (nth, cut_s)
            assert all(words.count(sentence) <= 1 for sentence in SENTENCES), (nth, cut_s, words)
            (gap,) = record.gaps
            if gap["owed"] != "nothing" and gap["spoke_ms"] is not None:
                gaps_ms.append(gap["spoke_ms"] - gap["at_ms"])
    assert len(gaps_ms) >= CUTS // 4
    assert sorted(gaps_ms)[int(0.95 * len(gaps_ms)) - 1] <= AGAIN_MS, sorted(gaps_ms)


async def test_the_model_is_never_far_ahead_of_the_ear_in_a_call_of_ten_minutes(
    autojump_clock: MockClock,
) -> None:
    async with live_stage(Agent("Be brief."), lambda turn, past, tools: HOURS) as stage:
        await settled(stage)
        stage.live.faults = Faults()
        call = await stage.twilio.ring()
        await call.stream_started()
        with trio.move_on_after(600):
            while True:
                await call.hears_out(0.5, 1_500)
                await call.speak(voices.load("book_table"))
        call.hang_up()
        record = await stage.record()
    assert record.duration_s >= 595
    assert sum(line["speaker"] == "agent" for line in record.transcript) > 20
    assert record.lead_ms["p99"] <= LEAD_MS
