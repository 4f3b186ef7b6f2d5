"""Whole calls with each kind of endpoint: greeting, barge-in, tool, a lost session, good-bye."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llcphone import Agent, EndReason
from llcphone.sim.model import PROFILES, CallTool, Profile, Say
from llcphone.testing import Rehearsal, rehearse
from tests.calls.stage import INTERRUPTION, QUESTION, nothing_left

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone.sim.model import ModelSession

BY_SILENCE = {"turn_detection": "server_vad", "vad_silence_ms": 700}
"""Longer than the pauses within what the caller says."""
SETTINGS: dict[str, dict[str, Any]] = {
    "azure": {"profile": "azure"},
    "xai": {"profile": "xai", "voice": "eve", "model": "grok-voice-latest", **BY_SILENCE},
    "generic": {"profile": "generic", "noise_reduction": "near_field", "speed": 1.1, **BY_SILENCE},
}
kinds = pytest.mark.parametrize("name", list(SETTINGS))

STORY = [
    "Good morning!",
    Say("A very long answer about all the bread that we have baked since the morning.", 12_000),
    [CallTool("opening_hours", {})],
    "Until five.",
    [Say("Good-bye."), CallTool("hang_up")],
]
TRUNCATE = "conversation.item.truncate"


def clerk() -> Agent:
    agent = Agent("Be brief.")
    agent.offer_hang_up()

    @agent.tool(lean=True)
    async def opening_hours() -> str:
        "When we are open."
        return "nine to five"

    return agent


def stage_of(name: str, profile: Profile | None = None, dialects: str = "ga", **settings: Any) -> Any:
    realtime = {**SETTINGS[name], **settings}
    return rehearse(
        clerk(),
        script=STORY,
        dialects=dialects,
        profile=profile or name,
        settings={"realtime": realtime, "opening": {"priming_inbound": True}},
    )


async def talk(stage: Rehearsal, *, lose: bool = False) -> ModelSession:
    """The whole story, or until a lost session was replaced; the model's last session."""
    call = await stage.ring()
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await call.hears(2.0)
    call.speak_nowait(INTERRUPTION)
    await call.hears_out(0.5, 700)  # "Until five.", with the tool's answer in sight
    if lose:
        stage.model.sessions[-1].reset()
        await stage.model.session(len(stage.model.sessions) + 1)
    await call.speak(QUESTION)
    if lose:  # a new session of the simulator begins the story again
        await call.hears_out(0.5, 700)
        call.hang_up()
    await call.ended()
    return stage.model.sessions[-1]


def agent_words(record: Any) -> list[str]:
    return [line["text"] for line in record.transcript if line["speaker"] == "agent"]


def refusals(session: ModelSession) -> list[str]:
    """The types of the client events that this kind of endpoint does not know."""
    known = session.profile.unknown_events
    return [each.event["type"] for each in session.received if each.event.get("type") in known]


@kinds
async def test_a_call_is_greeted_interrupted_helped_and_ended(name: str, autojump_clock: MockClock) -> None:
    async with nothing_left(), stage_of(name) as stage:
        session = await talk(stage)
        record = await stage.record()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert record.barge_ins == 1
        assert record.unasked_responses == 0
        words = agent_words(record)
        assert (words[0], words[-2:]) == ("Good morning!", ["Until five.", "Good-bye."])
        assert 0 < len(words[1]) < len(STORY[1].text)
        assert record.dialect == ("xai" if name == "xai" else "ga")
        told = [item.text for item in session.items if item.type == "message"]
        assert STORY[1].text not in told, "the model knows what was not heard"


@kinds
async def test_a_lost_session_is_replaced_and_the_call_goes_on(name: str, autojump_clock: MockClock) -> None:
    async with nothing_left(), stage_of(name) as stage:
        session = await talk(stage, lose=True)
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert agent_words(record)[-2:] == ["Until five.", "Good morning!"]
        assert [gap["kind"] for gap in record.gaps] == ["lost"]
        told = [item.text for item in session.items if item.type == "message"]
        assert "Until five." in told


@kinds
async def test_what_was_refused_once_is_not_sent_again(
    name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "llcphone.model"):
        async with stage_of(name) as stage:
            first = await talk(stage)
            await stage.record(1)
            second = await talk(stage)
            await stage.record(2)
    assert len(refusals(first)) == len(set(refusals(first)))
    assert refusals(second) == []
    said = [each.__dict__["what"] for each in caplog.records if "does not understand" in each.message]
    assert len(said) == len(set(said))
    assert set(refusals(first)) <= set(said)


async def test_a_generic_server_loses_the_settings_that_it_does_not_know(autojump_clock: MockClock) -> None:
    asked = {"profile": "generic", "noise_reduction": "near_field", "speed": 1.1}
    async with rehearse(clerk(), script=STORY, profile="generic", settings={"realtime": asked}) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        call.hang_up()
        await stage.record()
        first = stage.model.sessions[0].events("session.update")[0]["session"]
        assert first["audio"]["input"]["turn_detection"]["type"] == "server_vad"
        assert "noise_reduction" not in first["audio"]["input"]
        assert "speed" not in first["audio"]["output"]
        assert {*stage.phone.endpoints.first.unsupported.names} >= {
            "session.speed",
            "session.input_audio_noise_reduction",
            "session.turn_detection.type",
            "response.metadata",
        }


async def test_a_flat_server_of_few_words_is_understood_too(autojump_clock: MockClock) -> None:
    async with nothing_left(), stage_of("generic", dialects="flat") as stage:
        await talk(stage)
        record = await stage.record()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert record.dialect == "flat"
        assert agent_words(record)[-2:] == ["Until five.", "Good-bye."]


async def test_an_xai_that_truncates_is_told_where_the_caller_stopped(autojump_clock: MockClock) -> None:
    truncates = attrs.evolve(PROFILES["xai"], unknown_events=frozenset())
    async with stage_of("xai", truncates) as stage:
        session = await talk(stage)
        record = await stage.record()
        cut = next(line for line in record.transcript if line["text"].startswith("A very"))
        assert [each["audio_end_ms"] for each in session.events(TRUNCATE)] == [cut["heard_ms"]]
        assert session.events("conversation.item.delete") == []


async def test_openais_session_at_xai_is_refused_as_the_noise_that_it_would_be(
    autojump_clock: MockClock,
) -> None:
    """xAI ignores what it does not know, and keeps PCM: the endpoint is not ready, and says why."""
    from llcphone.call.endpoint import Endpoint
    from llcphone.config import Config
    from llcphone.sim.model import open_model

    async with open_model(profile="xai") as model:
        realtime = {"url": model.url, "api_key": "xai-key", "model": "grok-voice-latest", "dialect": "ga"}
        endpoint = Endpoint(Config.from_dict({"realtime": realtime}))
        assert await endpoint.ask() == "audio_format"
        named = {key: value for key, value in realtime.items() if key != "dialect"}
        endpoint = Endpoint(Config.from_dict({"realtime": {**named, "profile": "xai", "voice": "eve"}}))
        assert await endpoint.ask() is None
