"""May this call be placed? Toll fraud and mistakes are refused here, before any request to Twilio.

An attacker with access to an outbound API dials premium numbers, or makes short calls to distant countries
that share the profit, as fast as possible. A faulty program may call one person all night. So a number must
exist, be of a kind with an ordinary price, and lie in an allowed country; by default this is only the country
of the caller ID (+1 is twenty-five countries: Jamaica is not the United States). There are limits per number,
per minute, per day and for calls at the same time. Quiet hours and the do-not-call list protect the person
who is called.

Each limit is a sliding window: it applies to *any* minute and *any* 24 hours, not to those of a calendar, and
it stores at most as many calls as it allows. This module is pure: it gets times as ``now_ms``, clocks of
other places as a function, and the list as a set of numbers. Limits use a monotonic clock, so a change of the
system's time does not affect them. The texts of refusals stand in one table, so none contains a number.

Call ``check`` and ``placed`` in one step, without an ``await`` between them. Otherwise a second call could
pass with the same free place.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import attrs
import phonenumbers
from phonenumbers import PhoneNumberType

from llcphone.dial_guard.quiet_hours import DAY_MS, OffsetS, QuietHours
from llcphone.errors import ConfigError, DialRefused
from llcphone.validation.bounded_dict import BoundedDict
from llcphone.validation.e164 import canonical, country_of, is_possible, parsed
from llcphone.validation.phone_numbers import E164, STAND_INS, identity, respelt

if TYPE_CHECKING:
    from collections.abc import Container

    from phonenumbers import PhoneNumber

    from llcphone.config import Config

WHY = {
    "caller_id_not_ours": "the caller ID is not our number (outbound.caller_ids, twilio.phone_number)",
    "not_e164": "the number is not written as E.164: +, country code and number, digits only",
    "impossible_number": "no telephone has such a number: its length or its range does not exist",
    "own_number": "the number is one of our own: two of our agents would talk to each other",
    "premium": "the number is premium-rate, and llcphone never dials those",
    "shared_cost": "the number is shared-cost, and llcphone never dials those",
    "unreachable_type": "numbers of this kind are not dialled (outbound.refuse_types)",
    "country_not_allowed": "the country is not allowed (outbound.allow_countries, outbound.allow_prefixes)",
    "do_not_call": "the number is on the do-not-call list",
    "do_not_call_unreadable": "the do-not-call list cannot be read (outbound.do_not_call_file)",
    "no_time_zones": "this machine has no table of time zones, so quiet hours cannot be kept",
    "quiet_hours": "quiet hours apply now where the number is (outbound.quiet_hours)",
    "too_many_now": "the limit of calls at the same time is reached (outbound.max_concurrent)",
    "too_many_on_all_nodes": "the limit of calls at the same time on all nodes is reached (shared.max_calls)",
    "daily_limit": "the limit of calls in 24 hours is reached (outbound.max_per_day)",
    "rate_global": "the limit of calls per minute is reached (outbound.calls_per_minute)",
    "rate_number": "the number was called recently (outbound.per_number_min_gap_s, per_number_per_day)",
}
"""Code of a refusal to its text. The codes are stable: programs read them."""

WHY_NO_TEXT = {
    "sms_call": "the limit of text messages in this call is reached (outbound.sms_per_call)",
    "sms_number": "the limit of text messages to the number is reached (outbound.sms_per_number_per_day)",
    "sms_daily": "the limit of text messages in 24 hours is reached (outbound.sms_per_day)",
}
"""The same of text messages, beside what refuses a call."""

_FIXES = {
    "caller_id_not_ours": "leave caller_id out, or add the number to outbound.caller_ids",
    "not_e164": "write +, the country code and the number, digits only",
    "impossible_number": "check the number; outbound.allow_prefixes admits ranges too new to be known",
    "own_number": "call a number that is not one of your own",
    "premium": "call another number",
    "shared_cost": "call another number",
    "unreachable_type": "call another number, or change outbound.refuse_types",
    "country_not_allowed": "add the country to outbound.allow_countries if it may be called",
    "do_not_call": "do not call this number",
    "do_not_call_unreadable": "correct the file; no calls are placed until then",
    "no_time_zones": "install tzdata on the server, or empty outbound.quiet_hours",
    "quiet_hours": "try again when the quiet hours there are over",
    "too_many_now": "try again when a call has ended",
    "too_many_on_all_nodes": "try again when a call has ended",
    "daily_limit": "try again after Retry-After, or raise outbound.max_per_day",
    "rate_global": "try again after Retry-After, or raise outbound.calls_per_minute",
    "rate_number": "try again after Retry-After",
    "sms_call": "send no more in this call, or raise outbound.sms_per_call",
    "sms_number": "try again tomorrow, or raise outbound.sms_per_number_per_day",
    "sms_daily": "try again tomorrow, or raise outbound.sms_per_day",
}

_E164 = re.compile(E164)
_NEVER_DIALLED = {PhoneNumberType.PREMIUM_RATE: "premium", PhoneNumberType.SHARED_COST: "shared_cost"}


@attrs.frozen
class DialRequest:
    """A call that is to be placed; both numbers are E.164."""

    to: str = attrs.field(repr=False, converter=respelt)
    from_: str = attrs.field(repr=False)


def refused(code: str, wait_ms: int | None = None) -> DialRefused:
    """Why a call or a text message is not sent: the refusal of this code."""
    why = (WHY | WHY_NO_TEXT)[code]
    return DialRefused(code, why, _FIXES[code], None if wait_ms is None else math.ceil(wait_ms / 1000))


class Window:
    """At most ``limit`` times in any ``span_ms``; remembers the last ``limit`` of them."""

    def __init__(self, limit: int, span_ms: int) -> None:
        self._span_ms = span_ms
        self._at_ms: deque[int] = deque(maxlen=limit)

    def wait_ms(self, now_ms: int) -> int:
        """How long until once more is allowed; 0 is now."""
        if len(self._at_ms) < (self._at_ms.maxlen or 0):
            return 0
        return max(0, self._at_ms[0] + self._span_ms - now_ms)

    def count(self, now_ms: int) -> None:
        """It happened once more."""
        self._at_ms.append(now_ms)


class DialGuard:
    """Judges every call before it is placed, and remembers those that were.

    Attributes:
        own_numbers: the numbers we may call from, the usual one first.
        do_not_call: E.164 numbers that are never called; None refuses every call, and is what it
            begins with when ``outbound.do_not_call_file`` is set: `phone.do_not_call` reads the file.
    """

    def __init__(self, config: Config, offset_s: OffsetS) -> None:
        """Take the settings, and the clocks of other places (`phone.do_not_call.offset_s`).

        Raises:
            ConfigError: ``outbound.allow_countries`` names what is no country.
        """
        rules = config.outbound
        if not set(rules.allow_countries) <= phonenumbers.SUPPORTED_REGIONS:
            raise ConfigError(
                "outbound.allow_countries",
                "has an unknown country code",
                "use ISO codes of two letters (that of the UK is GB)",
            )
        self.own_numbers = config.own_numbers
        self.do_not_call: Container[str] | None = None if rules.do_not_call_file else ()
        self._rules = rules
        self._home = {number: country_of(number) for number in self.own_numbers}
        known = (*self.own_numbers, config.twilio.phone_number, *config.routes.table)
        self._ours = frozenset(identity(number) for number in known if number)
        self._refused_kinds = {getattr(PhoneNumberType, kind.upper()) for kind in rules.refuse_types}
        self._quiet = QuietHours(rules.quiet_hours, offset_s) if rules.quiet_hours else None
        self._live: dict[str, float] = {}
        """Calls, and until when each can last at most."""
        self._minute = Window(rules.calls_per_minute, 60_000)
        self._day = Window(rules.max_per_day, DAY_MS)
        self._called: OrderedDict[str, tuple[int, list[Window]]] = OrderedDict()
        """Number to its last call and its windows, the longest ago first."""
        self._texts = Window(rules.sms_per_day, DAY_MS)
        self._texted: BoundedDict[str, Window] = BoundedDict(rules.sms_per_day)  # each counts there too

    @property
    def usual_caller_id(self) -> str:
        """Of ours, what a callee sees if nothing else is asked for; empty: we have no number."""
        return next(iter(self.own_numbers), "")

    def check(self, request: DialRequest, now_ms: int, unix_ms: int | None = None) -> None:
        """Return if the call may be placed now; it changes nothing.

        Args:
            request: the call.
            now_ms: of a monotonic clock.
            unix_ms: Unix time, for quiet hours; None: ``now_ms`` is that.

        Raises:
            DialRefused: it may not; the code is a key of `WHY`.
        """
        if request.from_ not in self.own_numbers:
            raise refused("caller_id_not_ours")
        number = self._check_destination(request.to, self._home[request.from_])
        self._check_list(request.to)
        unix_ms = now_ms if unix_ms is None else unix_ms
        if self._quiet and not self._quiet.knows(number, unix_ms):
            raise refused("no_time_zones")
        if self._quiet and (wait_ms := self._quiet.wait_ms(number, unix_ms)) != 0:
            raise refused("quiet_hours", wait_ms)
        self._check_limits(request, now_ms)

    def placed(self, call_id: str, request: DialRequest, now_ms: int) -> None:
        """A call was placed; it counts until `ended`, and in every window, whatever becomes of it.

        After a restart the calls of the last day may be reported again, the oldest first.
        """
        self._live[call_id] = math.inf
        self._minute.count(now_ms)
        self._day.count(now_ms)
        who = identity(request.to)
        _, windows = self._called.pop(who, (0, self._new_windows()))
        for window in windows:
            window.count(now_ms)
        self._called[who] = now_ms, windows
        self._live = {each: until_ms for each, until_ms in self._live.items() if now_ms < until_ms}
        self._forget(now_ms)

    def ended(self, call_id: str) -> None:
        """The call is over, or was never taken; telling it twice does no harm."""
        self._live.pop(call_id, None)

    def goes_on(self, call_id: str, until_ms: int) -> None:
        """A telephone call of ours outlives the run that placed it: it counts by this id, until ``ended``."""
        self._live.setdefault(call_id, until_ms)

    # -- text messages --------------------------------------------------------------------------

    def check_text(self, to: str, from_: str, sent: int, now_ms: int) -> None:
        """Return if a text message may be sent to who is on the line; it changes nothing.

        A caller ID can be forged, so ``to`` is checked as a number to dial is. ``sent`` counts this call's.

        Raises:
            DialRefused: it may not.
        """
        self._check_destination(to, country_of(from_))
        self._check_list(to)
        if sent >= self._rules.sms_per_call:
            raise refused("sms_call")
        of_number = self._texted.get(identity(to))
        for code, window in (("sms_number", of_number), ("sms_daily", self._texts)):
            if window is not None and (wait_ms := window.wait_ms(now_ms)):
                raise refused(code, wait_ms)

    def texted(self, to: str, now_ms: int) -> None:
        """A text message was sent, or may have been."""
        who = identity(to)
        window = self._texted.get(who) or Window(self._rules.sms_per_number_per_day, DAY_MS)
        window.count(now_ms)
        self._texts.count(now_ms)
        self._texted[who] = window

    # -- rules that time does not change --------------------------------------------------------

    def _check_list(self, to: str) -> None:
        if self.do_not_call is None:
            raise refused("do_not_call_unreadable")
        if to in self.do_not_call or identity(to) in self.do_not_call:
            raise refused("do_not_call")

    def _check_destination(self, to: str, home: str | None) -> PhoneNumber:
        if not _E164.fullmatch(to):
            raise refused("not_e164")
        to = respelt(to)
        number = parsed(to, None)
        if number is None or not is_possible(number) or to in STAND_INS:
            raise refused("impossible_number")
        if canonical(number) != to:  # +49 0 30 … reaches +49 30 … past its limits and the list
            raise refused("not_e164")
        if identity(to) in self._ours:
            raise refused("own_number")
        named = to.startswith(self._rules.allow_prefixes)
        kind = phonenumbers.number_type(number)
        if kind in _NEVER_DIALLED:
            raise refused(_NEVER_DIALLED[kind])
        if kind == PhoneNumberType.UNKNOWN and not named:
            raise refused("impossible_number")
        if kind in self._refused_kinds:
            raise refused("unreachable_type")
        if not named and not self._is_allowed_country(phonenumbers.region_code_for_number(number), home):
            raise refused("country_not_allowed")
        return number

    def _is_allowed_country(self, country: str | None, home: str | None) -> bool:
        if self._rules.allow_countries or self._rules.allow_prefixes:
            return country in self._rules.allow_countries
        return country is not None and country == home

    def _check_limits(self, request: DialRequest, now_ms: int) -> None:
        if sum(now_ms < until_ms for until_ms in self._live.values()) >= self._rules.max_concurrent:
            raise refused("too_many_now")
        _, of_number = self._called.get(identity(request.to), (0, []))
        windows = {"daily_limit": [self._day], "rate_global": [self._minute], "rate_number": of_number}
        for code, each in windows.items():
            if wait_ms := max((window.wait_ms(now_ms) for window in each), default=0):
                raise refused(code, wait_ms)

    def _new_windows(self) -> list[Window]:
        gap_ms = math.ceil(self._rules.per_number_min_gap_s * 1000)
        return [Window(1, gap_ms), Window(self._rules.per_number_per_day, DAY_MS)]

    def _forget(self, now_ms: int) -> None:
        """Drop numbers that no window holds any more, so memory is bounded by the calls of one day."""
        while self._called and next(iter(self._called.values()))[0] <= now_ms - DAY_MS:
            self._called.popitem(last=False)
