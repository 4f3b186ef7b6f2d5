"""Turn taking in whole calls over loopback: schedule, silence, manual turns, echo, unasked responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, ConfigError, EndReason, open_phone
from llcphone.call.setup_turns import turn_updates
from llcphone.config import SETTINGS
from llcphone.sim.model import Say
from tests.calls.stage import (
    GOODBYE,
    INTERRUPTION,
    QUESTION,
    TRANSPORTS,
    make_config,
    nothing_left,
    rehearsal,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone import CallHandle
    from llcphone.sim.model import ModelSession

Transports = tuple[str, str]
Script = list[str | Say]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)


def updates(session: ModelSession) -> list[dict[str, Any]]:
    """What each ``session.update`` after the first one said."""
    return [each["session"] for each in session.events("session.update")][1:]


def kinds(session: ModelSession) -> list[str]:
    """The kinds of what the model was sent, audio left out."""
    sent = [message.event["type"] for message in session.received]
    return [kind for kind in sent if kind != "input_audio_buffer.append"]


def with_tools() -> Agent:
    agent = Agent("Be brief.", tool_groups={"booking": ["book", "look_up"]})

    @agent.tool(lean=True)
    async def opening_hours() -> str:
        "When we are open."
        return "nine to five"

    @agent.tool
    async def book() -> str:
        "Book a table."
        return "booked"

    @agent.tool
    async def look_up() -> str:
        "Look a booking up."
        return "none"

    return agent


@both
async def test_a_schedule_of_ones_own_is_sent_turn_by_turn(
    transports: Transports, autojump_clock: MockClock
) -> None:
    agent = with_tools()
    schedule = [
        {"after_turn": 0, "tools": "booking"},
        {"after_turn": 2, "eagerness": "low", "tools": ["book"]},
    ]
    script: Script = ["Good morning!", "One.", "Two.", "Three."]
    async with (
        nothing_left(),
        rehearsal(script=script, agent=agent, transports=transports, turns={"schedule": schedule}) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        seen = []
        for _ in range(3):
            await call.hears_out(0.3, 800)
            seen.append(len(updates(session)))
            await call.speak(QUESTION)
        await call.hears(0.3)
        call.hang_up()
        await stage.record()
        assert seen == [1, 1, 3]
        first, tools, eager = updates(session)
        assert [tool["name"] for tool in first["tools"]] == ["book", "look_up"]
        assert [tool["name"] for tool in tools["tools"]] == ["book"]
        assert eager["audio"]["input"]["turn_detection"]["eagerness"] == "low"


async def test_server_vad_gets_its_own_numbers_and_new_ones_later(autojump_clock: MockClock) -> None:
    realtime = {"turn_detection": "server_vad", "vad_silence_ms": 300, "vad_threshold": 0.5}
    turns = {"schedule": [{"after_turn": 1, "vad_silence_ms": 700}]}
    async with (
        nothing_left(),
        rehearsal(script=["Hello!", "Yes.", "No."], realtime=realtime, turns=turns) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 500)
        await call.speak(QUESTION)
        await call.hears_out(0.3, 1_000)
        call.hang_up()
        record = await stage.record()
        (update,) = updates(session)
        detection = update["audio"]["input"]["turn_detection"]
        assert detection["silence_duration_ms"] == 700
        assert detection["threshold"] == 0.5
        assert record.unasked_responses == 0


@both
async def test_a_response_that_an_update_provokes_is_cancelled_unheard(
    transports: Transports, autojump_clock: MockClock
) -> None:
    script: Script = [
        Say("Good morning!"),
        Say("NOBODY ASKED FOR THIS.", 4_000),
        Say("We open at nine."),
    ]
    async with (
        nothing_left(),
        rehearsal(script=script, agent=with_tools(), transports=transports) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        session.faults.unasked_response = 1  # the next update is the full tools', after the greeting
        await call.hears_out(0.3, 1_500)
        assert len(updates(session)) == 1
        await call.speak(QUESTION)
        await call.hears_out(0.3, 500)
        call.hang_up()
        record = await stage.record()
        assert record.unasked_responses == 1
        assert session.events("response.cancel")
        said = [line["text"] for line in record.transcript if line["speaker"] == "agent"]
        assert said == ["Good morning!", "We open at nine."]
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller"]


@both
async def test_a_silent_caller_is_asked_twice_and_then_told_good_bye(
    transports: Transports, autojump_clock: MockClock
) -> None:
    script: Script = ["Hello!", "Are you there?", "Hello?", Say("Good-bye then.", 1_500)]
    async with (
        nothing_left(),
        rehearsal(script=script, transports=transports, silence={"after_s": 6.0}) as stage,
    ):
        call = await stage.ring()
        record = await stage.record()
        await call.ended()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert [turn["asked"] for turn in record.turns] == ["greeting", "silence", "silence", "goodbye"]
        heard = [line["text"] for line in record.transcript if line["speaker"] == "agent"]
        assert heard == ["Hello!", "Are you there?", "Hello?", "Good-bye then."]
        assert all(line["heard_ms"] in (None, line["generated_ms"]) for line in record.transcript)


async def test_a_caller_who_answers_the_question_is_not_asked_again_too_soon(
    autojump_clock: MockClock,
) -> None:
    script: Script = ["Hello!", "Are you there?", "Good.", "Are you there now?"]
    async with nothing_left(), rehearsal(script=script, silence={"after_s": 6.0}) as stage:
        call = await stage.ring()
        await call.hears_out(0.2, 3_000)
        await call.hears(0.2)  # are you there?
        await call.silence_for(500)
        await call.speak(QUESTION)
        await call.hears(0.2)
        answered_at = trio.current_time()
        await call.silence_for(3_000)
        await call.hears(0.1)
        assert trio.current_time() - answered_at > 6.0
        call.hang_up()
        record = await stage.record()
        assert [turn["asked"] for turn in record.turns] == ["greeting", "silence", "caller", "silence"]


MANUAL = {"turn_detection": "none"}


def push_to_talk() -> Agent:
    """The star key takes the floor, the hash key gives it back."""
    agent = Agent("Be brief.")

    @agent.on_digit
    async def key(call: CallHandle, digit: str) -> None:
        if digit == "*":
            call.interrupt()
            call.clear_turn()
        elif digit == "#":
            call.commit_turn()

    return agent


@both
async def test_a_caller_talks_by_keys(transports: Transports, autojump_clock: MockClock) -> None:
    script: Script = [
        "Press star to talk.",
        "We open at nine.",
        Say("A long story.", 8_000),
        "As you wish.",
    ]
    async with (
        nothing_left(),
        rehearsal(script=script, agent=push_to_talk(), transports=transports, realtime=MANUAL) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 300)
        await call.speak(QUESTION)  # not heard as a turn: no key was pressed
        await trio.sleep(2)
        assert not session.events("input_audio_buffer.commit")
        for words in (QUESTION, GOODBYE):
            call.press("*")
            await trio.sleep(0.2)
            await call.speak(words)
            call.press("#")
            await call.hears(1.0)
            if words is QUESTION:
                await call.silence_for(300)
        call.press("*")  # over the long story
        truncate = await session.receives("conversation.item.truncate")
        await call.speak(INTERRUPTION)
        call.press("#")
        await call.silence_for(300)
        await call.hears_out(0.3, 300)
        call.hang_up()
        record = await stage.record()
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller", "caller", "caller"]
        assert record.barge_ins == 1
        cut = next(line for line in record.transcript if line["generated_ms"] > 5_000)
        assert cut["heard_ms"] == truncate["audio_end_ms"]
        assert [kind for kind in kinds(session) if kind.startswith("input_audio_buffer")] == [
            "input_audio_buffer.clear",
            "input_audio_buffer.commit",
        ] * 3
        assert not stage.noted("model error")


async def test_an_empty_turn_asks_nothing_of_the_model(autojump_clock: MockClock) -> None:
    async with (
        nothing_left(),
        rehearsal(script=["Hello!"], agent=push_to_talk(), realtime=MANUAL) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 300)
        call.press("*#")
        await trio.sleep(1)
        call.hang_up()
        record = await stage.record()
        assert not session.events("input_audio_buffer.commit")
        assert len(session.events("response.create")) == 1
        assert record.reason is EndReason.CALLER_HUNG_UP


async def test_turns_that_the_server_detects_cannot_be_committed_by_hand(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal(script=["Hello!"]) as stage:
        call = await stage.ring()
        (live,) = stage.phone.calls()
        with pytest.raises(ConfigError, match="turn_detection"):
            live.commit_turn()
        call.hang_up()
        await stage.record()


@both
async def test_a_short_noise_over_the_agent_does_not_stop_it_and_a_real_word_does(
    transports: Transports, autojump_clock: MockClock
) -> None:
    realtime = {"turn_detection": "server_vad", "vad_silence_ms": 500}
    script: Script = ["Hello!", Say("A long answer.", 9_000), "Yes?"]
    async with (
        nothing_left(),
        rehearsal(
            script=script, transports=transports, realtime=realtime, turns={"barge_in_after_ms": 900}
        ) as stage,
    ):
        call = await stage.ring()
        session = await stage.session()
        await call.hears_out(0.3, 300)
        await call.speak(QUESTION)
        await call.hears(1.0)
        noise = bytes(160 * 8)  # 160 ms at full scale
        await call.speak(noise)
        await session.receives("conversation.item.delete")
        await call.hears(2.0)
        assert not session.events("response.cancel")
        call.speak_nowait(INTERRUPTION)
        truncate = await session.receives("conversation.item.truncate")
        assert truncate["audio_end_ms"] > 3_000
        await call.silence_for(300)
        await call.hears_out(0.2, 300)
        call.hang_up()
        record = await stage.record()
        assert record.barge_ins == 1
        assert [turn["asked"] for turn in record.turns] == ["greeting", "caller", "caller"]
        assert not stage.noted("model error")


@pytest.mark.parametrize(
    ("turns", "realtime"),
    [
        ({"schedule": [{"after_turn": 1, "tools": "nobody"}]}, {}),
        ({"schedule": [{"after_turn": 1, "tools": ["fly"]}]}, {}),
        ({"schedule": [{"after_turn": 1, "vad_silence_ms": 300}]}, {}),
        ({"schedule": [{"after_turn": 1, "eagerness": "low"}]}, {"turn_detection": "server_vad"}),
    ],
)
async def test_a_schedule_that_cannot_be_kept_is_told_when_the_phone_opens(
    turns: dict[str, Any], realtime: dict[str, Any]
) -> None:
    url = "ws://127.0.0.1:9/v1/realtime"
    config = make_config(url, turns=turns, realtime={"url": url, "api_key": "sk-x", **realtime})
    with pytest.raises(ConfigError, match=r"turns\.schedule"):
        async with open_phone(config, with_tools()):
            pass


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"after_turn": 1},
        {"after_turn": -1, "tools": "full"},
        {"after_turn": True, "tools": "full"},
        {"after_turn": 1, "eagerness": "0.5"},
        {"after_turn": 1, "voice": "cedar"},
    ],
)
def test_a_step_that_is_none_is_refused_by_the_configuration(step: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"turns\.schedule"):
        make_config("ws://127.0.0.1:9/v1/realtime", turns={"schedule": [step]})


def test_the_usual_schedule_is_the_specs_and_an_agents_own_goes_before_the_settings() -> None:
    url = "ws://127.0.0.1:9/v1/realtime"
    agent = with_tools()
    usual = turn_updates(make_config(url), agent)
    assert [(update.after_turn, update.name) for update in usual] == [(0, "tools"), (1, "eagerness")]
    detection = {"type": "semantic_vad", "eagerness": "medium"}
    answers = {"create_response": True, "interrupt_response": True}
    assert usual[1].session == {"turn_detection": detection | answers}
    agent.schedule = [{"after_turn": 2, "tools": "none"}]
    own = turn_updates(make_config(url, turns={"schedule": [{"after_turn": 1, "tools": "lean"}]}), agent)
    assert [(update.after_turn, update.session) for update in own] == [(2, {"tools": []})]


def test_a_schedule_can_stand_in_an_environment_variable() -> None:
    schedule = SETTINGS["turns.schedule"]
    assert schedule.read_text('[{"after_turn": 1, "tools": "full"}]') == ({"after_turn": 1, "tools": "full"},)
    with pytest.raises(ConfigError, match=r"turns\.schedule"):
        schedule.check(schedule.read_text("[{broken"))
