"""Session settings: the golden default, and nothing the user did not set."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llcphone import Agent, Config, ConfigError
from llcphone.call.session_settings import eagerness_update, session_fields, turn_detection_fields
from llcphone.call.setup import plan_session
from llcphone.config import RealtimeConfig
from llcphone.realtime.dialects import Dialect, encode
from llcphone.realtime.events import SessionUpdated
from llcphone.realtime.messages import UpdateSession
from llcphone.realtime.session import confirms_ulaw, prompt_tokens, tools_tokens
from tests.official_types import client_events, stray_keys

TOOL = {"type": "function", "name": "look_up", "description": "Look.", "parameters": {"type": "object"}}


def fields(config: RealtimeConfig, **changes: Any) -> dict[str, Any]:
    """The first update's settings."""
    return session_fields(config, **{"instructions": "Be brief.", "tools": [], "eagerness": "high"} | changes)


GOLDEN = (
    b'{"type":"session.update","session":{"modalities":["text","audio"],"voice":"cedar",'
    b'"input_audio_format":"g711_ulaw","output_audio_format":"g711_ulaw",'
    b'"turn_detection":{"type":"semantic_vad","eagerness":"high","create_response":true,"interrupt_response":true},'
    b'"instructions":"Be brief.","tools":[{"type":"function","name":"look_up","description":"Look.",'
    b'"parameters":{"type":"object"}}]}}'
)


def test_the_flat_update_of_a_default_agent_is_pinned_byte_for_byte() -> None:
    assert encode(UpdateSession(fields(RealtimeConfig(), tools=[TOOL])), Dialect.FLAT) == GOLDEN


def test_without_tools_and_instructions_neither_key_is_sent() -> None:
    assert set(fields(RealtimeConfig(), instructions="")) == {
        "modalities",
        "voice",
        "input_audio_format",
        "output_audio_format",
        "turn_detection",
    }


FULL = RealtimeConfig(
    turn_detection="server_vad",
    create_response=False,
    interrupt_response=False,
    vad_threshold=0.0,
    vad_silence_ms=0,
    vad_prefix_ms=200,
    noise_reduction="far_field",
    transcription_model="gpt-4o-transcribe",
    transcription_language="es",
    transcription_prompt="Oberlaa",
    max_response_tokens="inf",
    prompt_cache_key="k",
    truncation={"type": "retention_ratio", "retention_ratio": 0.8},
    speed=1.2,
    reasoning_effort="minimal",
    tool_choice="required",
)


def test_every_setting_of_the_user_is_sent_even_a_zero() -> None:
    assert fields(FULL, voice="marin") == {
        "modalities": ["text", "audio"],
        "voice": "marin",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_ulaw",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.0,
            "prefix_padding_ms": 200,
            "silence_duration_ms": 0,
            "create_response": False,
            "interrupt_response": False,
        },
        "instructions": "Be brief.",
        "input_audio_noise_reduction": {"type": "far_field"},
        "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "es", "prompt": "Oberlaa"},
        "max_response_output_tokens": "inf",
        "prompt_cache_key": "k",
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        "speed": 1.2,
        "reasoning": {"effort": "minimal"},
        "tool_choice": "required",
    }


@pytest.mark.parametrize(
    "config",
    [RealtimeConfig(), FULL, RealtimeConfig(turn_detection="none")],
    ids=["default", "full", "manual"],
)
def test_the_official_package_knows_these_settings_in_ga(config: RealtimeConfig) -> None:
    event = client_events(Dialect.GA.value).validate_json(
        encode(UpdateSession(fields(config, tools=[TOOL])), Dialect.GA)
    )
    assert stray_keys(event) == []


TRANSCRIBES = {"model": "gpt-4o-transcribe", "language": "es", "prompt": "Oberlaa"}


def test_the_transcribers_language_and_prompt_have_their_place_in_both_dialects() -> None:
    update = UpdateSession(fields(FULL))
    flat, nested = (json.loads(encode(update, dialect))["session"] for dialect in (Dialect.FLAT, Dialect.GA))
    assert flat["input_audio_transcription"] == nested["audio"]["input"]["transcription"] == TRANSCRIBES


def test_of_the_transcribers_settings_only_those_that_are_set_are_sent() -> None:
    config = RealtimeConfig(transcription_model="whisper-1")
    assert fields(config)["input_audio_transcription"] == {"model": "whisper-1"}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"transcription_language": "es"}, "realtime.transcription_language"),
        ({"transcription_prompt": "Oberlaa"}, "realtime.transcription_prompt"),
        (
            {"transcription_model": "m", "transcription_language": "spanish"},
            "realtime.transcription_language",
        ),
        ({"transcription_model": "m", "transcription_language": "ES"}, "realtime.transcription_language"),
        ({"transcription_model": "m", "transcription_prompt": " "}, "realtime.transcription_prompt"),
    ],
)
def test_a_transcribers_setting_that_cannot_be_is_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict({"realtime": settings})
    assert caught.value.key == key


def test_an_agent_may_have_a_language_of_its_own() -> None:
    agent = Agent("Be brief.", settings={"realtime": {"transcription_language": "de"}})
    config = Config.from_dict({"realtime": {"transcription_model": "whisper-1"}})
    session = plan_session(config, agent)
    assert session["input_audio_transcription"] == {"model": "whisper-1", "language": "de"}


def test_manual_turns_are_a_null() -> None:
    assert fields(RealtimeConfig(turn_detection="none"))["turn_detection"] is None


def test_another_eagerness_is_a_delta_of_turn_detection_alone() -> None:
    assert eagerness_update(RealtimeConfig(), "medium") == {
        "turn_detection": {
            "type": "semantic_vad",
            "eagerness": "medium",
            "create_response": True,
            "interrupt_response": True,
        }
    }


@pytest.mark.parametrize(
    "config", [RealtimeConfig(turn_detection="none"), FULL], ids=["manual", "server_vad"]
)
def test_turn_detection_without_eagerness_has_nothing_to_update(config: RealtimeConfig) -> None:
    assert eagerness_update(config, "medium") == {}
    assert "eagerness" not in (turn_detection_fields(config, "high") or {})


@pytest.mark.parametrize(
    ("heard", "spoken", "good"),
    [
        ("g711_ulaw", "g711_ulaw", True),
        ("g711_ulaw", "pcm16", False),
        ("pcm16", "g711_ulaw", False),
        ("g711_alaw", "g711_alaw", False),
        ("", "", False),
    ],
)
def test_only_ulaw_both_ways_confirms_the_telephone(heard: str, spoken: str, good: bool) -> None:
    assert confirms_ulaw(SessionUpdated(heard, spoken)) is good


def test_a_prompt_is_estimated_at_four_letters_a_token_and_two_in_other_scripts() -> None:
    assert [prompt_tokens(text) for text in ("", "a", "abcd", "abcde", "день")] == [0, 1, 1, 2, 2]


def test_tools_are_estimated_by_their_json() -> None:
    assert tools_tokens([]) == 0
    assert tools_tokens([TOOL]) == -(-len(json.dumps([TOOL], separators=(",", ":"))) // 4)
    assert tools_tokens([TOOL, TOOL]) > tools_tokens([TOOL])
