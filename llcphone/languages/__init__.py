"""Every sentence that people can hear and that is no model's own, in each language that ships.

A table maps names to sentences. Most names are settings: the sentence is the default of that setting where
``company.language`` names the language. Names that begin with ``sentences.`` are no settings of their own:
``company.sentences`` replaces them one by one. What is stored as sound is in ``announcements``.

The prompts of the modes are in the tables of all languages but English, whose prompts stand in the modes.
A language of one's own has all names of ``NAMES``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Any

from llcphone.errors import ConfigError
from llcphone.languages import de, en, es, fr, pt

ENGLISH = en.SENTENCES
SHIPPED: Mapping[str, Mapping[str, str]] = {
    "en": ENGLISH,
    "es": es.SENTENCES,
    "fr": fr.SENTENCES,
    "de": de.SENTENCES,
    "pt": pt.SENTENCES,
}
NAMES = tuple(es.SENTENCES)
"""What a language has to say."""
OWN = "sentences."
"""How the names begin that are no settings."""
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"
_LISTS = ("days", "months")
_TRANSCRIBER = "realtime.transcription_language"


def base_of(language: str) -> str:
    """``es`` of ``es-MX``."""
    return language.partition("-")[0]


def transcribed(language: str) -> str:
    """The language that a transcriber is given: two letters; empty: it guesses."""
    base = base_of(language)
    return base if len(base) == 2 and language != "en" else ""


def shipped(language: str) -> Mapping[str, str]:
    """The sentences of a language; empty: it does not ship."""
    return SHIPPED.get(base_of(language), {})


def sentence(language: str, own: Mapping[str, str], name: str) -> str:
    """One that is no setting: as ``company.sentences`` has it, else as the language has it.

    Raises:
        ConfigError: neither has it.
    """
    found = own.get(name) or shipped(language).get(OWN + name)
    if found is None:
        raise missing(language, OWN + name)
    return found


def defaults(tables: Mapping[str, Any]) -> dict[str, str]:
    """What the language of these tables gives to settings that they do not set, by ``section.key``.

    Raises:
        ConfigError: the language does not ship, and a sentence of it is not set.
    """
    company = _table(tables, "company")
    language = company.get("language", "en")
    if not isinstance(language, str) or language == "en" or re.fullmatch(LANGUAGE, language) is None:
        return {}  # what is no language, the setting's own rule refuses
    texts: dict[str, str] = {
        name: text for name, text in shipped(language).items() if not name.startswith(OWN)
    }
    if "-" in language:
        texts["twilio.say_language"] = language
    if _table(tables, "realtime").get("transcription_model") and transcribed(language):
        texts[_TRANSCRIBER] = transcribed(language)
    unset = {name: text for name, text in texts.items() if not _is_set(tables, name)}
    if not shipped(language):
        own = _table(company, "sentences")
        for name in NAMES:
            given = name.removeprefix(OWN) in own if name.startswith(OWN) else _is_set(tables, name)
            if not given and name not in unset:
                raise missing(language, name)
    return unset


def missing(language: str, name: str) -> ConfigError:
    """A language that does not ship lacks a sentence."""
    has = ", ".join(SHIPPED)
    return ConfigError(
        "company.language",
        f"{language}: has no sentence {name}",
        f"write it in sentences.toml of company.language_folder, or use a language that ships: {has}",
    )


def placeholders(text: str) -> set[str] | None:
    """The names in braces; None: the braces are not in order."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError:
        return None


def wrong_placeholders(own: Iterable[tuple[str, Any]]) -> str:
    """The first of these sentences (by name without ``sentences.``) that cannot be used; empty: none."""
    for name, text in own:
        usual = es.SENTENCES.get(OWN + name)
        if usual is None or not isinstance(text, str) or not text.strip():
            return name
        found, as_many = placeholders(text), name not in _LISTS or text.count(", ") == usual.count(", ")
        if found is None or not found <= (placeholders(usual) or set()) or not as_many:
            return name
    return ""


def _table(tables: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    table = tables.get(section, {})
    return table if isinstance(table, Mapping) else {}


def _is_set(tables: Mapping[str, Any], name: str) -> bool:
    section, _, key = name.partition(".")
    return key in _table(tables, section)
