"""Calendars: their time zone and their opening hours; statements on a connection, run in a thread.

A calendar's time zone says which hour of which day a Unix second is.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import Connection, and_, delete, insert, select, update

from llcphone.errors import BookingRefused, ConfigError
from llcphone.runtime.time_zones import zone_of
from llcphone.store.tables import CALENDARS, HOURS
from llcphone.store.values import fitted, fitted_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Busy = tuple[int, int]
"""A span that is not free, in Unix seconds."""

DAY_MIN = 24 * 60
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""Every time zone can say these, and appointments are Unix seconds."""


@attrs.frozen
class Calendar:
    """A calendar, as its row has it."""

    id: int
    name: str
    timezone: str

    @property
    def zone(self) -> datetime.tzinfo:
        return zone_of(self.timezone, "timezone")

    def aware(self, when: datetime.datetime) -> datetime.datetime:
        """A naive time is one of this calendar's own."""
        return when.replace(tzinfo=self.zone) if when.tzinfo is None else when.astimezone(self.zone)

    def seconds(self, when: datetime.datetime) -> int:
        """The same as Unix time; a time that no calendar has is refused."""
        if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
            raise BookingRefused("invalid", "there is no such time")
        return int(self.aware(when).timestamp())


def calendar_named(db: Connection, name: str) -> Calendar:
    """The calendar of this name.

    Raises:
        BookingRefused: there is none.
    """
    which = CALENDARS.c.name == fitted(CALENDARS.c.name, name)
    row = db.execute(select(CALENDARS).where(which)).mappings().first()
    if row is None:
        raise BookingRefused("unknown", "there is no such calendar")
    return Calendar(**row)


def set_hours(
    db: Connection, calendar: str, timezone: str, hours: Mapping[int, Sequence[tuple[str, str]]]
) -> None:
    """Make the calendar if there is none of this name, and its hours new.

    Raises:
        ConfigError: the hours are none, or the time zone is unknown.
    """
    zone_of(timezone, "timezone")
    values = fitted_row(CALENDARS, {"name": calendar, "timezone": timezone})
    which = CALENDARS.c.name == values["name"]
    if db.execute(update(CALENDARS).where(which).values(timezone=timezone)).rowcount == 0:
        db.execute(insert(CALENDARS).values(values))
    id_ = db.execute(select(CALENDARS.c.id).where(which)).scalar_one()
    db.execute(delete(HOURS).where(HOURS.c.calendar == id_))
    rows = [
        {"calendar": id_, "weekday": day, "opens_min": _minutes(opens), "closes_min": _minutes(closes)}
        for day, spans in hours.items()
        for opens, closes in spans
    ]
    for row in rows:
        if not (0 <= row["weekday"] <= 6 and 0 <= row["opens_min"] < row["closes_min"] <= DAY_MIN):
            raise ConfigError(
                "hours",
                "have a span that is not within one day",
                "write day 0 (Monday) to 6 with spans such as 09:00 to 12:30",
            )
    if len({(row["weekday"], row["opens_min"]) for row in rows}) < len(rows):
        raise ConfigError(
            "hours", "have two spans of one day that begin at the same time", "merge them into one"
        )
    if rows:
        db.execute(insert(HOURS), rows)


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    try:
        return int(hour) * 60 + int(minute)
    except ValueError:
        raise ConfigError("hours", "have a time that cannot be read", "write times as 09:00") from None


def open_spans(db: Connection, calendar: Calendar, day: datetime.date) -> list[Busy]:
    """When it may be booked on this day."""
    which = and_(HOURS.c.calendar == calendar.id, HOURS.c.weekday == day.weekday())
    rows = db.execute(select(HOURS.c.opens_min, HOURS.c.closes_min).where(which).order_by(HOURS.c.opens_min))
    return [(clock_at(calendar, day, row.opens_min), clock_at(calendar, day, row.closes_min)) for row in rows]


def clock_at(calendar: Calendar, day: datetime.date, minutes: int) -> int:
    """The second at which the calendar's clock shows this; 24:00 is the next day's midnight."""
    days, rest = divmod(minutes, DAY_MIN)
    if day.year > _LAST_YEAR:
        raise BookingRefused("invalid", "there is no such day")
    time = datetime.time(rest // 60, rest % 60)
    return calendar.seconds(datetime.datetime.combine(day + datetime.timedelta(days=days), time))


def day_of(db: Connection, day: datetime.date, calendar_name: str) -> tuple[int, int, datetime.tzinfo]:
    """From midnight to midnight by the calendar's clock, and its time zone."""
    calendar = calendar_named(db, calendar_name)
    return clock_at(calendar, day, 0), clock_at(calendar, day, DAY_MIN), calendar.zone
