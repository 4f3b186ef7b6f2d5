"""What each mode is made of: its tools by name, voice, cache key, prompt, and when somebody is there."""

from __future__ import annotations

import datetime
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from llcphone import ConfigError
from llcphone.call.setup import plan_call, plan_session
from llcphone.config import Config
from llcphone.modes import Routed, csr, hours, ivr, outbound, receptionist, routed, source_of
from llcphone.modes.agent_file import agent_of, load_agent
from llcphone.modes.desk import TARGETS_S
from llcphone.realtime.session import prompt_tokens
from tests.modes.all_modes import CSR, IVR, SETTINGS, WEDNESDAY, ZONE

if TYPE_CHECKING:
    from llcphone import Agent

CONFIG = Config.from_dict(SETTINGS)
TOOLS = {
    "ivr": {"transfer_call", "warm_transfer", "take_message"},
    "receptionist": {"check_availability", "transfer_call", "warm_transfer", "take_message", "send_sms"},
    "csr": {
        "lookup_customer",
        "get_appointments",
        "check_availability",
        "book_appointment",
        "add_call_note",
        "escalate_to_human",
        "send_sms",
    },
}
ALWAYS = {"get_current_time", "hang_up"}
VOICES = {"ivr": "cedar", "receptionist": "marin", "csr": "cedar"}
LONGEST_PROMPT = 478
"""Tokens of an outbound prompt."""


def agents(config: Config = CONFIG) -> Routed:
    return routed(config, load_agent)


@pytest.mark.parametrize("mode", TOOLS)
def test_a_mode_has_its_tools_by_name_its_voice_and_its_cache_key(mode: str) -> None:
    agent = agents().by_name[mode]
    assert set(agent.tools) == TOOLS[mode] | ALWAYS
    assert agent.voice == VOICES[mode]
    assert plan_session(CONFIG, agent)["prompt_cache_key"] == f"llc-{mode}-v1"
    assert plan_call(CONFIG, agent).greets


def test_every_agent_knows_the_time_from_the_first_turn_and_can_hang_up() -> None:
    for agent in agents().by_name.values():
        assert {schema["name"] for schema in agent.lean_tools()} >= ALWAYS


def test_every_tool_that_has_a_target_is_measured_against_it() -> None:
    measured = {
        tool.name: tool.options.get("target_s")
        for agent in agents().by_name.values()
        for tool in agent.tools.values()
        if tool.options.get("target_s") is not None
    }
    assert measured == TARGETS_S


def test_notes_are_silent_and_outlive_the_call() -> None:
    note = agents().by_name["csr"].tools["add_call_note"]
    assert note.silent
    assert note.detached


@pytest.mark.parametrize("scenario", outbound.SCENARIOS)
def test_an_outbound_prompt_is_short_and_listens_first(scenario: str) -> None:
    agent = agents().by_name[scenario]
    assert prompt_tokens(agent.instructions) <= LONGEST_PROMPT
    session = plan_session(CONFIG, agent)
    assert session["prompt_cache_key"] == "llc-outbound-v1"


@pytest.mark.parametrize("module", [ivr, receptionist, csr, outbound])
def test_a_mode_is_a_small_module(module: Any) -> None:
    assert inspect.getsource(module).count("\n") < 150


def test_the_receptionist_never_leaves_20_s_of_silence() -> None:
    config = agents().by_name["receptionist"].over(CONFIG)
    assert 0 < config.silence.after_s <= 15
    assert config.silence.prompts > 0
    assert 0 < config.filler.tool_after_ms < 10_000
    assert 0 < config.filler.every_ms < 10_000


# -- who answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"To": IVR}, "ivr"),
        ({"To": CSR}, "csr"),
        ({"To": f"sip:{CSR}@example.sip.twilio.com"}, "csr"),
        ({"To": "+15559999999"}, "receptionist"),
        ({}, "receptionist"),
        ({"To": CSR, "Direction": "outbound-api"}, "custom"),
    ],
)
def test_the_dialled_number_chooses(form: dict[str, str], name: str) -> None:
    assert agents()(form).name == name


def test_the_modes_answer_where_no_agent_is_named() -> None:
    assert isinstance(agent_of(CONFIG), Routed)
    named = agent_of(Config.from_dict({"agent": {"instructions": "You are a parrot."}}))
    assert not isinstance(named, Routed)


def test_a_copied_mode_answers_its_number(tmp_path) -> None:
    copy = tmp_path / "clinic.py"
    copy.write_text(source_of("receptionist").replace("You are the receptionist.", "You are the clinic."))
    config = Config.from_dict({**SETTINGS, "routes": {"files": {"+15551230009": str(copy)}}})
    agent: Agent = agents(config)({"To": "+15551230009"})
    assert "You are the clinic." in agent.instructions
    assert set(agent.tools) == TOOLS["receptionist"] | ALWAYS


def test_a_time_zone_that_nobody_knows_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"company\.time_zone"):
        agents(Config.from_dict({"company": {"time_zone": "Middle/Earth"}}))


@pytest.mark.parametrize(
    "company", [{"escalate_to": "butler"}, {"desk_hours": {"butler": "mon 09:00-17:00"}}]
)
def test_a_person_who_cannot_be_rung_is_refused_at_the_start(company: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="butler: there is no such name"):
        agents(Config.from_dict({**SETTINGS, "company": company}))


def test_there_is_no_source_of_an_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="there is no such mode"):
        source_of("butler")


# -- hours -----------------------------------------------------------------------------------------


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def test_somebody_is_there_within_hours_and_until_they_end() -> None:
    assert hours.closes_at(CONFIG, WEDNESDAY) == at("2026-11-25 17:00")
    assert hours.is_open(CONFIG, at("2026-11-25 09:00"))
    assert not hours.is_open(CONFIG, at("2026-11-25 08:59"))
    assert not hours.is_open(CONFIG, at("2026-11-25 17:00"))


def test_after_hours_the_next_day_is_named_and_holidays_are_left_out() -> None:
    assert hours.opens_at(CONFIG, at("2026-11-27 18:00")) == at("2026-11-30 09:00")
    company = {**SETTINGS["company"], "closed": ["2026-11-30"]}
    config = Config.from_dict({"company": company})
    assert not hours.is_open(config, at("2026-11-30 10:00"))
    assert hours.opens_at(config, at("2026-11-27 18:00")) == at("2026-12-01 09:00")


def test_a_desk_may_have_hours_of_its_own() -> None:
    company = {**SETTINGS["company"], "desk_hours": {"sales": "wed 14:00-16:00"}}
    config = Config.from_dict({"company": company})
    assert hours.opens_at(config, WEDNESDAY, "sales") == at("2026-11-25 14:00")
    assert hours.is_open(config, WEDNESDAY, "support")


def test_hours_stay_what_the_clock_on_the_wall_says_when_summer_ends() -> None:
    config = Config.from_dict({"company": {**SETTINGS["company"], "hours": "sun 09:00-17:00"}})
    assert hours.opens_at(config, at("2026-10-24 20:00")) == at("2026-10-25 09:00")


@pytest.mark.parametrize(
    ("hour", "wish"), [(8, "morning"), (12, "afternoon"), (18, "evening"), (3, "evening")]
)
def test_one_wishes_by_the_hour(hour: int, wish: str) -> None:
    assert hours.wish(Config(), at(f"2026-11-25 {hour:02}:00")) == f"Good {wish}"
