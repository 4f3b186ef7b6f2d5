"""What the settings guard: addresses, secrets, and a server that is not ready to be reached."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.config import SETTINGS, Config, RealtimeConfig, ServerConfig, TwilioConfig, toml_text
from llcphone.config.addresses import add_path, is_loopback_url
from llcphone.errors import ConfigError
from tests.config.test_config import refused

# The shape of real credentials, put together so that no scanner takes them for one.
KEY = "sk-" + "proj-" + "Ab1" * 20
READY = {
    "realtime": {"api_key": KEY},
    "twilio": {"auth_token": "0123456789abcdef" * 2, "account_sid": "AC" + "0123456789abcdef" * 2},
    "server": {"public_url": "https://phone.acme.test"},
}


def with_changes(**changes: dict[str, Any]) -> Config:
    return Config.from_dict({name: READY.get(name, {}) | changes.get(name, {}) for name in READY | changes})


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "wss://acme.openai.azure.com/openai/v1/realtime",
        "ws://10.0.0.7:9000/v1/realtime",
        "ws://127.0.0.1:1/",
        "wss://h/v1?deployment=x",
    ],
)
def test_the_model_may_be_at_any_websocket_address(url: str) -> None:
    assert RealtimeConfig(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/realtime",
        "api.openai.com",
        "wss://",
        "wss://u:p@h/v1",
        "wss://h/v1?model=gpt-realtime",
        "wss://h/v1#x",
        "wss://h:99999/",
        "wss://[::1/",
        "wss://h/a b",
        "wss://h/\t",
        "",
    ],
)
def test_what_is_no_websocket_address_is_refused(url: str) -> None:
    assert "wss://" in refused({"realtime": {"url": url}}).fix


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://phone.acme.test", True),
        ("https://phone.acme.test:8443/prefix", True),
        ("http://127.0.0.1:8081", True),
        ("http://127.8.9.1:8081", True),
        ("http://localhost:8081", True),
        ("http://[::1]:8081", True),
        ("http://phone.acme.test", False),
        ("http://127.0.0.1.acme.test", False),
        ("http://localhost.acme.test", False),
        ("http://0.0.0.0:8081", False),
        ("http://10.0.0.7", False),
        ("http://u@127.0.0.1", False),
        ("https://phone.acme.test?x=1", False),
        ("https://phone.acme.test#x", False),
        ("wss://phone.acme.test", False),
        ("phone.acme.test", False),
    ],
)
def test_plain_http_is_for_loopback_only(url: str, taken: bool) -> None:
    for section, key in [("server", "public_url"), ("twilio", "api_url")]:
        if taken:
            assert Config.from_dict({section: {key: url}}).value(f"{section}.{key}") == url
        else:
            assert "loopback" in refused({section: {key: url}}).fix


def test_a_slash_at_the_end_of_the_public_address_makes_no_difference() -> None:
    assert ServerConfig(public_url="https://a.test/") == ServerConfig(public_url="https://a.test")


def test_loopback_is_recognised_by_address_not_by_prefix() -> None:
    assert is_loopback_url("ws://127.0.0.1:9/v1")
    assert not is_loopback_url("ws://127.0.0.1.example.com/v1")
    assert not is_loopback_url("")


def test_unsigned_webhooks_never_come_from_outside_this_machine() -> None:
    here = {"public_url": "http://127.0.0.1:8081", "check_signatures": False}
    assert ServerConfig(public_url="http://127.0.0.1:8081", check_signatures=False)
    assert refused({"server": {"check_signatures": False}}).key == "server.check_signatures"
    assert (
        refused({"server": here | {"public_url": "https://phone.acme.test"}}).key == "server.check_signatures"
    )
    assert refused({"server": here | {"host": "0.0.0.0"}}).key == "server.check_signatures"


def test_a_region_alone_is_refused_and_an_edge_alone_is_not() -> None:
    assert "twilio.edge" in refused({"twilio": {"region": "ie1"}}).fix
    assert TwilioConfig(edge="dublin").edge == "dublin"
    assert TwilioConfig(edge="dublin", region="ie1").region == "ie1"
    assert refused({"twilio": {"edge": "evil.test/"}}).key == "twilio.edge"


# -- secrets -----------------------------------------------------------------------------------

SECRETS = {
    "realtime": {"api_key": KEY, "safety_salt": "pepper-canary"},
    "twilio": {"auth_token": "token-canary", "phone_number": "+15005550006"},
    "outbound": {"caller_ids": ["+15005550007"]},
    "api": {"key": "key-of-the-api-canary"},
}


def test_secrets_and_the_number_are_hidden_unless_asked_for() -> None:
    config = Config.from_dict(SECRETS)
    shown = repr(config) + str(config.to_dict()) + toml_text(config.to_dict()) + str(config.tuning())
    for table in SECRETS.values():
        for name, value in table.items():
            text = value if isinstance(value, str) else value[0]
            assert text not in shown
            assert str(config.to_dict(secrets=True)).count(text) == 1, name


# Each has one label that no resolver takes; asking for it raises instead of failing.
NO_HOSTS = ["crm..example.com", f"{'a' * 64}.example.com", ".example.com", "."]
ADDRESSES = {
    "webhook.url": {"secret": "s"},
    "calendar.url": {},
    "transfers.hold_music": {},
    "overload.redirect_url": {},
    "metrics.traces_url": {},
    "server.public_url": {},
    "twilio.api_url": {},
    "realtime.url": {},
}
BASES = {"server.public_url", "twilio.api_url"}
"""Addresses to which paths are added; a query would end up in their midst."""


def with_address(key: str, url: str) -> dict[str, dict[str, Any]]:
    section, name = key.split(".")
    scheme = "wss" if key == "realtime.url" else "https"
    return {section: {name: f"{scheme}://{url}", **ADDRESSES[key]}}


@pytest.mark.parametrize("host", NO_HOSTS)
@pytest.mark.parametrize("key", ADDRESSES)
def test_a_host_that_cannot_be_looked_up_is_refused_when_settings_are_read(key: str, host: str) -> None:
    error = refused(with_address(key, f"{host}/x"))
    assert error.key == key
    assert "valid host" in error.fix


@pytest.mark.parametrize("host", ["ex_ample.com", "example.com.", "a" * 63 + ".example", "[2001:db8::1]:444"])
@pytest.mark.parametrize("key", ADDRESSES)
def test_hosts_that_can_be_looked_up_are_taken(key: str, host: str) -> None:
    Config.from_dict(with_address(key, f"{host}/x"))


@pytest.mark.parametrize("host", [*NO_HOSTS, ""])
@pytest.mark.parametrize("key", ["server.host", "metrics.host"])
def test_an_address_to_listen_on_is_one_that_can_be_looked_up(key: str, host: str) -> None:
    section, name = key.split(".")
    assert refused({section: {name: host}}).key == key


@pytest.mark.parametrize("key", sorted(set(ADDRESSES) - BASES - {"realtime.url"}))
def test_an_address_that_is_used_as_it_stands_keeps_its_query_and_its_slash(key: str) -> None:
    for url in ("h/a?code=x%2Fy&sig=z=", "h/a/", "h/"):
        tables = with_address(key, url)
        assert Config.from_dict(tables).value(key) == f"https://{url}"


@pytest.mark.parametrize("key", sorted(BASES))
def test_an_address_to_which_paths_are_added_has_no_query_and_loses_its_slash(key: str) -> None:
    assert refused(with_address(key, "h/a?b=c")).key == key
    assert Config.from_dict(with_address(key, "h/a/")).value(key) == "https://h/a"


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("https://h", "https://h/twiml?hop=1"),
        ("https://h/", "https://h/twiml?hop=1"),
        ("https://h/a/?sig=b=", "https://h/a/twiml?sig=b=&hop=1"),
    ],
)
def test_a_path_goes_before_the_query(url: str, whole: str) -> None:
    assert add_path(url, "/twiml", "hop=1") == whole


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud83d", "a\x1b[0m"])
@pytest.mark.parametrize(
    "tables",
    [
        {"agent": {"instructions": None}},
        {"transfers": {"destinations": {"sales": {"number": "+15551230001", "whisper": None}}}},
        {"outbound": {"caller_ids": [None]}},
    ],
    ids=["text", "table", "list"],
)
def test_text_that_cannot_be_sent_or_kept_is_refused(tables: dict[str, Any], odd: str) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        return (
            [filled(each) for each in value] if isinstance(value, list) else odd if value is None else value
        )

    error = refused(filled(tables))
    assert "half a character" in error.why
    assert odd not in str(error)


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_no_complaint_repeats_the_value(key: str) -> None:
    section, name = key.split(".")
    for value in (["canary"], {"canary": 1}):
        assert "canary" not in str(refused({section: {name: value}}))


@pytest.mark.parametrize(
    "key", ["realtime.api_key", "twilio.auth_token", "server.port", "log.level", "realtime.url"]
)
def test_a_secret_in_the_wrong_place_is_not_repeated(key: str) -> None:
    section, name = key.split(".")
    error = refused({section: {name: "canary\x00canary"}})
    assert "canary" not in str(error)
    assert (error.__cause__, error.__context__) == (None, None)


def test_broken_toml_is_located_and_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_toml(f'[realtime]\nmodel = "a"\napi_key = {KEY}\n')
    assert "line 3" in caught.value.why
    assert KEY not in str(caught.value)


# -- ready to serve ----------------------------------------------------------------------------


def test_a_complete_configuration_is_ready() -> None:
    with_changes().check_ready_to_serve()


@pytest.mark.parametrize(
    ("section", "key", "value", "fix"),
    [
        ("realtime", "api_key", "", "OPENAI_API_KEY"),
        ("realtime", "api_key", "sk-...", "OPENAI_API_KEY"),
        ("realtime", "api_key", "sk-xxxxxxxx", "OPENAI_API_KEY"),
        ("realtime", "api_key", "your_openai_key", "OPENAI_API_KEY"),
        ("realtime", "api_key", "<key>", "OPENAI_API_KEY"),
        ("twilio", "auth_token", "", "TWILIO_AUTH_TOKEN"),
        ("twilio", "auth_token", "your_auth_token", "TWILIO_AUTH_TOKEN"),
        ("twilio", "account_sid", "ACxxxx", "TWILIO_ACCOUNT_SID"),
        ("server", "public_url", "", "PUBLIC_URL"),
        ("server", "public_url", "https://your-tunnel.ngrok.app", "PUBLIC_URL"),
        ("server", "public_url", "https://<your-host>", "PUBLIC_URL"),
    ],
)
def test_what_is_missing_says_what_it_is_for_and_how_to_fix_it(
    section: str, key: str, value: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        with_changes(**{section: {key: value}}).check_ready_to_serve()
    assert caught.value.key == f"{section}.{key}"
    assert fix in str(caught.value)
    assert ("is not set: it " if not value else "is still a placeholder: it ") in caught.value.why


def test_the_first_missing_thing_is_the_key_of_the_model() -> None:
    with pytest.raises(ConfigError, match=r"realtime\.api_key: OPENAI_API_KEY is not set"):
        Config().check_ready_to_serve()


def test_simulators_on_this_machine_take_any_key() -> None:
    with_changes(
        realtime={"api_key": "sk-...", "url": "ws://127.0.0.1:9001/v1/realtime"},
        twilio={"auth_token": "your_auth_token", "api_url": "http://127.0.0.1:9002"},
    ).check_ready_to_serve()


def test_without_signatures_no_token_is_needed() -> None:
    server = {"public_url": "http://127.0.0.1:8081", "check_signatures": False}
    with_changes(twilio={"auth_token": ""}, server=server).check_ready_to_serve()


def test_a_real_key_that_happens_to_hold_exes_is_no_placeholder() -> None:
    with_changes(realtime={"api_key": "sk-a1xxxxb2your"}).check_ready_to_serve()
