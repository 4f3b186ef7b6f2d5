"""GPT-Live in the settings: defaults by protocol, and what has no meaning with it is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llcphone import Config, ConfigError
from llcphone.agent import Agent
from llcphone.config import RealtimeConfig
from llcphone.config.realtime import LIVE_DEFAULTS
from llcphone.settings import explain, load

if TYPE_CHECKING:
    from pathlib import Path

LIVE = {"protocol": "live"}
LIVE_URL = "wss://api.openai.com/v1/live/sessions"


def live(**sections: dict[str, Any]) -> Config:
    """Settings with protocol live and these besides."""
    return Config.from_dict({**sections, "realtime": {**LIVE, **sections.get("realtime", {})}})


def test_realtime_is_the_default_and_keeps_its_address_and_model() -> None:
    realtime = Config().realtime
    assert realtime.protocol == "realtime"
    assert (realtime.url, realtime.model) == ("wss://api.openai.com/v1/realtime", "gpt-realtime-1.5")


def test_protocol_live_alone_is_enough() -> None:
    realtime = live().realtime
    assert (realtime.url, realtime.model) == (LIVE_URL, "gpt-live-1")


def test_what_is_set_goes_before_the_protocols_default() -> None:
    realtime = live(realtime={"url": "ws://127.0.0.1:9/v1/live/sessions", "model": "gpt-live-1.1"}).realtime
    assert (realtime.url, realtime.model) == ("ws://127.0.0.1:9/v1/live/sessions", "gpt-live-1.1")


def test_a_variable_switches_it_on_and_the_defaults_name_their_origin(tmp_path: Path) -> None:
    file = tmp_path / "llcphone.toml"
    file.write_text("")
    loaded = load(file, environ={"LLCPHONE_REALTIME__PROTOCOL": "live"})
    assert loaded.config.realtime.model == "gpt-live-1"
    origins = {key: origin for key, _, origin in explain(loaded)}
    assert {origins[key] for key in LIVE_DEFAULTS} == {'realtime.protocol = "live"'}
    assert load(file, environ={}).config.realtime.protocol == "realtime"


@pytest.mark.parametrize(
    ("protocol", "key", "value", "usual"),
    [
        ("live", "url", "wss://api.openai.com/v1/realtime", LIVE_URL),
        ("live", "url", "ws://127.0.0.1:9101/v1/realtime/", LIVE_URL),
        ("live", "model", "gpt-realtime-1.5", "gpt-live-1"),
        ("realtime", "url", LIVE_URL, "wss://api.openai.com/v1/realtime"),
        ("realtime", "model", "gpt-live-1", "gpt-realtime-1.5"),
    ],
)
def test_the_other_apis_address_and_models_are_refused(
    protocol: str, key: str, value: str, usual: str
) -> None:
    with pytest.raises(ConfigError, match=f'realtime.protocol is "{protocol}"') as refusal:
        Config.from_dict({"realtime": {"protocol": protocol, key: value}})
    assert refusal.value.key == f"realtime.{key}"
    assert refusal.value.fix == f'remove it, or set it to "{usual}"'


NO_MEANING = {
    "realtime.api_key_header": "api-key",
    "realtime.dialect": "ga",
    "realtime.turn_detection": "none",
    "realtime.create_response": False,
    "realtime.interrupt_response": False,
    "realtime.vad_threshold": 0.5,
    "realtime.vad_silence_ms": 500,
    "realtime.vad_prefix_ms": 300,
    "realtime.noise_reduction": "near_field",
    "realtime.transcription_model": "gpt-4o-transcribe",
    "realtime.transcription_language": "en",
    "realtime.transcription_prompt": "Brot",
    "realtime.max_response_tokens": 100,
    "realtime.truncation": "disabled",
    "realtime.speed": 1.1,
    "realtime.reasoning_effort": "low",
    "realtime.tool_choice": "none",
    "turns.barge_in_after_ms": 300,
    "turns.schedule": [{"after_turn": 1, "eagerness": "low"}],
    "warm.sessions": 1,
    "renewal.at_age_s": 600.0,
    "renewal.refresh_at_age_s": 600.0,
}


@pytest.mark.parametrize("key", NO_MEANING)
def test_what_has_no_meaning_is_refused_by_name(key: str) -> None:
    section, _, name = key.partition(".")
    table = {name: NO_MEANING[key]}
    with pytest.raises(ConfigError, match="has no meaning with") as refusal:
        live(**{section: table})
    assert refusal.value.key == key
    assert refusal.value.fix


@pytest.mark.parametrize(
    "harmless",
    [
        {"realtime": {"eagerness": "low", "eagerness_after": "low", "prompt_cache_key": "k"}},
        {"opening": {"priming_outbound": False}},
        {"renewal": {"at_age_s": 0.0}},
        {"turns": {"schedule": [{"after_turn": 2, "tools": "full"}], "echo_mute_ms": 200}},
        {"realtime": {"turn_detection": "semantic_vad", "dialect": "auto"}},
    ],
)
def test_what_only_tunes_or_says_the_default_is_accepted(harmless: dict[str, dict[str, Any]]) -> None:
    assert live(**harmless).realtime.protocol == "live"


@pytest.mark.parametrize("voice", ["fable", "nova", "onyx"])
def test_voices_that_gpt_live_forbids_are_refused(voice: str) -> None:
    with pytest.raises(ConfigError, match="no voice of GPT-Live") as refusal:
        live(realtime={"voice": voice})
    assert refusal.value.key == "realtime.voice"
    assert Config.from_dict({"realtime": {"voice": voice}}).realtime.voice == voice


def test_an_agent_cannot_have_a_protocol_of_its_own() -> None:
    agent = Agent("You answer.", name="bakery", settings={"realtime": LIVE})
    with pytest.raises(ConfigError, match="same for all agents of a phone; agent bakery") as refusal:
        agent.over(Config())
    assert refusal.value.key == "realtime.protocol"
    assert agent.over(live()).realtime.protocol == "live"


def test_an_agents_settings_are_checked_with_the_phones_protocol() -> None:
    agent = Agent("You answer.", settings={"turns": {"barge_in_after_ms": 300}})
    assert agent.over(Config()).turns.barge_in_after_ms == 300
    with pytest.raises(ConfigError, match="has no meaning"):
        agent.over(live())


def test_the_tables_of_a_live_configuration_read_back() -> None:
    config = live(realtime={"voice": "willow"}, live={"backend_model": "gpt-5.6-luna"})
    assert Config.from_dict(config.to_dict(secrets=True)) == config
    assert Config.from_dict(config.tuning()).realtime.url == LIVE_URL


def test_a_section_that_is_made_by_hand_says_what_address_it_lacks() -> None:
    with pytest.raises(ConfigError, match="is the address of"):
        RealtimeConfig(protocol="live")
