"""When somebody is there: opening hours of the company and of single desks, holidays, and how times are said.

Hours are local to the company: a span is compared with the wall clock there, so a change to summer time
moves nothing.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from llcphone.config.company import read_hours

if TYPE_CHECKING:
    from llcphone.config import Config

_LOOK_AHEAD_DAYS = 31


def is_open(config: Config, now: datetime.datetime, desk: str = "") -> bool:
    """Whether somebody is at that desk (or anywhere) at this local time."""
    return closes_at(config, now, desk) is not None


def closes_at(config: Config, now: datetime.datetime, desk: str = "") -> datetime.datetime | None:
    """When that desk (or the company) closes; None: it is closed now."""
    minute = now.hour * 60 + now.minute
    for begins, ends in _spans(config, now.date(), desk):
        if begins <= minute < ends:
            return _at(now, now.date(), ends)
    return None


def opens_at(config: Config, now: datetime.datetime, desk: str = "") -> datetime.datetime | None:
    """When somebody will be there next, after now; None: not for a month."""
    minute = now.hour * 60 + now.minute
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = now.date() + datetime.timedelta(days=ahead)
        for begins, _ in _spans(config, day, desk):
            if ahead or begins > minute:
                return _at(now, day, begins)
    return None


def _spans(config: Config, day: datetime.date, desk: str) -> list[tuple[int, int]]:
    company = config.company
    if day.isoformat() in company.closed:
        return []
    hours = read_hours(company.desk_hours.get(desk, company.hours))
    return hours.get(day.weekday(), []) if hours else [(0, 24 * 60)]


def _at(now: datetime.datetime, day: datetime.date, minute: int) -> datetime.datetime:
    midnight = datetime.datetime.combine(day, datetime.time(), tzinfo=now.tzinfo)
    return midnight + datetime.timedelta(minutes=minute)  # aware, in one zone: local arithmetic


def wish(config: Config, now: datetime.datetime) -> str:
    """What one wishes a caller at this hour: ``Good morning``."""
    if 5 <= now.hour < 12:
        return config.company.sentence("morning")
    return config.company.sentence("afternoon" if 12 <= now.hour < 18 else "evening")


def say(config: Config, when: datetime.datetime) -> str:
    """A time as it is read out: ``Friday 27 November, 14:30``."""
    days, months = (config.company.sentence(name).split(", ") for name in ("days", "months"))
    return config.company.sentence("when").format(
        day=days[when.weekday()], date=when.day, month=months[when.month - 1], time=f"{when:%H:%M}"
    )
