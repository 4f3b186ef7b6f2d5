"""An answer that is due and does not come as sound: whole calls over loopback sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from bench import illness
from llcphone import Agent, EndReason
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Cancel, Fail, Faults, Incomplete, Pace, Say, Write
from tests.calls.stage import QUESTION, rehearsal

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone.sim.model.script import Turn
    from tests.calls.stage import Rehearsal

ANSWER = b"\x31\xb1" * 4_000
SPOKEN = Say("We open at nine.", ANSWER)
APOLOGY = voices.load("apology")
NOT_SPOKEN: dict[str, Turn] = {
    "in text": Write("We open at nine."),
    "empty": [],
    "too long": Incomplete("max_output_tokens"),
    "filtered": Incomplete("content_filter"),
    "cancelled": Cancel("client_cancelled"),
}


async def ask(stage: Rehearsal) -> Any:
    """A caller who was greeted and has asked."""
    call = await stage.ring()
    await call.heard_audio(300)
    await trio.sleep(3)
    await call.speak(QUESTION)
    return call


async def hears(call: Any, sound: bytes, within_s: float) -> bool:
    with trio.move_on_after(within_s):
        while not any(sound[:160] in audio for _, audio in call.ear):
            await call.hears(0.1)
        return True
    return False


def outputs(session: Any) -> list[str]:
    """What the model read about its tools."""
    items = [each["item"] for each in session.events("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


@pytest.mark.parametrize("dialects", ["ga", "flat"])
@pytest.mark.parametrize("turn", NOT_SPOKEN.values(), ids=NOT_SPOKEN)
async def test_an_answer_without_a_sound_is_given_after_all(
    autojump_clock: MockClock, turn: Turn, dialects: str
) -> None:
    async with rehearsal(script=["Good morning!", turn, SPOKEN], dialects=dialects) as stage:
        call = await ask(stage)
        assert await hears(call, ANSWER, 5)
        session = await stage.session()
        assert len(session.events("response.create")) == 2  # the greeting, and the answer once more
        await trio.sleep(2)
        call.hang_up()
        record = await stage.record()
    assert len(stage.model.sessions) == 1
    words = [line for line in record.transcript if line["text"] == "We open at nine."]
    heard = [line["heard_ms"] for line in words]
    assert heard == ([0, None] if isinstance(turn, Write) else [None])


@pytest.mark.parametrize("turn", NOT_SPOKEN.values(), ids=NOT_SPOKEN)
async def test_a_greeting_without_a_sound_is_given_after_all(autojump_clock: MockClock, turn: Turn) -> None:
    async with rehearsal(script=[turn, SPOKEN]) as stage:
        call = await stage.ring()
        assert await hears(call, ANSWER, 5)
        call.hang_up()
        await stage.record()


async def test_a_model_that_never_speaks_is_apologised_for(autojump_clock: MockClock) -> None:
    async with rehearsal(script=lambda *_: Write("I only write.")) as stage:
        call = await stage.ring()
        assert await hears(call, APOLOGY, 15)
        record = await stage.record()
    assert record.reason is EndReason.MODEL_LOST
    assert len(stage.model.sessions) == 2
    assert sum(len(each.events("response.create")) for each in stage.model.sessions) == 6


async def test_half_a_tool_call_does_not_run_and_the_model_reads_why(autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")
    ran: list[str] = []

    @agent.tool
    async def hours(day: str) -> str:
        """When we are open."""
        ran.append(day)
        return "nine to five"

    half = [CallTool("hours", {"day": "sunday"}, cut=True), Incomplete()]
    async with rehearsal(agent=agent, script=["Good morning!", half, SPOKEN]) as stage:
        call = await ask(stage)
        assert await hears(call, ANSWER, 5)
        assert outputs(await stage.session()) == ['{"error":"not run: its arguments were cut off"}']
        call.hang_up()
        await stage.record()
    assert ran == []


@pytest.mark.parametrize("dialects", ["ga", "flat"])
@pytest.mark.parametrize("output", [None, []], ids=["null", "[]"])
async def test_a_tool_call_runs_though_the_response_does_not_list_it(
    autojump_clock: MockClock, output: object, dialects: str
) -> None:
    agent = Agent("Be brief.")

    @agent.tool
    async def hours() -> str:
        """When we are open."""
        return "nine to five"

    faults = Faults(odd={"response.done": {"response.output": output}})
    script = ["Good morning!", CallTool("hours"), SPOKEN]
    async with rehearsal(agent=agent, script=script, faults=faults, dialects=dialects) as stage:
        call = await ask(stage)
        assert await hears(call, ANSWER, 5)
        assert outputs(await stage.session()) == ["nine to five"]
        call.hang_up()
        await stage.record()


@pytest.mark.parametrize(("named", "within_s"), [("3.2s", 6), ("8s", 10), ("350ms", 3)])
async def test_a_rate_limit_is_waited_out_on_the_same_session(
    autojump_clock: MockClock, named: str, within_s: float
) -> None:
    limit = Fail("rate_limit_exceeded", f"Rate limit reached. Please try again in {named}.")
    async with rehearsal(script=["Good morning!", limit, SPOKEN]) as stage:
        call = await ask(stage)
        assert await hears(call, ANSWER, within_s)
        assert not stage.records
        assert len(stage.model.sessions) == 1
        assert len((await stage.session()).events("response.create")) == 2
        call.hang_up()
        await stage.record()


async def test_a_slow_first_sound_is_waited_for(autojump_clock: MockClock) -> None:
    def speak(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
        return SPOKEN if any(item.get("role") == "assistant" for item in past) else Say("Good morning!")

    async with rehearsal(script=speak, pace=Pace(first_audio_ms=6_000)) as stage:
        call = await stage.ring()
        await trio.sleep(20)
        await call.speak(QUESTION)
        assert await hears(call, ANSWER, 15)
        call.hang_up()
        record = await stage.record()
    assert record.reason is EndReason.CALLER_HUNG_UP
    assert len(stage.model.sessions) <= 2


async def test_a_session_that_stays_mute_is_given_up_within_a_bound(autojump_clock: MockClock) -> None:
    async with rehearsal(script=["Good morning!"], pace=Pace(first_audio_ms=100_000)) as stage:
        await stage.ring()
        record = await stage.record()
    assert record.reason is EndReason.MODEL_LOST
    assert record.duration_s < 45


async def test_a_slow_handshake_after_a_loss_is_waited_for(autojump_clock: MockClock) -> None:
    faults = [Faults(), Faults(handshake_delay_s=3.5), Faults(handshake_delay_s=3.5)]
    async with rehearsal(script=lambda *_: SPOKEN, faults=faults) as stage:
        call = await stage.ring()
        await call.heard_audio(1_000)
        await trio.sleep(2)
        stage.model.sessions[0].reset()
        await trio.sleep(8)
        assert stage.noted("model restored")
        call.hang_up()
        record = await stage.record()
    assert record.gaps[0]["gap_ms"] < 8_000


@pytest.mark.parametrize("kind", illness.KINDS)
async def test_calls_of_an_ill_provider_talk_again(autojump_clock: MockClock, kind: str) -> None:
    """``python -m bench.illness`` does the same with more calls and more seconds."""
    outcome = await illness.run(kind, 3.0, 3)
    assert (outcome.talking, outcome.too_soon) == (3, 0)
