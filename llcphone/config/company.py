"""Settings of [company]: the company that the shipped modes speak for."""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Rule, Section, listing, matching, setting
from llcphone.languages import ENGLISH, LANGUAGE, sentence, wrong_placeholders

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


_HOURS = Rule('hours such as "mon-fri 09:00-17:00, sat 10:00-14:00", or "" for always', _are_hours)


_DESK_HOURS = Rule("a table of such hours by destination", lambda table: all(map(_are_hours, table.values())))


_DATES = listing(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "a list of dates such as 2026-12-25")


_LANGUAGE = matching(LANGUAGE, "a language such as en, es or es-MX")


_SENTENCES = Rule(
    "a table of sentences by their shipped names, each with no other {placeholders} than the shipped one has"
    " (days: seven names, months: twelve)",
    lambda table: not wrong_placeholders(table.items()),
)


@frozen(kw_only=True)
class CompanyConfig(Section):
    """[company]: the company that the shipped modes speak for."""

    language: str = setting("en", _LANGUAGE, private=True)
    """Language of the shipped modes, of Twilio's texts and of the recordings: en, es, fr, de or pt, also with
    a country (es-MX); or a language of yours, with its texts in `language_folder`."""
    language_folder: str = setting("", private=True, advanced=True)
    """Folder with `sentences.toml` and recordings, which override the shipped ones; "": none."""
    sentences: dict[str, Any] = setting({}, _SENTENCES, private=True, advanced=True)
    """Single sentences that override those of the language: {greeting = "{wish}, {company}!"}."""
    name: str = setting(ENGLISH["company.name"], NOT_EMPTY, private=True)
    """As it is spoken on the telephone; COMPANY_NAME of llc-phone 3."""
    assistant: str = setting("Avery", NOT_EMPTY, private=True)
    """Name of the agent; ASSISTANT_NAME of llc-phone 3."""
    about: str = setting("", private=True)
    """What the agent may say about the company: its business, address, prices; "": nothing.
    BUSINESS_DESCRIPTOR of llc-phone 3."""
    greeting: str = setting("", private=True)
    """First sentence, word for word; "": a greeting by the time of day. INBOUND_GREETING of llc-phone 3."""
    time_zone: str = setting("UTC", NOT_EMPTY, private=True)
    """Time zone of the company, such as Europe/Madrid; BUSINESS_TIMEZONE of llc-phone 3."""
    hours: str = setting("", _HOURS, private=True)
    """Opening hours: "mon-fri 09:00-17:00, sat 10:00-14:00"; "": always open."""
    closed: tuple[str, ...] = setting((), _DATES, private=True)
    """Days on which the company is closed, such as 2026-12-25."""
    desk_hours: dict[str, Any] = setting({}, _DESK_HOURS, private=True, advanced=True)
    """Opening hours of single destinations of `transfers.destinations`, if they differ."""
    escalate_to: str = setting("", private=True)
    """Destination for callers who want a person; "": the first destination."""
    trust_caller_id: bool = setting(False, private=True, advanced=True)
    """Whether a number identifies the caller even if no carrier attests it. The default is off because
    caller IDs can be forged."""

    def sentence(self, name: str) -> str:
        """A sentence that is no setting of its own, in the language.

        Raises:
            ConfigError: the language does not ship, and has no such sentence.
        """
        return sentence(self.language, self.sentences, name)
