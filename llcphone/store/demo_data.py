"""A small business to try things on: invented people, opening hours, appointments.

The numbers are of the range 555-01xx, which belongs to no one.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from llcphone.runtime.time_zones import zone_of
from llcphone.store import appointments, calendars

if TYPE_CHECKING:
    from sqlalchemy import Connection

HOURS = {
    **{day: [("09:00", "12:30"), ("13:30", "18:00")] for day in range(5)},
    5: [("10:00", "14:00")],
}
PEOPLE = (
    ("Ada Brook", "+12025550101", "ada@example.com", "prefers mornings"),
    ("Ben Castle", "+12025550102", "ben@example.com", ""),
    ("Cleo Dunn", "+12025550103", "", "hard of hearing: speak slowly"),
    ("Dan Ellis", "+12025550104", "dan@example.com", "always late"),
)
_APPOINTMENTS = (  # whose, in how many open days, at which hour and minute, how long, for what
    (0, 1, 9, 0, 30, "check-up"),
    (1, 1, 10, 30, 60, "consultation"),
    (2, 2, 14, 0, 45, "fitting"),
    (0, 5, 11, 15, 30, "follow-up"),
)


def fill(db: Connection, now: float, *, timezone: str = "UTC") -> None:
    """Put the business into empty tables."""
    calendars.set_hours(db, "main", timezone, HOURS)
    people = [appointments.add_customer(db, *each) for each in PEOPLE]
    today = datetime.datetime.fromtimestamp(now, zone_of(timezone, "timezone"))
    days = [today.date() + datetime.timedelta(days=ahead) for ahead in range(1, 15)]
    working = [day for day in days if day.weekday() < 5]
    for whose, ahead, hour, minute, length, what in _APPOINTMENTS:
        starts_at = datetime.datetime.combine(working[ahead - 1], datetime.time(hour, minute))
        appointments.book(db, appointments.AppointmentRequest(people[whose].id, starts_at, length, what), now)
