"""Hours in which no calls are placed, by the clock of the person who is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers.timezone import time_zones_for_geographical_number

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

DAY_MS = 86_400_000

OffsetS = Callable[[str, int], int | None]
"""(IANA zone, Unix seconds) to the seconds its clock is ahead of UTC then; the zone "" is the server's own.
None: this machine does not know the zone."""

_PLACELESS = {PhoneNumberType.TOLL_FREE, PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.UAN}
"""Numbers without a place: the person may be in any time zone of the country."""


class QuietHours:
    """Hours of the local clock in which no number is called."""

    def __init__(self, hours: str, offset_s: OffsetS) -> None:
        self._offset_s = offset_s
        minutes = [int(hhmm[:2]) * 60 + int(hhmm[3:]) for hhmm in hours.split("-")]
        self._begin_ms = minutes[0] * 60_000
        self._length_ms = (minutes[1] - minutes[0]) * 60_000 % DAY_MS

    def knows(self, number: PhoneNumber, now_ms: int) -> bool:
        """Whether this machine knows what time it is there; else their night would be guessed."""
        return bool(self._known_zones(number, now_ms))

    def wait_ms(self, number: PhoneNumber, now_ms: int) -> int | None:
        """How long until the callee may be called; 0 is now, None is never.

        A number that may be in several zones is called when it is quiet in none of them.
        """
        known = self._known_zones(number, now_ms)
        at_ms = now_ms
        while at_ms < now_ms + 2 * DAY_MS:
            # the shift of summer time falls into the wait at times, so every arrival is judged again
            left_ms = max((self._left_ms(zone, at_ms) for zone in known), default=0)
            if left_ms == 0:
                return at_ms - now_ms
            at_ms += left_ms
        return None

    def _known_zones(self, number: PhoneNumber, now_ms: int) -> list[str]:
        zones = _zones_of(number) or [""]
        return [zone for zone in zones if self._offset_s(zone, now_ms // 1000) is not None]

    def _left_ms(self, zone: str, at_ms: int) -> int:
        clock_ms = at_ms + (self._offset_s(zone, at_ms // 1000) or 0) * 1000
        since_begin_ms = (clock_ms - self._begin_ms) % DAY_MS
        return max(0, self._length_ms - since_begin_ms)


def _zones_of(number: PhoneNumber) -> list[str]:
    """Zones in which the number may be; none if they are unknown."""
    # time_zones_for_number would give a whole continent for many mobiles
    zones = [zone for zone in time_zones_for_geographical_number(number) if zone != "Etc/Unknown"]
    placeless = len(zones) > 1 and phonenumbers.number_type(number) in _PLACELESS
    return [] if placeless else zones
