# ruff: noqa: RUF009  (setting() declares an attrs field; ruff sees a call in a default)
"""The sections about who answers which number, and for whom: [routes], [company], [ivr].

What stands here belongs to one deployment, so no snapshot carries it. `config` says how sections are read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Rule, Section, listing, matching, setting
from llcphone.errors import ConfigError
from llcphone.languages import ENGLISH, LANGUAGE, sentence, wrong_placeholders
from llcphone.validation.phone_numbers import E164

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("ivr", "receptionist", "csr")
"""The inbound modes that ship; any other name is a Python file."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Hours = dict[int, list[tuple[int, int]]]
"""Weekday (Monday is 0) to its spans, in minutes of the day."""

_SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? +([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def read_hours(text: str) -> Hours:
    """Read opening hours such as ``mon-fri 09:00-12:30, mon-thu 14:00-18:00, sat 10:00-14:00``.

    Raises:
        ValueError: it is not written so, or a span ends before it begins.
    """
    hours: Hours = {}
    for part in filter(None, (each.strip().lower() for each in text.split(","))):
        match = _SPAN.fullmatch(part)
        if match is None or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
            raise ValueError(part)
        begins, ends = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
        if not begins < ends <= 24 * 60:
            raise ValueError(part)
        day, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        while True:
            hours.setdefault(day, []).append((begins, ends))
            if day == last:
                break
            day = (day + 1) % 7
    return {day: sorted(spans) for day, spans in hours.items()}


def _are_hours(text: Any) -> bool:
    try:
        return isinstance(text, str) and read_hours(text) is not None
    except ValueError:
        return False


def _are_names(table: Any, value: str) -> bool:
    return all(isinstance(each, str) and re.fullmatch(value, each) for each in table.values())


_NUMBERS = listing(E164, "a list of +<country><number>, digits only")
_MODE = matching(r"ivr|receptionist|csr|.+\.py", f"one of {', '.join(MODES)}, or a Python file")
_FILES = Rule(
    "a table of Python files by number",
    lambda table: all(re.fullmatch(E164, number) for number in table) and _are_names(table, r".+\.py"),
)
_HOURS = Rule('hours such as "mon-fri 09:00-17:00, sat 10:00-14:00", or "" for always', _are_hours)
_DESK_HOURS = Rule("a table of such hours by destination", lambda table: all(map(_are_hours, table.values())))
_DATES = listing(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "a list of dates such as 2026-12-25")
_LANGUAGE = matching(LANGUAGE, "a language such as en, es or es-MX")
_SENTENCES = Rule(
    "a table of sentences by their shipped names, each with no other {placeholders} than the shipped one has"
    " (days: seven names, months: twelve)",
    lambda table: not wrong_placeholders(table.items()),
)
_KEYS = Rule(
    "a table of destinations by key 0 to 9",
    lambda table: all(re.fullmatch("[0-9]", key) for key in table) and _are_names(table, ".+"),
)


@frozen(kw_only=True)
class RoutesConfig(Section):
    """[routes]: who answers which of our numbers, where `agent` names nobody."""

    ivr: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Numbers that the AI IVR answers; IVR_DID of llc-phone 3."""
    receptionist: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Our numbers that the receptionist answers; RECEPTIONIST_DID."""
    csr: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Our numbers that customer service answers; CSR_DID."""
    files: dict[str, Any] = setting({}, _FILES, secret=True)
    """Our numbers that modules of your own answer: number to Python file."""
    default: str = setting("receptionist", _MODE, private=True)
    """Who answers every other number: a mode, or a Python file."""

    def check_together(self) -> None:
        """Nobody can tell who answers a number that stands twice."""
        numbers = [*self.ivr, *self.receptionist, *self.csr, *self.files]
        if len(set(numbers)) < len(numbers):
            raise ConfigError("routes", "a number stands there twice: nobody could tell who answers it")

    @property
    def table(self) -> Mapping[str, str]:
        """Number to mode or file."""
        named = {number: mode for mode in MODES for number in getattr(self, mode)}
        return named | self.files


@frozen(kw_only=True)
class CompanyConfig(Section):
    """[company]: for whom the shipped modes speak."""

    language: str = setting("en", _LANGUAGE, private=True)
    """Language of the shipped modes, of what Twilio says and of the stored recordings: en, es, fr, de or pt,
    with a country too (es-MX), or one of your own, whose texts stand in `language_folder`."""
    language_folder: str = setting("", private=True)
    """Folder with `sentences.toml` and recordings, which go before those that ship; "" is none."""
    sentences: dict[str, Any] = setting({}, _SENTENCES, private=True)
    """Single sentences that go before those of the language: {greeting = "{wish}, {company}!"}."""
    name: str = setting(ENGLISH["company.name"], NOT_EMPTY, private=True)
    """As it is spoken on the telephone; COMPANY_NAME of llc-phone 3."""
    assistant: str = setting("Avery", NOT_EMPTY, private=True)
    """The agent's own name; ASSISTANT_NAME."""
    about: str = setting("", private=True)
    """What the agent may tell about the company: what it does, where it is, prices; BUSINESS_DESCRIPTOR."""
    greeting: str = setting("", private=True)
    """The first sentence, word for word; "" greets by the time of day. INBOUND_GREETING."""
    time_zone: str = setting("UTC", NOT_EMPTY, private=True)
    """Where it is, as Europe/Madrid; BUSINESS_TIMEZONE."""
    hours: str = setting("", _HOURS, private=True)
    """When somebody is there: "mon-fri 09:00-17:00, sat 10:00-14:00"; "" is always."""
    closed: tuple[str, ...] = setting((), _DATES, private=True)
    """Days on which nobody is: holidays, as 2026-12-25."""
    desk_hours: dict[str, Any] = setting({}, _DESK_HOURS, private=True)
    """Hours of single destinations of `transfers.destinations`, where they are other."""
    escalate_to: str = setting("", private=True)
    """The destination that takes over when a person is wanted; "" is the first."""
    trust_caller_id: bool = setting(False, private=True)
    """Whether a number that no carrier vouches for proves who rings. Caller IDs can be forged."""

    def sentence(self, name: str) -> str:
        """A sentence that is no setting of its own, in the language.

        Raises:
            ConfigError: the language does not ship, and has no such sentence.
        """
        return sentence(self.language, self.sentences, name)


@frozen(kw_only=True)
class IvrConfig(Section):
    """[ivr]: keys, for the AI IVR; they work without a model too."""

    keys: dict[str, Any] = setting({}, _KEYS, private=True)
    """Key to destination, or to voicemail; empty: 1 is the first destination, and so on."""
    menu_file: str = setting("", private=True)
    """8 kHz µ-law file that says the keys when there is no model; "" is put together of shipped words."""
