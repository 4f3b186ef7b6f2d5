"""Profiles of endpoints: which one belongs to a URL, and what each decides before anything is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.agent import Agent
from llcphone.call.setup import plan_call, plan_session
from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.realtime.dialects import Dialect, encode, unsupported_keys
from llcphone.realtime.messages import UpdateSession
from llcphone.realtime.profiles import key_header, known_dialect, profile_of
from llcphone.realtime.session_state import session_updated

if TYPE_CHECKING:
    from llcphone.config.realtime import RealtimeConfig

XAI_URL = "wss://api.x.ai/v1/realtime"
AZURE_URL = "wss://res.openai.azure.com/openai/v1/realtime"


def realtime(**settings: Any) -> RealtimeConfig:
    return Config.from_dict({"realtime": settings}).realtime


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://api.openai.com/v1/realtime", "openai"),
        ("wss://eu.api.openai.com/v1/realtime", "openai"),
        (AZURE_URL, "azure"),
        ("wss://RES.OpenAI.Azure.com/openai/v1/realtime", "azure"),
        ("wss://res.cognitiveservices.azure.com/openai/v1/realtime", "azure"),
        (XAI_URL, "xai"),
        ("wss://eu-west-1.api.x.ai/v1/realtime", "xai"),
        ("wss://notapi.x.ai/v1/realtime", "generic"),
        ("wss://api.x.ai.example.com/v1/realtime", "generic"),
        ("ws://127.0.0.1:8000/v1/realtime", "generic"),
    ],
)
def test_the_host_of_the_url_names_the_profile(url: str, name: str) -> None:
    assert profile_of(realtime(url=url, voice="eve")).name == name


def test_a_profile_that_is_set_counts_whatever_the_host_is() -> None:
    behind_a_proxy = realtime(url="wss://proxy.example.com/v1/realtime", profile="azure")
    assert (profile_of(behind_a_proxy).name, key_header(behind_a_proxy)) == ("azure", "api-key")
    assert profile_of(realtime(url=AZURE_URL, profile="generic")).name == "generic"


@pytest.mark.parametrize(
    ("settings", "header", "dialect"),
    [
        ({}, "authorization", Dialect.GA),
        ({"dialect": "flat"}, "authorization", Dialect.FLAT),
        ({"url": AZURE_URL}, "api-key", Dialect.GA),
        ({"url": AZURE_URL, "api_key_header": "authorization"}, "authorization", Dialect.GA),  # Entra
        ({"url": "wss://res.openai.azure.com/openai/realtime?api-version=1"}, "api-key", None),
        ({"url": XAI_URL, "voice": "eve"}, "authorization", Dialect.XAI),
        ({"url": "ws://127.0.0.1:1/v1/realtime"}, "authorization", None),
        ({"url": "ws://127.0.0.1:1/v1/realtime", "dialect": "ga"}, "authorization", Dialect.GA),
    ],
)
def test_a_profile_decides_what_is_not_set(
    settings: dict[str, Any], header: str, dialect: Dialect | None
) -> None:
    found = realtime(**settings)
    assert (key_header(found), known_dialect(found)) == (header, dialect)


def test_a_dialect_that_is_known_is_not_asked_for() -> None:
    known = plan_call(Config(), Agent("Be kind."))
    assert (known.dialect, known.may_switch) == (Dialect.GA, False)
    asked = plan_call(Config.from_dict({"realtime": {"profile": "generic"}}), Agent("Be kind."))
    assert (asked.dialect, asked.may_switch) == (None, True)


# -- xAI ----------------------------------------------------------------------------------------


def xai(**settings: Any) -> Config:
    return Config.from_dict({"realtime": {"url": XAI_URL, "voice": "eve", **settings}})


def xai_wire(config: Config, agent: Agent) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(encode(UpdateSession(plan_session(config, agent)), Dialect.XAI))
    session: dict[str, Any] = event["session"]
    return session


async def look_up(name: str) -> str:
    """Look a name up."""
    return name


def test_xais_session_has_voice_and_turns_at_its_root_and_a_rate_in_each_format() -> None:
    config = xai(transcription_model="grok-transcribe", transcription_language="es", speed=1.2)
    agent = Agent("Be kind.")
    agent.tool(look_up)
    pcmu = {"type": "audio/pcmu", "rate": 8000}
    assert xai_wire(config, agent) == {
        "voice": "eve",
        "turn_detection": {"type": "server_vad"},
        "instructions": "Be kind.",
        "tools": agent.full_tools(),
        "audio": {
            "input": {
                "format": pcmu,
                "transcription": {"model": "grok-transcribe", "language_hint": "es"},
            },
            "output": {"format": pcmu, "speed": 1.2},
        },
    }


def test_xais_turns_end_by_silence_or_by_hand() -> None:
    by_silence = xai(turn_detection="server_vad", vad_silence_ms=600, vad_threshold=0.8)
    assert xai_wire(by_silence, Agent("Be kind."))["turn_detection"] == {
        "type": "server_vad",
        "silence_duration_ms": 600,
        "threshold": 0.8,
    }
    assert xai_wire(xai(turn_detection="none"), Agent("Be kind."))["turn_detection"] == {"type": None}


def test_nothing_changes_an_eagerness_that_xai_does_not_have() -> None:
    assert [each.name for each in plan_call(Config(), Agent("Be kind.")).schedule] == ["eagerness"]
    assert plan_call(xai(), Agent("Be kind.")).schedule == ()


def test_what_xai_has_no_place_for_is_left_out_and_named() -> None:
    config = xai(noise_reduction="near_field", truncation="auto", tool_choice="none", max_response_tokens=9)
    fields = plan_session(config, Agent("Be kind."))
    assert unsupported_keys(fields, Dialect.XAI) == [
        "input_audio_noise_reduction",
        "max_response_output_tokens",
        "truncation",
        "tool_choice",
    ]
    assert set(xai_wire(config, Agent("Be kind."))) == {"voice", "turn_detection", "instructions", "audio"}


def test_xais_answer_confirms_the_formats_of_a_telephone() -> None:
    pcmu = {"format": {"type": "audio/pcmu", "rate": 8000}}
    updated = session_updated({"voice": "eve", "audio": {"input": pcmu, "output": pcmu}})
    assert (updated.input_audio_format, updated.output_audio_format) == ("g711_ulaw", "g711_ulaw")
    assert updated.voice == "eve"


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("realtime.voice", {"voice": "cedar"}),
        ("realtime.create_response", {"create_response": False}),
        ("realtime.interrupt_response", {"interrupt_response": False}),
        ("realtime.dialect", {"dialect": "ga"}),
    ],
)
def test_a_setting_that_xai_cannot_keep_is_refused_by_name(key: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        xai(**settings)
    assert refused.value.key == key


def test_speech_over_the_agent_cannot_be_doubted_at_xai() -> None:
    config = Config.from_dict(
        {"realtime": {"url": XAI_URL, "voice": "eve"}, "turns": {"barge_in_after_ms": 300}}
    )
    with pytest.raises(ConfigError) as refused:
        plan_call(config, Agent("Be kind."))
    assert refused.value.key == "turns.barge_in_after_ms"
