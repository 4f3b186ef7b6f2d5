"""Settings of the calls we place and of the API that asks for them: [outbound], [api].

What may be dialled is judged by `llcphone.dial_guard.guard`. The policy of one deployment (where it may
call, when, whom never, under which number) is private: a snapshot tunes a call, and restoring
somebody else's must not open a country or switch a do-not-call list off.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from llcphone.config.fields import Rule, Section, between, listing, matching, setting
from llcphone.errors import ConfigError
from llcphone.validation.phone_numbers import E164

REFUSABLE_TYPES = (
    "fixed_line",
    "mobile",
    "fixed_line_or_mobile",
    "toll_free",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
"""The kinds of number that phonenumbers tells apart, but for premium and shared cost."""

_HH_MM = "([01][0-9]|2[0-3]):[0-5][0-9]"


def _is_quiet_hours(text: str) -> bool:
    hours = re.fullmatch(f"({_HH_MM})-({_HH_MM})", text)
    return not text or (hours is not None and hours[1] != hours[3])


_QUIET_HOURS = Rule('hours of the clock such as "21:00-08:00", or "" for none', _is_quiet_hours)
_COUNTRIES = listing("[A-Z]{2}", "a list of ISO country codes such as GB")
_PREFIXES = listing(r"\+[1-9][0-9]{0,14}", "a list of +<country><first digits>")
_NUMBERS = listing(E164, "a list of +<country><number>, digits only")
_TYPES = listing("|".join(REFUSABLE_TYPES), f"a list of some of {', '.join(REFUSABLE_TYPES)}")
_API_KEY = matching(r"([\x21-\x7e]{16,})?", "at least 16 printable ASCII characters without spaces")


@frozen(kw_only=True)
class OutboundConfig(Section):
    """[outbound]: whom we may call, how often, and what happens when nobody human answers."""

    allow_countries: tuple[str, ...] = setting((), _COUNTRIES, private=True)
    """Countries that may be dialled; this and allow_prefixes both empty: the caller ID's own country."""
    allow_prefixes: tuple[str, ...] = setting((), _PREFIXES, private=True)
    """Beginnings of numbers that may be dialled too, even in ranges that phonenumbers does not know yet."""
    refuse_types: tuple[str, ...] = setting(("personal_number", "pager", "voicemail"), _TYPES)
    """Kinds of number that are not dialled, besides premium and shared cost, which never are."""
    max_concurrent: int = setting(10, between(1, 10_000))
    """Calls of ours at once; Twilio's individual profile allows 10."""
    max_per_day: int = setting(200, between(1, 100_000))
    """Calls in any 24 hours."""
    per_number_per_day: int = setting(3, between(1, 1_000))
    """Calls to one number in any 24 hours."""
    per_number_min_gap_s: float = setting(60.0, between(0.0, 86_400.0))
    """From one call to a number to the next to the same."""
    calls_per_minute: int = setting(30, between(1, 10_000))
    """Calls in any minute."""
    sms_per_call: int = setting(3, between(0, 100))
    """Text messages to who is on the line, in one call; 0 none."""
    sms_per_number_per_day: int = setting(5, between(1, 1_000))
    """Text messages to one number in any 24 hours; a caller's number can be forged to annoy its owner."""
    sms_per_day: int = setting(500, between(1, 100_000))
    """Text messages to callers in any 24 hours; those to destinations of [transfers] do not count."""
    calls_per_second: float = setting(1.0, between(0.01, 1_000.0))
    """Pace of dialling: an account has 1 per second, and Twilio queues what comes faster, unseen by us."""
    quiet_hours: str = setting("", _QUIET_HOURS, private=True)
    """Nobody is called in these hours of their own time zone (else the server's): "21:00-08:00"."""
    do_not_call_file: str = setting("", private=True)
    """File of numbers never to call, one a line, # for comments; unreadable, nobody is called."""
    caller_ids: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Our own numbers, the only ones we call from; the first is used. Empty: twilio.phone_number alone."""
    ring_timeout_s: int = setting(30, between(5, 600))
    """How long it may ring; Twilio may add 5 s."""
    dial: Literal["after_ready", "at_once"] = setting("after_ready")
    """Whether the phone rings when the model is ready, or both are begun at once."""
    speak_first_after_s: float = setting(0.0, between(0.0, 60.0))
    """When the agent listens first: it speaks after so much silence of the callee; 0 never."""
    amd: Literal["async", "sync", "off"] = setting("async")
    """Twilio's machine detection; sync keeps the callee in silence for about 4 s."""
    machine: Literal["hang_up", "leave_message", "go_on"] = setting("hang_up")
    """What is done when a machine answers."""
    machine_message_file: str = setting("")
    """8 kHz µ-law WAV file left as the message; "" lets the agent speak it."""
    amd_timeout_s: int = setting(30, between(3, 59))
    """How long Twilio may listen before its verdict is unknown, which counts as human."""
    no_callback_limit_s: float = setting(90.0, between(1.0, 900.0))
    """A dialled call of which Twilio never says a word is over after this; ringing counts."""

    def check_together(self) -> None:
        """A phone that is still allowed to ring may not be given up for silence."""
        if self.no_callback_limit_s <= self.ring_timeout_s:
            raise ConfigError("outbound.no_callback_limit_s", "must be longer than outbound.ring_timeout_s")


@frozen(kw_only=True)
class ApiConfig(Section):
    """[api]: the HTTP API of `llcphone serve` that places calls."""

    key: str = setting("", _API_KEY, secret=True)
    """Who knows it may spend our money on calls; "" keeps the API off."""
    events: bool = setting(True)
    """Whether the API also tells what happens in a call while it lasts."""
