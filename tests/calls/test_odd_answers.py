"""Odd events and refusals of the model's side, as whole calls over loopback."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason, open_phone
from llcphone.realtime.dialects import Dialect
from llcphone.sim.model import CallTool, Event, Fail, Faults, Incomplete, ModelScript, open_model
from tests.calls.stage import QUESTION, make_config, rehearsal, serve_phone
from tests.realtime.odd import ODD_VALUES, is_needed, places
from tests.realtime.samples import SAMPLES

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall

ODD: dict[str, dict[str, Any]] = {
    "float in the bill": {"response.done": {"response.usage.input_tokens": 12.0}},
    "list for the bill": {"response.done": {"response.usage": []}},
    "text for metadata": {"response.done": {"response.metadata": ""}},
    "no status": {"response.done": {"response.status": ...}},
    "no index": {"response.output_audio.delta": {"content_index": None}},
    "no start": {"input_audio_buffer.speech_started": {"audio_start_ms": None}},
    "no end": {"input_audio_buffer.speech_stopped": {"audio_end_ms": None}},
    "no id": {"session.created": {"session.id": ...}, "session.updated": {"session.id": None}},
}


async def asks(sim: SimCall) -> None:
    """The caller hears the greeting, asks, and hears the answer to its end."""
    await sim.hears_out(0.3, 800)
    await sim.speak(QUESTION)
    await sim.hears_out(0.3, 1_000)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_an_odd_field_costs_no_turn_and_no_session(odd: Any, autojump_clock: MockClock) -> None:
    script = ModelScript(["Good morning.", "We open at nine."], odd=odd)
    async with rehearsal(script=script) as stage:
        sim = await stage.ring()
        await asks(sim)
        sim.hang_up()
        record = await stage.record()
    assert record.reason is EndReason.CALLER_HUNG_UP
    assert record.bad_messages == 0
    assert len(record.turns) == 2
    assert record.gaps == ()


async def test_arguments_written_as_an_object_reach_the_tool(autojump_clock: MockClock) -> None:
    days: list[str] = []
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def hours(day: str) -> str:
        """When we open."""
        days.append(day)
        return "nine"

    odd = {"response.done": {"response.output.0.arguments": {"day": "sunday"}}}
    script = ModelScript(["Hello.", [CallTool("hours", {"day": "monday"})], "At nine."], odd=odd)
    async with rehearsal(script=script, agent=agent) as stage:
        sim = await stage.ring()
        await asks(sim)
        sim.hang_up()
        await stage.record()
    assert days == ["sunday"]


@pytest.mark.parametrize(
    "odd",
    [{"error": "odd"}, {"error": {"code": 1302}}, {"message": "odd", "code": 7}, {}, {"error": None}],
    ids=str,
)
async def test_an_odd_error_in_mid_call_changes_nothing(odd: Any, autojump_clock: MockClock) -> None:
    script = [["Good morning.", Event({"type": "error"} | odd)], "We open at nine."]
    async with rehearsal(script=script) as stage:
        sim = await stage.ring()
        await asks(sim)
        sim.hang_up()
        record = await stage.record()
    assert (record.bad_messages, len(record.turns), record.gaps) == (0, 2, ())


async def test_an_odd_refusal_of_the_set_up_is_named_within_a_second(autojump_clock: MockClock) -> None:
    async with open_model(faults=Faults(refuse_update={"error": {"code": 1302}})) as model:
        config = make_config(model.url, recovery={"apology_file": "off"}, realtime={"dialect": "ga"})
        async with serve_phone(config) as line:
            sim = await line.twilio.ring()
            await sim.ended()
            (record,) = line.records
    assert (record.reason, record.failure) == (EndReason.MODEL_REFUSED, "1302")
    assert record.duration_s < 1.0


def two_tools() -> Agent:
    """An agent whose second tool comes with a later update."""
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def hours() -> str:
        """When we open."""
        return "nine"

    @agent.tool
    async def book() -> str:
        """Book a table."""
        return "booked"

    return agent


async def test_a_refused_later_update_leaves_the_agent_what_it_had_and_a_lost_session_is_replaced(
    autojump_clock: MockClock,
) -> None:
    async with rehearsal(agent=two_tools(), faults=Faults()) as stage:
        stage.model.faults = Faults(refuse_later=True)
        sim = await stage.ring()
        session = await stage.session()
        await sim.hears(1.0)
        await session.receives("session.update", 2)
        await trio.sleep(1)
        session.reset()
        await trio.sleep(3)
        again = stage.model.sessions[-1]
        assert again is not session
        assert [tool["name"] for tool in again.config["tools"]] == ["hours"]
        assert sim.record.ended_by is None
        sim.hang_up()
        record = await stage.record()
    assert record.reason is EndReason.CALLER_HUNG_UP
    assert [gap["outcome"] for gap in record.gaps] == ["restored"]


async def test_an_answer_that_the_model_refuses_is_given_in_short_and_spoken_about_then(
    autojump_clock: MockClock,
) -> None:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def read_all() -> str:
        """Read everything."""
        return "word " * 1_000

    def reply(turn: int, items: list[dict[str, Any]], tools: Any) -> Any:
        last = items[-1] if items else {}
        if turn == 2:
            return CallTool("read_all", {})
        return f"It has {len(last['output'])}." if last.get("type") == "function_call_output" else "Hello."

    async with rehearsal(script=reply, agent=agent, faults=Faults()) as stage:
        stage.model.faults = Faults(longest_output=2_000)
        sim = await stage.ring()
        session = await stage.session()
        await sim.hears_out(0.3, 800)
        await sim.speak(QUESTION)
        await session.receives("conversation.item.create", 2)
        await trio.sleep(3)
        sim.hang_up()
        record = await stage.record()
    outputs = [item for item in session.items if item.type == "function_call_output"]
    assert len(outputs) == 1
    assert "characters left out)" in outputs[0].body["output"]
    assert any("It has 10" in response.text for response in session.responses)
    assert record.reason is EndReason.CALLER_HUNG_UP


# -- readiness ----------------------------------------------------------------------------------


async def until_asked(phone: Any) -> None:
    with trio.fail_after(20):
        while phone.endpoints.first.trouble == "not asked yet":  # noqa: ASYNC110 (a question, not an event)
            await trio.sleep(0.05)


async def test_what_is_wrong_with_an_agent_is_known_before_a_caller(autojump_clock: MockClock) -> None:
    async with (
        open_model(faults=Faults(refuse_later=True)) as model,
        open_phone(make_config(model.url), two_tools()) as phone,
    ):
        await until_asked(phone)
        assert phone.endpoints.first.accepted.is_set()
        (reason,) = phone.ready()
        assert "its settings are refused, invalid_value at session" in reason
        model.faults = Faults()
        await trio.sleep(40)
        assert phone.ready() == []


async def test_the_question_asks_for_the_agents_own_instructions_and_all_its_tools(
    autojump_clock: MockClock,
) -> None:
    async with open_model() as model, open_phone(make_config(model.url), two_tools()) as phone:
        await until_asked(phone)
        updates = [event["session"] for event in model.sessions[0].events("session.update")]
    assert any(update.get("instructions") == "Be brief." for update in updates)
    names = [[tool["name"] for tool in update.get("tools", ())] for update in updates]
    assert ["hours", "book"] in names


async def test_a_session_without_an_id_is_no_reason_to_be_unready(autojump_clock: MockClock) -> None:
    script = ModelScript(odd={"session.created": {"session.id": ...}})
    async with open_model(script) as model, open_phone(make_config(model.url), Agent("Be brief.")) as phone:
        await until_asked(phone)
        assert phone.ready() == []


async def test_an_endpoint_that_answers_flat_keys_with_pcm_is_asked_in_ga(autojump_clock: MockClock) -> None:
    pcm = {"session.input_audio_format": "pcm16", "session.output_audio_format": "pcm16"}
    script = ModelScript(["Hello."])
    async with open_model(script, dialects="both") as model:
        # In flat it answers with PCM, whatever it was asked for; in GA it keeps its word.
        model.script = ModelScript(["Hello."], odd={"session.updated": pcm})
        config = make_config(model.url, realtime={"dialect": "auto"})
        async with serve_phone(config) as line:
            await until_asked(line.phone)
            assert line.phone.ready() == []
            sim = await line.twilio.ring()
            await sim.hears(0.3)
            sim.hang_up()
            await trio.sleep(1)
    assert [record.reason for record in line.records] == [EndReason.CALLER_HUNG_UP]
    assert line.records[0].dialect == "ga"


# -- at random ----------------------------------------------------------------------------------

STEPS: list[Any] = [
    "Yes.",
    "Of course.",
    CallTool("hours", {}),
    Incomplete(),
    Fail(),
    Event({"type": "error"}),
]
SAMPLE = {event["type"]: event for event, fact in SAMPLES[Dialect.GA] if fact is not None}


def at_random(seed: int) -> ModelScript:
    """A script with odd fields in a third of all types of events, and answers of any kind."""
    chance = random.Random(seed)
    odd: dict[str, dict[str, Any]] = {}
    for kind, event in SAMPLE.items():
        optional = [path for path in places(event) if not is_needed(event, path) and path[0] != "session"]
        if optional and chance.random() < 0.3:
            path = ".".join(map(str, chance.choice(optional)))
            odd[kind] = {path: chance.choice([*ODD_VALUES, ...])}
    turns = [chance.sample(STEPS, chance.randrange(1, 3)) for _ in range(4)]
    return ModelScript(["Hello.", *turns], odd=odd)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_odd_about_it_a_call_ends_with_a_reason(
    seed: int, autojump_clock: MockClock
) -> None:
    async with rehearsal(script=at_random(seed), agent=two_tools()) as stage:
        sim = await stage.ring()
        for _ in range(3):
            await sim.silence_for(2_000)
            if sim.record.ended_by is None:
                await sim.speak(QUESTION)
        await sim.silence_for(3_000)
        if sim.record.ended_by is None:
            sim.hang_up()
        record = await stage.record()
    assert record.reason in (EndReason.CALLER_HUNG_UP, EndReason.MODEL_LOST)
    assert record.bad_messages == 0
