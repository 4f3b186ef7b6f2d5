"""``[[elsewhere]]``: which settings the other endpoints have."""

from __future__ import annotations

import pytest

from llcphone import Config, ConfigError

SECOND = """
[realtime]
api_key = "sk-first"
model = "gpt-realtime-1.5"
project = "proj_1"
speed = 1.2

[[elsewhere]]
url = "wss://ours.openai.azure.com/openai/v1/realtime"
model = "deployed"

[[elsewhere]]
url = "wss://api.openai.com/v1/realtime"
model = "gpt-realtime-mini"
"""


def test_another_host_has_its_own_key_and_none_of_the_firsts_account() -> None:
    config = Config.from_toml(SECOND)
    first, azure, same_host = config.endpoints
    assert first == config.realtime
    assert (azure.model, azure.speed, azure.project, azure.api_key) == ("deployed", 1.2, "", "")
    assert azure.profile_name == "azure"
    assert (same_host.model, same_host.project, same_host.api_key) == (
        "gpt-realtime-mini",
        "proj_1",
        "sk-first",
    )


def test_keys_are_given_in_the_order_of_those_that_have_none() -> None:
    keyed = Config.from_dict(
        {
            "realtime": {"api_key": "sk-first"},
            "elsewhere": {
                "endpoints": [
                    {"url": "wss://a.example/v1", "api_key": "sk-a"},
                    {"url": "wss://b.example/v1"},
                    {"url": "wss://c.example/v1"},
                ],
                "api_keys": ["sk-b", "sk-c"],
            },
        }
    )
    assert [each.api_key for each in keyed.endpoints] == ["sk-first", "sk-a", "sk-b", "sk-c"]
    assert keyed.at(2).realtime == keyed.endpoints[2]
    assert keyed.at(2).endpoints == (keyed.endpoints[2],)
    assert "sk-" not in str(keyed.to_dict())
    assert "elsewhere" not in keyed.tuning()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('model = "x"', "elsewhere.endpoints: has a wrong value"),
        ('url = "wss://a.example/v1"\nmodle = "x"', r"elsewhere\[1\]\.modle: is not a setting"),
        ('url = "wss://a.example/v1"\nspeed = 9.0', r"elsewhere\[1\]\.speed: has a wrong value"),
        ('url = "a.example"', r"elsewhere\[1\]\.url"),
    ],
)
def test_what_is_wrong_is_named(table: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Config.from_toml(f"[[elsewhere]]\n{table}\n")


@pytest.mark.parametrize("url", ["ws://api.openai.com/v1/realtime", "wss://api.openai.com:8443/v1/realtime"])
def test_a_key_goes_to_no_other_scheme_or_port(url: str) -> None:
    data = {"realtime": {"api_key": "sk-first"}, "elsewhere": {"endpoints": [{"url": url}]}}
    assert Config.from_dict(data).endpoints[1].api_key == ""


def test_more_keys_than_endpoints_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"elsewhere\.api_keys: has more keys"):
        Config.from_dict({"elsewhere": {"api_keys": ["sk-a"]}})


def test_a_missing_key_is_told_before_anybody_calls() -> None:
    data = {
        "realtime": {"api_key": "sk-first"},
        "elsewhere": {"endpoints": [{"url": "wss://b.example/v1"}]},
        "twilio": {"auth_token": "t"},
        "server": {"public_url": "https://phone.example"},
    }
    with pytest.raises(ConfigError, match=r"elsewhere\[1\]\.api_key: is missing"):
        Config.from_dict(data).check_ready_to_serve()


def test_an_endpoint_of_the_other_protocol_begins_with_its_own_defaults() -> None:
    text = '[realtime]\ntranscription_model = "gpt-4o-transcribe"\nvoice = "marin"\n[[elsewhere]]\n'
    live = Config.from_toml(
        text + 'protocol = "live"\nurl = "wss://api.openai.com/v1/live/sessions"'
    ).endpoints[1]
    assert (live.protocol, live.model, live.voice) == ("live", "gpt-live-1", "marin")
    assert live.transcription_model is None
