"""Settings of [outbound]: the calls that llcphone places.

What may be dialled is judged by `llcphone.dial_guard.guard`. The policy of one deployment (where it may
call, when, whom never, under which number) is private: a snapshot tunes a call, and restoring
one of another deployment must not open a country or switch a do-not-call list off.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from llcphone.config.fields import Rule, Section, between, listing, setting
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


@frozen(kw_only=True)
class OutboundConfig(Section):
    """[outbound]: which numbers may be called, how often, and what happens when a machine answers."""

    allow_countries: tuple[str, ...] = setting((), _COUNTRIES, private=True)
    """Countries that may be dialled. If this and `allow_prefixes` are empty: the caller ID's own country."""
    allow_prefixes: tuple[str, ...] = setting((), _PREFIXES, private=True)
    """Beginnings of further numbers that may be dialled, even in ranges that phonenumbers does not know."""
    refuse_types: tuple[str, ...] = setting(("personal_number", "pager", "voicemail"), _TYPES, advanced=True)
    """Kinds of number that are not dialled. Premium and shared-cost numbers are never dialled."""
    max_concurrent: int = setting(10, between(1, 10_000))
    """Most outbound calls at the same time. The default is the limit of Twilio's individual profile."""
    max_per_day: int = setting(200, between(1, 100_000))
    """Most outbound calls in any 24 hours."""
    per_number_per_day: int = setting(3, between(1, 1_000))
    """Most calls to one number in any 24 hours."""
    per_number_min_gap_s: float = setting(60.0, between(0.0, 86_400.0), advanced=True)
    """Shortest time between two calls to the same number; 0: none."""
    calls_per_minute: int = setting(30, between(1, 10_000))
    """Most outbound calls in any minute. The API accepts twice as many requests, rejected ones included."""
    sms_per_call: int = setting(3, between(0, 100), advanced=True)
    """Most text messages to the caller in one call; 0: none."""
    sms_per_number_per_day: int = setting(5, between(1, 1_000), advanced=True)
    """Most text messages to one number in any 24 hours. The default is low because a forged caller ID could
    be used to annoy its owner."""
    sms_per_day: int = setting(500, between(1, 100_000), advanced=True)
    """Most text messages to callers in any 24 hours; those to destinations of [transfers] do not count."""
    calls_per_second: float = setting(1.0, between(0.01, 1_000.0), advanced=True)
    """Pace of dialling. The default is Twilio's limit for an account; Twilio queues faster requests."""
    quiet_hours: str = setting("", _QUIET_HOURS, private=True)
    """Hours in which no number is called, in the number's time zone (else the server's): "21:00-08:00".
    "": none."""
    do_not_call_file: str = setting("", private=True)
    """File of numbers that are never called, one per line, # for comments; "": none. If it cannot be read,
    no number is called."""
    caller_ids: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Numbers of ours that calls may come from; the first is the default. Empty: only
    `twilio.phone_number`."""
    ring_timeout_s: int = setting(30, between(5, 600))
    """How long the phone rings; Twilio may add 5 s."""
    dial: Literal["after_ready", "at_once"] = setting("after_ready", advanced=True)
    """Whether Twilio dials once the model is ready, or at once. The default avoids a callee who waits."""
    speak_first_after_s: float = setting(0.0, between(0.0, 60.0), advanced=True)
    """If the agent listens first: the callee's silence after which the agent speaks first; 0: never."""
    amd: Literal["async", "sync", "off"] = setting("async", advanced=True)
    """Twilio's answering machine detection. The default is async because with sync the callee hears about
    4 s of silence."""
    machine: Literal["hang_up", "leave_message", "go_on"] = setting("hang_up")
    """What happens when a machine answers."""
    machine_message_file: str = setting("", advanced=True)
    """8 kHz µ-law WAV file that is left as the message; "": the agent speaks it."""
    amd_timeout_s: int = setting(30, between(3, 59), advanced=True)
    """Longest time of Twilio's detection; then the result is unknown, which counts as a person."""
    no_callback_limit_s: float = setting(90.0, between(1.0, 900.0), advanced=True)
    """A call ends if Twilio reports nothing about it for this long after dialling. It must be longer than
    `ring_timeout_s`."""

    def check_together(self) -> None:
        """A phone that may still ring must not be given up."""
        if self.no_callback_limit_s <= self.ring_timeout_s:
            raise ConfigError(
                "outbound.no_callback_limit_s", "is not longer than outbound.ring_timeout_s", "raise it"
            )
