"""A phone that stops: calls end by themselves, or with a good-bye, or go on in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import EndReason
from llcphone.sim import voices
from llcphone.sim.model import Say
from llcphone.sim.twilio import EndedBy
from tests.calls.stage import QUESTION, TRANSPORTS, nothing_left, rehearsal
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


Transports = tuple[str, str]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)

APOLOGY = voices.load("apology")
GREETING = Say("Good morning!", audio=800)
GOODBYE = Say("We close now. Good-bye!", audio=1_500)


def script(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """Greets; says good-bye when it was told that the line must close; else talks for a minute."""
    if turn == 1:
        return GREETING
    told = past[-1].get("role") == "system"
    return GOODBYE if told else Say("All about our stage. " * 40, audio=60_000)


@both
async def test_a_silent_caller_hears_the_agents_good_bye(
    transports: Transports, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=script, transports=transports) as stage:
        call = await stage.ring()
        await call.hears_out(0.8, 300)
        began_s = trio.current_time()
        await stage.phone.drain(40)
        assert 25 <= trio.current_time() - began_s < 29  # at the limit less 15 s, and as long as it takes
        record = await stage.record()
        assert record.reason is EndReason.DRAINED
        last = record.transcript[-1]
        assert last["text"] == GOODBYE.text
        assert last["heard_ms"] in (None, last["generated_ms"])
        await call.heard_audio(800 + 1_500)
        assert (await call.ended()).ended_by is not EndedBy.CALLER


async def test_an_agent_in_the_middle_of_a_long_answer_gives_way_to_the_stored_words(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), rehearsal(script=script) as stage:
        call = await stage.ring()
        await call.hears_out(0.8, 300)
        await call.speak(QUESTION)
        await call.hears(1)
        began_s = trio.current_time()
        await stage.phone.drain(20)
        assert trio.current_time() - began_s < 20
        record = await stage.record()
        assert record.reason is EndReason.DRAINED
        assert any(APOLOGY in audio for _, audio in call.ear)
        spoken = record.transcript[-2]
        assert spoken["heard_ms"] < 20_000, "not told as if the rest had been heard"


@pytest.mark.usefixtures("no_threads")
async def test_whom_another_process_goes_on_with_is_not_bidden_farewell(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=script, journal={"url": url_of(tmp_path)}) as stage:
        call = await stage.ring()
        await call.hears(0.8)
        await stage.phone.drain(40)
        record = await stage.record()
        assert record.reason is EndReason.DRAINED
        assert len(record.turns) == 1
        assert not call.over
        call.hang_up()


@pytest.mark.parametrize("settings", [{"goodbye_s": 0}, {"goodbye_s": 60}])
async def test_without_the_time_for_it_there_is_no_good_bye(
    settings: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearsal(script=script, drain=settings) as stage:
        call = await stage.ring()
        await call.hears(0.8)
        began_s = trio.current_time()
        await stage.phone.drain(40)
        assert trio.current_time() - began_s == pytest.approx(40, abs=1)
        assert len((await stage.record()).turns) == 1


async def test_a_call_that_is_born_late_and_never_joins_does_not_last_longer(
    autojump_clock: MockClock,
) -> None:
    settings = {"token_ttl_s": 300}
    async with nothing_left(), rehearsal(script=script, call=settings) as stage:
        stage.phone.answer({"CallSid": "CA1", "From": "anonymous", "To": "s"})
        began_s = trio.current_time()
        await stage.phone.drain(20)
        assert trio.current_time() - began_s == pytest.approx(20, abs=1)
        assert (await stage.record()).reason is EndReason.DRAINED
