"""Where settings come from: llcphone.toml, .env, the environment, and what wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llcphone import settings
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-" + "canary" * 6


class Folder:
    """A working directory with the two files, and an environment of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def toml(self, text: str) -> Folder:
        (self.path / "llcphone.toml").write_text(text, encoding="utf-8")
        return self

    def env(self, text: str) -> Folder:
        (self.path / ".env").write_text(text, encoding="utf-8")
        return self

    def load(self, **environ: str) -> settings.Loaded:
        return settings.load(environ=environ)

    def refuses(self, **environ: str) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.load(**environ)
        assert "canary" not in str(caught.value)
        return caught.value


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


# -- what wins ---------------------------------------------------------------------------------


def test_with_nothing_at_all_the_defaults_hold(folder: Folder) -> None:
    loaded = folder.load()
    assert loaded.config == Config()
    assert loaded.origin == dict.fromkeys(SETTINGS, "default")


def test_environment_beats_dotenv_beats_toml_beats_default(folder: Folder) -> None:
    folder.toml('[realtime]\nvoice = "one"\nmodel = "one"\nspeed = 1.1\n')
    folder.env("LLCPHONE_REALTIME__VOICE=two\nLLCPHONE_REALTIME__MODEL=two\n")
    loaded = folder.load(LLCPHONE_REALTIME__VOICE="three")
    keys = ("realtime.voice", "realtime.model", "realtime.speed", "realtime.dialect")
    assert [(loaded.config.value(key), loaded.origin[key]) for key in keys] == [
        ("three", "environment: LLCPHONE_REALTIME__VOICE"),
        ("two", ".env: LLCPHONE_REALTIME__MODEL"),
        (1.1, "llcphone.toml"),
        ("auto", "default"),
    ]


def test_our_name_beats_the_usual_name_beats_the_original_name(folder: Folder) -> None:
    names = {"VOSS_EDGE_LOCATION": "tokyo", "TWILIO_EDGE": "dublin", "LLCPHONE_TWILIO__EDGE": "sydney"}
    seen = []
    while names:
        seen.append(folder.load(**names).config.twilio.edge)
        names.popitem()
    assert seen == ["sydney", "dublin", "tokyo"]


def test_an_original_name_in_the_environment_beats_our_name_in_a_file(folder: Folder) -> None:
    folder.env("LLCPHONE_REALTIME__VOICE=marin")
    assert folder.load(VOSS_VOICE="ash").config.realtime.voice == "ash"


def test_a_list_is_written_in_a_variable_with_commas_or_spaces(folder: Folder) -> None:
    for text in ("US,GB", "US GB", " US , GB "):
        loaded = folder.load(LLCPHONE_OUTBOUND__ALLOW_COUNTRIES=text)
        assert loaded.config.outbound.allow_countries == ("US", "GB")
    assert folder.load(LLCPHONE_OUTBOUND__REFUSE_TYPES="").config.outbound.refuse_types == ()


def test_the_usual_names_are_known(folder: Folder) -> None:
    config = folder.load(
        OPENAI_API_KEY="k",
        TWILIO_ACCOUNT_SID="AC1",
        TWILIO_AUTH_TOKEN="t",
        TWILIO_PHONE_NUMBER="+15005550006",
        PUBLIC_URL="https://phone.acme.test/",
        PORT="9000",
    ).config
    assert (config.realtime.api_key, config.twilio.account_sid, config.twilio.auth_token) == ("k", "AC1", "t")
    assert (config.twilio.phone_number, config.server.port) == ("+15005550006", 9000)
    assert config.server.public_url == "https://phone.acme.test"


def test_the_names_of_the_original_are_known(folder: Folder) -> None:
    config = folder.load(
        VOSS_VOICE="ash",
        VOSS_MODEL="m",
        VOSS_PREWARM_TIMEOUT="8000",
        VOSS_VAD_EAGERNESS="low",
        VOSS_CACHE_KEY="c",
        VOSS_EDGE_LOCATION="ashburn",
        VOSS_SOMETHING_ELSE="ignored",
    ).config
    assert (config.realtime.voice, config.realtime.model, config.realtime.eagerness) == ("ash", "m", "low")
    assert (config.opening.warm_deadline_ms, config.realtime.prompt_cache_key) == (8_000, "c")
    assert config.twilio.edge == "ashburn"


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_every_setting_has_its_variable(folder: Folder, key: str) -> None:
    section, name = key.split(".")
    variable = f"LLCPHONE_{section.upper()}__{name.upper()}"
    default: Any = SETTINGS[key].default
    default = " ".join(default) if isinstance(default, tuple) else "" if default is None else str(default)
    loaded = folder.load(**{variable: default})
    assert loaded.config == Config()
    assert loaded.origin == dict.fromkeys(SETTINGS, "default") | {key: f"environment: {variable}"}


# -- reading text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("realtime.create_response", "false", False),
        ("realtime.create_response", "0", False),
        ("realtime.create_response", "Yes", True),
        ("realtime.create_response", "ON", True),
        ("server.port", " 9000 ", 9000),
        ("call.goodbye_timeout_s", "2", 2.0),
        ("call.goodbye_timeout_s", "0.5", 0.5),
        ("realtime.speed", "1.25", 1.25),
        ("realtime.noise_reduction", "", None),
        ("realtime.max_response_tokens", "inf", "inf"),
        ("realtime.max_response_tokens", "200", 200),
        ("realtime.tool_choice", "none", "none"),
        ("realtime.truncation", '{"type": "retention_ratio"}', {"type": "retention_ratio"}),
        ("realtime.model", "1234", "1234"),
        ("records.path", "", ""),
    ],
)
def test_text_is_read_by_the_type_of_its_setting(folder: Folder, key: str, text: str, value: Any) -> None:
    read = folder.load(**{SETTINGS[key].variable: text}).config.value(key)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("realtime.create_response", "maybe"),
        ("realtime.create_response", ""),
        ("server.port", "canary"),
        ("server.port", "80.81"),
        ("server.port", ""),
        ("call.goodbye_timeout_s", "nan"),
        ("call.goodbye_timeout_s", ""),
        ("realtime.truncation", '{"canary'),
        ("realtime.eagerness", "0.7"),
        ("realtime.api_key", "two canaries"),
    ],
)
def test_text_that_does_not_fit_names_key_and_variable(folder: Folder, key: str, text: str) -> None:
    error = folder.refuses(**{SETTINGS[key].variable: text})
    assert error.key == key
    assert error.why.endswith(f"(from environment: {SETTINGS[key].variable})")


def test_a_usual_name_left_empty_by_a_template_is_not_set(folder: Folder) -> None:
    folder.toml(f'[realtime]\napi_key = "{KEY}"')
    folder.env("OPENAI_API_KEY=\nPORT=\nVOSS_VOICE=\n")
    assert folder.load(OPENAI_API_KEY="").config.realtime.api_key == KEY


def test_a_bad_value_that_something_stronger_replaces_does_no_harm(folder: Folder) -> None:
    folder.env("PORT=canary\n")
    assert folder.load(PORT="9000").config.server.port == 9000


def test_a_value_refused_in_the_file_names_the_file(folder: Folder) -> None:
    assert folder.toml("[server]\nport = 99999").refuses().why.endswith("(from llcphone.toml)")


# -- unknown names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("LLCPHONE_REALTIME_URL", "LLCPHONE_REALTIME__URL"),
        ("LLCPHONE_TWILIO__API_ULR", "LLCPHONE_TWILIO__API_URL"),
        ("LLCPHONE_SERVER__PORTS", "LLCPHONE_SERVER__PORT"),
    ],
)
def test_an_unknown_variable_of_ours_names_the_nearest(folder: Folder, variable: str, meant: str) -> None:
    error = folder.refuses(**{variable: "canary"})
    assert error.key == variable
    assert meant in error.fix
    assert ".env" in folder.env(f"{variable}=canary").refuses().why


def test_an_unknown_key_in_the_file_names_the_file_and_the_nearest(folder: Folder) -> None:
    error = folder.toml("[warm]\nsesions = 3").refuses(LLCPHONE_WARM__MAX_AGE_S="60")
    assert (error.key, error.why) == ("warm.sesions", "is not a setting (from llcphone.toml)")
    assert error.fix == "write warm.sessions if you meant that, or remove it"


def test_a_section_that_is_no_table_is_an_error_of_the_file(folder: Folder) -> None:
    assert "(from llcphone.toml)" in folder.toml("warm = 3").refuses(LLCPHONE_WARM__SESSIONS="2").why


def test_what_kubernetes_says_of_a_service_called_llcphone_is_no_setting(folder: Folder) -> None:
    loaded = folder.load(
        LLCPHONE_SERVICE_HOST="10.0.0.7",
        LLCPHONE_SERVICE_PORT_HTTP="8081",
        LLCPHONE_PORT="tcp://10.0.0.7:8081",
        LLCPHONE_PORT_8081_TCP_ADDR="10.0.0.7",
    )
    assert loaded.config == Config()
    assert "LLCPHONE_SERVER__PORT" in folder.refuses(LLCPHONE_PORT="8081").fix


def test_a_region_that_only_the_twilio_package_would_read_is_refused_too(folder: Folder) -> None:
    assert folder.refuses(TWILIO_REGION="ie1").why.endswith("(from environment: TWILIO_REGION)")


# -- files -------------------------------------------------------------------------------------


def test_a_named_file_brings_the_dotenv_beside_it(folder: Folder) -> None:
    folder.toml('[realtime]\nvoice = "wrong"').env("VOSS_MODEL=wrong")
    other = folder.path / "etc"
    other.mkdir()
    (other / "phone.toml").write_text('[realtime]\nvoice = "right"')
    (other / ".env").write_text("VOSS_MODEL=right")
    loaded = settings.load(other / "phone.toml", environ={})
    assert (loaded.config.realtime.voice, loaded.config.realtime.model) == ("right", "right")
    assert loaded.origin["realtime.voice"] == str(other / "phone.toml")
    assert loaded.origin["realtime.model"] == f"{other / '.env'}: VOSS_MODEL"


def test_a_named_file_must_exist(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        settings.load(folder.path / "absent.toml", environ={})


def test_what_cannot_be_read_is_named(folder: Folder) -> None:
    (folder.path / "llcphone.toml").write_bytes(b'[agent]\nname = "\xff"')
    assert folder.refuses().why == "cannot be read: it is not UTF-8 text"
    (folder.path / "llcphone.toml").unlink()
    (folder.path / "llcphone.toml").mkdir()
    assert folder.refuses().key == "llcphone.toml"


def test_broken_toml_is_named_with_its_line(folder: Folder) -> None:
    error = folder.toml("[server]\nport = canary").refuses()
    assert error.key == "llcphone.toml"
    assert "line 2" in error.why


def test_a_byte_order_mark_is_no_obstacle(folder: Folder) -> None:
    (folder.path / "llcphone.toml").write_bytes(b"\xef\xbb\xbf[server]\nport = 9000")
    (folder.path / ".env").write_bytes(b"\xef\xbb\xbfVOSS_VOICE=ash")
    config = folder.load().config
    assert (config.server.port, config.realtime.voice) == (9000, "ash")


def test_a_dotenv_is_read_as_written(folder: Folder) -> None:
    folder.env("# note\nexport VOSS_VOICE='ash'\nOTHER\nTWILIO_AUTH_TOKEN=\"a${HOME}b\"  # why\n")
    config = folder.load().config
    assert (config.realtime.voice, config.twilio.auth_token) == ("ash", "a${HOME}b")


def test_a_line_of_a_dotenv_that_cannot_be_parsed_is_an_error(folder: Folder) -> None:
    error = folder.env("VOSS_VOICE=ash\nOPENAI_API_KEY='canary\n").refuses()
    assert (error.key, error.why) == (".env", "cannot be read near line 2")
    assert error.fix == "write NAME=value"


def test_the_process_environment_is_read_unless_another_is_given(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLCPHONE_WARM__SESSIONS", "3")
    assert settings.load().config.warm.sessions == 3
    assert folder.load().config.warm.sessions == 0


# -- explaining --------------------------------------------------------------------------------


def test_a_variable_that_is_no_text_is_refused_by_its_name(folder: Folder) -> None:
    word = b"caf\xe9".decode("utf-8", "surrogateescape")  # as os.environ gives it
    with pytest.raises(ConfigError) as caught:
        folder.load(LLCPHONE_AGENT__INSTRUCTIONS=word)
    assert caught.value.key == "agent.instructions"
    assert "from environment: LLCPHONE_AGENT__INSTRUCTIONS" in caught.value.why
    str(caught.value).encode()


def test_the_query_of_an_address_is_not_shown(folder: Folder) -> None:
    folder.toml('[webhook]\nurl = "https://h/a?sig=canary"\nsecret = "s"')
    rows = {key: value for key, value, _ in settings.explain(folder.load())}
    assert rows["webhook.url"] == '"https://h/a?«hidden»"'


def test_every_value_is_explained_and_no_secret_is_shown(folder: Folder) -> None:
    folder.toml(f'[realtime]\napi_key = "{KEY}"\nspeed = 1.5')
    folder.env("TWILIO_PHONE_NUMBER=+15005550006")
    rows = {key: (value, origin) for key, value, origin in settings.explain(folder.load(PORT="9000"))}
    assert list(rows) == list(SETTINGS)
    assert rows["realtime.api_key"] == ("«hidden»", "llcphone.toml")
    assert rows["twilio.phone_number"] == ("«hidden»", ".env: TWILIO_PHONE_NUMBER")
    assert rows["twilio.auth_token"] == ("(not set)", "default")
    assert rows["realtime.noise_reduction"] == ("(not set)", "default")
    assert rows["realtime.speed"] == ("1.5", "llcphone.toml")
    assert rows["realtime.voice"] == ('"cedar"', "default")
    assert rows["server.port"] == ("9000", "environment: PORT")
    assert "canary" not in str(rows)


# -- quotes that are part of the value ----------------------------------------------------------


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_that_docker_leaves_around_a_value_are_taken_off(folder: Folder, quote: str) -> None:
    bare = {
        "OPENAI_API_KEY": "sk-123",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "abc",
        "TWILIO_PHONE_NUMBER": "+15005550006",
        "PUBLIC_URL": "https://phone.example.test",
        "PORT": "8081",
        "VOSS_VOICE": "cedar",
        "COMPANY_NAME": "Joe's",
        "SALES_NUMBER": "+15005550009",
        "LLCPHONE_SERVER__HOST": "0.0.0.0",
        "LLCPHONE_STORE__URL": "sqlite:///phone.db",
    }
    if quote == "'":
        bare["COMPANY_NAME"] = "Joe & Sons"
    quoted = {name: f"{quote}{value}{quote}" for name, value in bare.items()}
    assert folder.load(**quoted).config == folder.load(**bare).config


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENAI_API_KEY", 'sk-123"'),
        ("TWILIO_AUTH_TOKEN", "'abc"),
        ("PORT", '"8081'),
        ("PUBLIC_URL", 'https://phone.example.test"'),
        ("TWILIO_PHONE_NUMBER", '"+15005550006'),
    ],
)
def test_a_quote_that_was_left_over_is_named_with_its_variable(
    folder: Folder, variable: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        folder.load(**{variable: value})
    assert variable in caught.value.why
    assert "quote" in caught.value.fix
    assert value not in str(caught.value)


def test_a_list_of_quoted_texts_is_left_as_it_is(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="quote"):
        folder.load(LLCPHONE_OUTBOUND__ALLOW_PREFIXES='"+1", "+44"')


def test_a_secret_in_a_file_with_quotes_twice_is_refused(folder: Folder) -> None:
    folder.toml("[webhook]\nurl = 'https://a.example'\nsecret = '\"0123456789abcdef\"'\n")
    with pytest.raises(ConfigError, match=r"webhook\.secret: has quotes"):
        folder.load()


def test_a_department_whose_number_is_wrong_is_named_by_its_variable(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="SALES_NUMBER"):
        folder.load(SALES_NUMBER="0555")


def test_half_a_character_of_the_environment_is_refused(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="COMPANY_NAME"):
        folder.load(COMPANY_NAME="Caf\udce9")


# -- where the server listens -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"RENDER": "true", "PORT": "10000"}, "RENDER"),
        ({"FLY_APP_NAME": "phone"}, "FLY_APP_NAME"),
        ({"PORT": "10000"}, "PORT"),
        ({}, ""),
        ({"RENDER": "true", "LLCPHONE_SERVER__HOST": "0.0.0.0"}, ""),
        ({"RENDER": "true", "LLCPHONE_SERVER__HOST": "127.0.0.1"}, ""),
    ],
)
def test_a_platform_that_cannot_reach_the_server_is_known(
    folder: Folder, environ: dict[str, str], variable: str
) -> None:
    assert settings.hides_from_its_platform(folder.load(**environ), environ) == variable


def test_a_port_in_a_file_is_no_platform(folder: Folder) -> None:
    folder.env("PORT=8081")
    assert settings.hides_from_its_platform(folder.load(), {}) == ""
