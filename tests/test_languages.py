"""One setting gives the language of everything people hear: what ships, what goes before it, one's own."""

from __future__ import annotations

import base64
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

import llcphone.announcements
from llcphone.agent import Agent
from llcphone.announcements import stored
from llcphone.call.setup import plan_call, plan_session
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError
from llcphone.languages import ENGLISH, NAMES, OWN, SHIPPED, placeholders
from llcphone.modes import House, outbound, routed, source_of
from llcphone.modes.agent_file import load_agent
from llcphone.modes.routes import INBOUND
from llcphone.server.api.legacy import context_of
from llcphone.server.api.models import LegacyCall
from llcphone.settings import explain, load
from tests.modes.english import english_in
from tests.modes.test_agents import LONGEST_PROMPT, prompt_tokens

FOREIGN = [language for language in SHIPPED if language != "en"]
PLACE = Path(llcphone.announcements.__file__).parent
RECORDINGS = sorted(path.name for path in (PLACE / "en").glob("*.ulaw"))


def spoken(language: str, **tables: Any) -> Config:
    return Config.from_dict({"company": {"language": language}, **tables})


# -- what ships --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", FOREIGN)
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    texts = SHIPPED[language]
    assert set(texts) == set(NAMES) >= set(ENGLISH)
    for name, text in texts.items():
        usual = ENGLISH.get(name, SHIPPED["es"][name])
        assert placeholders(text) == placeholders(usual), name
        words = "".join(part for part, *_ in string.Formatter().parse(text)).strip(" :,.")
        assert not words or text != ENGLISH.get(name), name
        assert text == text.strip()


def test_the_prompts_of_the_modes_have_a_translation_each_with_the_same_values() -> None:
    prompts = {name: INBOUND[name].__globals__["PROMPT"] for name in INBOUND}
    prompts |= {"outbound": outbound.PROMPT, **outbound.SCENARIOS}
    assert {OWN + name for name in prompts} == set(NAMES) - set(ENGLISH) - {"twilio.say_language"}
    for name, english in prompts.items():
        translated = SHIPPED["es"][OWN + name]
        assert placeholders(translated) == placeholders(english), name
        for tool in {word.strip(string.punctuation) for word in english.split() if "_" in word}:
            assert all(tool in SHIPPED[language][OWN + name] for language in FOREIGN), (name, tool)


def test_every_language_has_every_recording_and_its_words() -> None:
    rows = [line.split("\t") for line in (PLACE / "words.tsv").read_text("utf-8").splitlines()]
    assert len(RECORDINGS) == 17
    for language in SHIPPED:
        assert sorted(path.name for path in (PLACE / language).iterdir()) == RECORDINGS
        assert sorted(f"{name}.ulaw" for at, name, _ in rows if at == language) == RECORDINGS
    heard = [stored(name.removesuffix(".ulaw"), language) for name in RECORDINGS for language in SHIPPED]
    assert len(set(heard)) == len(heard), "no two are the same sound"
    total = sum((PLACE / language / name).stat().st_size for language in SHIPPED for name in RECORDINGS)
    assert total < 1_100_000


def said_in(plan: object) -> list[str]:
    """The sentences in what an engine starts from; names of tools and settings are none."""
    if isinstance(plan, str):
        return [plan] if " " in plan else []
    if attrs.has(type(plan)):
        return [text for field in attrs.fields(type(plan)) for text in said_in(getattr(plan, field.name))]
    if isinstance(plan, Mapping):
        return [text for name, each in plan.items() if name != "tools" for text in said_in(each)]
    return [text for each in plan for text in said_in(each)] if isinstance(plan, (list, tuple)) else []


@pytest.mark.parametrize("language", FOREIGN)
def test_whatever_a_call_is_planned_with_has_no_english(language: str) -> None:
    config = spoken(language)
    for agent in [
        INBOUND["receptionist"](House(config)),
        outbound.make(House(config), "confirmation"),
        Agent(),
    ]:
        setup = plan_call(config, agent)
        said = said_in(setup)
        assert SHIPPED[language][OWN + "line_back_answer"] in said
        assert english_in(said) == {}


@pytest.mark.parametrize("language", FOREIGN)
def test_the_facts_of_an_order_are_labelled_in_the_language(language: str) -> None:
    order = LegacyCall("+15551230001", *["…"] * 8)
    context = context_of(order, spoken(language).company)
    assert len(context.splitlines()) == 8
    assert english_in([context]) == {}


# -- precedence --------------------------------------------------------------------------------------


def test_english_is_the_default_and_changes_nothing() -> None:
    assert spoken("en") == Config()
    assert (Config().twilio.say_language, Config().realtime.transcription_language) == ("", None)


@pytest.mark.parametrize("language", FOREIGN)
def test_a_language_is_the_default_of_all_its_settings(language: str) -> None:
    config = spoken(language, realtime={"transcription_model": "m"})
    for name, text in SHIPPED[language].items():
        if not name.startswith(OWN):
            assert config.value(name) == text
    assert config.realtime.transcription_language == language
    assert Config.from_dict(config.to_dict(secrets=True)) == config


def test_a_country_goes_to_twilio_and_the_rest_is_the_language() -> None:
    config = spoken("es-MX", realtime={"transcription_model": "m"})
    assert (config.twilio.say_language, config.realtime.transcription_language) == ("es-MX", "es")
    assert config.transfers.accept_prompt == SHIPPED["es"]["transfers.accept_prompt"]
    assert stored("apology", "es-MX") == stored("apology", "es")
    assert spoken("en-GB").twilio.say_language == "en-GB"


def test_the_transcriber_gets_a_language_only_when_there_is_one() -> None:
    assert spoken("es").realtime.transcription_language is None


@pytest.mark.parametrize(
    ("of_agent", "language"),
    [
        ({"transcription_model": "m"}, "es"),
        ({"transcription_model": "m", "transcription_language": "ca"}, "ca"),
        ({"transcription_model": "m", "transcription_language": None}, None),
        ({}, None),
    ],
)
def test_a_transcriber_of_one_agent_gets_the_language_too(
    of_agent: dict[str, Any], language: str | None
) -> None:
    agent = Agent("Hola.", settings={"realtime": of_agent})
    assert agent.over(spoken("es-MX")).realtime.transcription_language == language
    session = plan_session(spoken("es-MX"), agent)
    assert (session.get("input_audio_transcription") or {}).get("language") == language


def test_what_is_set_goes_before_the_language_and_what_is_unset_on_purpose_too() -> None:
    transfers, twilio = {"record_notice": "Se graba."}, {"say_language": ""}
    company: dict[str, Any] = {"language": "es", "sentences": {"greeting": "¡{company}!"}}
    config = Config.from_dict({"company": company, "transfers": transfers, "twilio": twilio})
    assert (config.transfers.record_notice, config.twilio.say_language) == ("Se graba.", "")
    assert House(config).greeting() == "¡nuestra empresa!"


def test_explain_says_that_a_value_comes_from_the_language(tmp_path: Path) -> None:
    file = tmp_path / "llcphone.toml"
    file.write_text('[company]\nlanguage = "de"\n[transfers]\nrecord_notice = "Aufnahme."\n', "utf-8")
    rows = {key: (value, origin) for key, value, origin in explain(load(file, environ={}))}
    assert rows["transfers.accept_prompt"][1] == 'company.language = "de"'
    assert rows["twilio.say_language"] == ('"de-DE"', 'company.language = "de"')
    assert rows["transfers.record_notice"] == ('"Aufnahme."', str(file))
    assert rows["silence.after_s"][1] == rows["company.greeting"][1] == "default"
    loaded = load(file, environ={"LLCPHONE_COMPANY__LANGUAGE": "fr"})
    assert loaded.origin["silence.cue"] == 'company.language = "fr"'
    assert loaded.config.silence.cue == SHIPPED["fr"]["silence.cue"]


def test_no_snapshot_carries_a_language() -> None:
    names = [name for name in NAMES if not name.startswith(OWN)]
    assert all(SETTINGS[name].private for name in [*names, "company.language", "twilio.say_voice"])
    assert Config.from_dict(spoken("es").tuning()) == Config()


def test_a_copy_of_a_mode_that_was_edited_says_what_it_says() -> None:
    house = House(spoken("es"))
    shipped = INBOUND["receptionist"].__globals__["PROMPT"]
    assert house.prompt("receptionist", shipped) == SHIPPED["es"]["sentences.receptionist"]
    assert house.prompt("receptionist", shipped + " Más.") == shipped + " Más."


@pytest.mark.parametrize("mode", [*INBOUND, "outbound"])
def test_a_mode_is_copied_with_its_prompt_in_the_language(mode: str) -> None:
    german = spoken("de")
    copy: dict[str, Any] = {"__name__": "copy"}
    exec(compile(source_of(mode, House(german)), "copy.py", "exec"), copy)
    assert copy["PROMPT"] == SHIPPED["de"][OWN + mode]
    assert source_of(mode, House(Config())) == source_of(mode)
    if mode == "outbound":
        assert copy["SCENARIOS"] == {name: SHIPPED["de"][OWN + name] for name in outbound.SCENARIOS}
    made = copy["agents"](House(german))["custom"] if mode == "outbound" else copy["make"](House(german))
    shipped = outbound.make(House(german), "custom") if mode == "outbound" else INBOUND[mode](House(german))
    assert made.instructions == shipped.instructions


@pytest.mark.parametrize("language", FOREIGN)
def test_prompts_are_no_longer_than_the_english_ones_may_be(language: str) -> None:
    for agent in routed(spoken(language), load_agent).by_name.values():
        assert prompt_tokens(agent.instructions) <= LONGEST_PROMPT


# -- a language of one's own -------------------------------------------------------------------------


def own(folder: Path, leave_out: str = "") -> Path:
    """The settings of a house that speaks a Dutch of its own: Spanish with another name."""
    tables: dict[str, list[str]] = {}
    for name, text in SHIPPED["es"].items():
        section, _, key = name.partition(".")
        if name != leave_out:
            tables.setdefault(section, []).append(f"{key} = '''{text}'''")
    lines = [f"[{section}]\n" + "\n".join(rows) for section, rows in tables.items()]
    (folder / "sentences.toml").write_text("\n".join(lines) + "\n", "utf-8")
    for name in RECORDINGS:
        (folder / name).write_bytes(bytes([1]) + (PLACE / "es" / name).read_bytes())
    file = folder / "llcphone.toml"
    file.write_text(f'[company]\nlanguage = "nl"\nlanguage_folder = "{folder.as_posix()}"\n', "utf-8")
    return file


def test_a_language_of_ones_own_is_a_folder(tmp_path: Path) -> None:
    loaded = load(own(tmp_path), environ={})
    house = House(loaded.config)
    assert loaded.config.transfers.accept_prompt == SHIPPED["es"]["transfers.accept_prompt"]
    assert loaded.origin["transfers.accept_prompt"] == str(tmp_path / "sentences.toml")
    assert loaded.origin["company.sentences"] == str(tmp_path / "sentences.toml")
    agent = INBOUND["ivr"](house)
    assert SHIPPED["es"]["sentences.rules"] in agent.instructions
    setup = plan_call(loaded.config, agent)
    assert setup.recovery.filler == stored("one_moment", "nl", str(tmp_path))
    assert base64.b64decode(setup.recovery.filler[0])[0] == 1


@pytest.mark.parametrize("name", ["transfers.record_notice", "sentences.greeting", "sentences.csr"])
def test_a_sentence_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"company.language: nl: has no sentence {name}"):
        load(own(tmp_path, leave_out=name), environ={})


def test_a_recording_that_is_missing_is_named(tmp_path: Path) -> None:
    file = own(tmp_path)
    (tmp_path / "apology.ulaw").unlink()
    config = load(file, environ={}).config
    with pytest.raises(ConfigError, match=r"company.language_folder: nl: has no recording apology.ulaw"):
        plan_call(config, INBOUND["ivr"](House(config)))


def test_a_language_without_a_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"company\.language: nl: has no sentence"):
        spoken("nl")


@pytest.mark.parametrize("language", ["Spanish", "es_ES", "", 3])
def test_what_is_no_language_is_refused_without_being_repeated(language: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"company\.language: has a wrong value.*a language such as en, es or es-MX"
    ):
        spoken(language)


def test_a_folder_may_change_some_of_a_language_that_ships(tmp_path: Path) -> None:
    (tmp_path / "sentences.toml").write_text('[sentences]\nmorning = "Muy buenas"\n', "utf-8")
    file = tmp_path / "llcphone.toml"
    file.write_text(f'[company]\nlanguage = "es"\nlanguage_folder = "{tmp_path.as_posix()}"\n', "utf-8")
    company = load(file, environ={}).config.company
    assert (company.sentence("morning"), company.sentence("evening")) == ("Muy buenas", "Buenas noches")
    assert stored("apology", "es", str(tmp_path)) == stored("apology", "es")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[sentences]\nmornin = "x"', "write sentences.morning if you meant that"),
        ("[sentences]\nmorning = 1", "sentences.morning: is no sentence"),
        ('[silence]\nafter_s = "x"', "silence.after_s: is no sentence"),
        ('[sentences]\ngreeting = "{nobody}"', "company.sentences: has a wrong value"),
        ('[sentences]\ngreeting = "{company"', "company.sentences: has a wrong value"),
        ('[sentences]\ndays = "lunes, martes"', "company.sentences: has a wrong value"),
        ("[sentences", "sentences.toml: "),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "sentences.toml").write_text(text, "utf-8")
    file = tmp_path / "llcphone.toml"
    file.write_text(f'[company]\nlanguage_folder = "{tmp_path.as_posix()}"\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    assert complaint in str(caught.value)
