"""The settings: defaults, ranges, wording of complaints, and the way to TOML and back."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.config import SECTIONS, SETTINGS, Config, RealtimeConfig, toml_text
from llcphone.config import config as config_module
from llcphone.errors import ConfigError
from llcphone.validation.text import is_clean

if TYPE_CHECKING:
    from llcphone.config.fields import Setting


def refused(tables: dict[str, dict[str, Any]]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict(tables)
    return caught.value


# -- defaults ----------------------------------------------------------------------------------


def test_the_defaults_are_the_ones_the_specification_names() -> None:
    config = Config()
    expected = {
        "realtime.model": "gpt-realtime-1.5",
        "realtime.voice": "cedar",
        "realtime.dialect": "auto",
        "realtime.turn_detection": "semantic_vad",
        "realtime.eagerness": "high",
        "realtime.eagerness_after": "medium",
        "realtime.create_response": True,
        "realtime.interrupt_response": True,
        "realtime.noise_reduction": None,
        "opening.inbound": "greet",
        "opening.outbound": "listen",
        "opening.greeting_guard_ms": 700,
        "opening.silence_pad_inbound_ms": 0,
        "opening.silence_pad_outbound_ms": 500,
        "opening.warm_deadline_ms": 10_000,
        "opening.join_grace_ms": 4_000,
        "opening.cold_deadline_ms": 5_000,
        "opening.priming_outbound": True,
        "opening.priming_inbound": False,
        "wire.model": "fast",
        "wire.phone": "fast",
        "server.port": 8081,
        "warm.sessions": 0,
    }
    assert {key: config.value(key) for key in expected} == expected


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_default_has_exactly_the_type_its_annotation_says(setting: Setting) -> None:
    assert setting.default in setting.choices or type(setting.default) in setting.kinds


def test_a_section_is_called_as_its_class() -> None:
    for name, section in SECTIONS.items():
        assert section.__name__ == f"{name.capitalize()}Config"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_stands_in_its_file_and_every_setting_is_followed_by_a_docstring(name: str) -> None:
    source = Path(config_module.__file__).with_name(f"{name}.py").read_text()
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert SECTIONS[name].__name__ in {section.name for section in classes}
    for section in classes:
        for declared, after in zip(section.body, [*section.body[1:], None], strict=True):
            if isinstance(declared, ast.AnnAssign):
                assert isinstance(after, ast.Expr), f"{section.name}: {ast.unparse(declared.target)}"
                assert isinstance(ast.literal_eval(after.value), str)


@pytest.mark.parametrize("key", [key for key in SETTINGS if key.endswith(("_ms", "_s"))])
def test_every_duration_says_its_unit_when_it_is_refused(key: str) -> None:
    section, name = key.split(".")
    unit = f" {name.rpartition('_')[2]}"
    assert unit in refused({section: {name: "soon"}}).fix
    assert unit in refused({section: {name: -1}}).fix


# -- unknown names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "key", "meant"),
    [
        ({"realtime": {"eagernes": "low"}}, "realtime.eagernes", "realtime.eagerness"),
        ({"realtim": {}}, "realtim", "[realtime]"),
        ({"call": {"max_calls": 1}}, "call.max_calls", "server.max_calls"),
        ({"port": 1}, "port", "server.port"),
        ({"server": {"zzz": 1}}, "server.zzz", "if you meant that"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(tables: Any, key: str, meant: str) -> None:
    error = refused(tables)
    assert error.key == key
    assert meant in error.fix


def test_a_section_that_is_no_table_is_explained() -> None:
    assert refused({"realtime": 3}).fix == "write [realtime] and its keys below"  # type: ignore[dict-item]


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.7, 1, "0.7", "eager", None, True, ["high"]])
def test_eagerness_takes_a_word_and_never_a_number(value: Any) -> None:
    error = refused({"realtime": {"eagerness": value}})
    assert error.key == "realtime.eagerness"
    assert '"low" or "medium" or "high" or "auto"' in error.fix
    assert "never a number" in error.fix


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("opening.greeting_guard_ms", 3_001),
        ("opening.greeting_guard_ms", -1),
        ("opening.greeting_guard_ms", 700.0),
        ("filler.every_ms", 600_001),
        ("filler.every_ms", 999),
        ("call.max_duration_s", float("nan")),
        ("call.max_duration_s", float("inf")),
        ("call.max_duration_s", True),
        ("server.port", True),
        ("server.port", "8081"),
        ("server.port", 65_536),
        ("server.host", ""),
        ("realtime.create_response", 1),
        ("realtime.create_response", "true"),
        ("realtime.model", "   "),
        ("realtime.max_response_tokens", 0),
        ("realtime.max_response_tokens", "lots"),
        ("realtime.speed", 1.6),
        ("realtime.truncation", {"retention_ratio": 0.8}),
        ("realtime.tool_choice", {"type": 3}),
        ("realtime.tool_choice", {"type": "function"}),
        ("realtime.tool_choice", {"type": "function", "name": "look up order"}),
        ("realtime.tool_choice", {"type": "mcp", "name": "f"}),
        ("realtime.dialect", "beta"),
        ("warm.max_age_s", 3_600.0),
        ("twilio.phone_number", "555 0100"),
        ("outbound.allow_countries", "US"),
        ("outbound.allow_countries", ["us"]),
        ("outbound.allow_countries", [1]),
        ("outbound.allow_prefixes", ["1415"]),
        ("outbound.refuse_types", ["premium"]),
        ("outbound.caller_ids", ["+1 500 555 0006"]),
        ("outbound.quiet_hours", "9pm-8am"),
        ("outbound.quiet_hours", "24:00-08:00"),
        ("outbound.quiet_hours", "08:00-08:00"),
        ("outbound.max_concurrent", 0),
        ("api.key", "too-short"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused(key: str, value: Any) -> None:
    section, name = key.split(".")
    assert refused({section: {name: value}}).key == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("realtime.model", "anything-at-all"),
        ("realtime.max_response_tokens", "inf"),
        ("realtime.max_response_tokens", 4_096),
        ("realtime.truncation", {"type": "retention_ratio", "retention_ratio": 0.8}),
        ("realtime.tool_choice", "none"),
        ("realtime.tool_choice", {"type": "function", "name": "look_up"}),
        ("realtime.tool_choice", {"type": "mcp", "server_label": "crm"}),
        ("realtime.noise_reduction", "near_field"),
        ("realtime.api_key_header", "api-key"),
        ("opening.greeting_cue", "Two lines:\nsay hello."),
        ("filler.every_ms", 1_000),
        ("twilio.edge", "sao-paulo"),
        ("server.port", 0),
        ("outbound.quiet_hours", "21:00-08:00"),
        ("outbound.allow_prefixes", ()),
        ("api.key", "sixteen-letters!"),
    ],
)
def test_a_value_in_range_is_taken(key: str, value: Any) -> None:
    section, name = key.split(".")
    assert Config.from_dict({section: {name: value}}).value(key) == value


def test_a_whole_number_may_stand_for_seconds() -> None:
    value = Config.from_toml("[call]\nmax_duration_s = 60").call.max_duration_s
    assert (value, type(value)) == (60.0, float)


def test_a_list_is_kept_as_a_tuple_and_written_as_a_list() -> None:
    config = Config.from_toml('[outbound]\nallow_countries = ["US", "GB"]')
    assert config.outbound.allow_countries == ("US", "GB")
    assert 'allow_countries = ["US", "GB"]' in toml_text(config.to_dict())


def test_a_phone_may_ring_for_as_long_as_it_is_allowed_to() -> None:
    error = refused({"outbound": {"ring_timeout_s": 120}})
    assert error.key == "outbound.no_callback_limit_s"
    assert Config.from_dict({"outbound": {"ring_timeout_s": 120, "no_callback_limit_s": 150}})


def test_empty_text_unsets_what_may_be_unset_and_nothing_else() -> None:
    assert Config.from_toml('[realtime]\nnoise_reduction = ""').realtime.noise_reduction is None
    assert refused({"realtime": {"voice": ""}}).key == "realtime.voice"


def test_a_direct_construction_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"realtime\.speed"):
        RealtimeConfig(speed=9.0)
    with pytest.raises(ConfigError, match=r"realtime\.speed"):
        attrs.evolve(RealtimeConfig(), speed=0.1)


@pytest.mark.parametrize("name", ["vad_threshold", "vad_silence_ms", "vad_prefix_ms"])
def test_loudness_settings_belong_to_server_vad_only(name: str) -> None:
    assert "server_vad" in refused({"realtime": {name: 1}}).why
    both = {"realtime": {name: 1, "turn_detection": "server_vad"}}
    assert Config.from_dict(both).value(f"realtime.{name}") == 1


# -- to TOML and back --------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"])).filter(is_clean)
tables = st.fixed_dictionaries(
    {},
    optional={
        "agent": st.fixed_dictionaries({"instructions": texts, "file": texts}),
        "realtime": st.fixed_dictionaries(
            {
                "speed": st.none() | st.floats(0.25, 1.5),
                "max_response_tokens": st.none() | st.just("inf") | st.integers(1, 4096),
                "truncation": st.none()
                | st.fixed_dictionaries({"type": texts, "ratio": st.floats(0, 1), "a b": st.lists(texts)}),
            }
        ),
    },
)


@settings(deadline=None)
@given(tables)
def test_what_is_written_as_toml_is_read_back_the_same(data: dict[str, dict[str, Any]]) -> None:
    config = Config.from_dict(data)
    text = toml_text(config.to_dict(secrets=True))
    assert Config.from_toml(text) == config
    assert toml_text(Config.from_toml(text).to_dict(secrets=True)) == text


def test_the_tables_handed_out_are_copies() -> None:
    config = Config.from_dict({"realtime": {"truncation": {"type": "retention_ratio"}}})
    config.to_dict()["realtime"]["truncation"]["type"] = "changed"
    assert config.realtime.truncation == {"type": "retention_ratio"}
