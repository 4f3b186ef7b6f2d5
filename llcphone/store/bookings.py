"""Customers, calendars and appointments: statements on a connection, run in a thread.

Times in the tables are Unix seconds; a calendar's time zone says which hour of which day they are.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs
from sqlalchemy import Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from llcphone.errors import BookingRefused, ConfigError
from llcphone.store.shapes import Appointment, Customer, Slot
from llcphone.store.tables import APPOINTMENTS, CALENDARS, CUSTOMERS, HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Busy = tuple[int, int]
"""A span that is not free, in Unix seconds."""

_STEP_MIN = 15
"""Slots begin so far apart, or one duration if that is less."""
_MOST_SLOTS = 200


@attrs.frozen
class Wish:
    """An appointment that is wanted."""

    customer_id: int
    starts_at: datetime.datetime
    duration_min: int
    what: str = attrs.field(default="", repr=False)
    calendar: str = "main"
    key: str = ""


# -- customers ----------------------------------------------------------------------------------


def customer_by(db: Connection, *, id_: int | None = None, phone: str = "") -> Customer | None:
    """The customer with this id, or with this number."""
    which = CUSTOMERS.c.id == id_ if id_ is not None else CUSTOMERS.c.phone == phone
    row = db.execute(select(CUSTOMERS).where(which)).mappings().first()
    return None if row is None else Customer(**row)


def add_customer(db: Connection, name: str, phone: str, email: str, remarks: str) -> Customer:
    """A new customer, or the one that has this number."""
    if (known := customer_by(db, phone=phone)) is not None:
        return known
    values = {"name": name, "phone": phone, "email": email, "remarks": remarks}
    made = db.execute(insert(CUSTOMERS).values(values).returning(CUSTOMERS.c.id)).scalar_one()
    return Customer(id=made, **values)


# -- calendars ----------------------------------------------------------------------------------


@attrs.frozen
class _Calendar:
    id: int
    name: str
    timezone: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def aware(self, when: datetime.datetime) -> datetime.datetime:
        """A naive time is one of this calendar's own."""
        return when.replace(tzinfo=self.zone) if when.tzinfo is None else when.astimezone(self.zone)


def _calendar(db: Connection, name: str) -> _Calendar:
    row = db.execute(select(CALENDARS).where(CALENDARS.c.name == name)).mappings().first()
    if row is None:
        raise BookingRefused("unknown", "there is no such calendar")
    return _Calendar(**row)


def set_hours(
    db: Connection, calendar: str, timezone: str, hours: Mapping[int, Sequence[tuple[str, str]]]
) -> None:
    """Make the calendar if there is none of this name, and its hours new."""
    ZoneInfo(timezone)
    which = CALENDARS.c.name == calendar
    if db.execute(update(CALENDARS).where(which).values(timezone=timezone)).rowcount == 0:
        db.execute(insert(CALENDARS).values(name=calendar, timezone=timezone))
    id_ = db.execute(select(CALENDARS.c.id).where(which)).scalar_one()
    db.execute(delete(HOURS).where(HOURS.c.calendar == id_))
    rows = [
        {"calendar": id_, "weekday": day, "opens_min": _minutes(opens), "closes_min": _minutes(closes)}
        for day, spans in hours.items()
        for opens, closes in spans
    ]
    if rows:
        db.execute(insert(HOURS), rows)


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    try:
        return int(hour) * 60 + int(minute)
    except ValueError:
        raise ConfigError("hours", "are written as 09:00") from None


def _open_spans(db: Connection, calendar: _Calendar, day: datetime.date) -> list[Busy]:
    which = and_(HOURS.c.calendar == calendar.id, HOURS.c.weekday == day.weekday())
    rows = db.execute(select(HOURS.c.opens_min, HOURS.c.closes_min).where(which).order_by(HOURS.c.opens_min))
    return [(_at(calendar, day, row.opens_min), _at(calendar, day, row.closes_min)) for row in rows]


def _at(calendar: _Calendar, day: datetime.date, minutes: int) -> int:
    """The second at which the calendar's clock shows this; 24:00 is the next day's midnight."""
    days, rest = divmod(minutes, 24 * 60)
    clock = datetime.time(rest // 60, rest % 60, tzinfo=calendar.zone)
    return int(datetime.datetime.combine(day + datetime.timedelta(days=days), clock).timestamp())


def _taken(db: Connection, calendar: _Calendar, start: int, end: int) -> list[Busy]:
    table = APPOINTMENTS.c
    overlaps = and_(table.calendar == calendar.id, table.starts_at < end, table.ends_at > start)
    rows = db.execute(select(table.starts_at, table.ends_at).where(overlaps, ~table.cancelled))
    return [(row.starts_at, row.ends_at) for row in rows]


# -- appointments -------------------------------------------------------------------------------


def appointments_of(db: Connection, customer_id: int, now: float, *, all_: bool) -> list[Appointment]:
    """A customer's appointments, soonest first."""
    table = APPOINTMENTS.c
    query = _appointments().where(table.customer == customer_id).order_by(table.starts_at).limit(100)
    if not all_:
        query = query.where(~table.cancelled, table.ends_at > now)
    return [_appointment(row) for row in db.execute(query)]


def free_slots(
    db: Connection,
    day: datetime.date,
    duration_min: int,
    calendar_name: str,
    busy: Iterable[Busy],
    now: float,
) -> list[Slot]:
    """What is open, neither booked nor ``busy``, and not past."""
    calendar = _calendar(db, calendar_name)
    length, step = duration_min * 60, min(_STEP_MIN, duration_min) * 60
    slots: list[Slot] = []
    for opens, closes in _open_spans(db, calendar, day):
        taken = [*_taken(db, calendar, opens, closes), *busy]
        start = opens
        while start + length <= closes and len(slots) < _MOST_SLOTS:
            clash = max((e for s, e in taken if s < start + length and e > start), default=None)
            if clash is not None:
                start += max(1, -(-(clash - start) // step)) * step
                continue
            if start >= now:
                slots.append(Slot(_time(calendar.zone, start), _time(calendar.zone, start + length)))
            start += step
    return slots


def day_of(db: Connection, day: datetime.date, calendar_name: str) -> Busy:
    """From midnight to midnight, by the calendar's clock."""
    calendar = _calendar(db, calendar_name)
    return _at(calendar, day, 0), _at(calendar, day, 24 * 60)


def known_by_key(db: Connection, key: str) -> Appointment | None:
    """The appointment that was booked with this key."""
    if not key:
        return None
    row = db.execute(_appointments().where(APPOINTMENTS.c.key == key)).first()
    return None if row is None else _appointment(row)


def book(db: Connection, wish: Wish, now: float) -> Appointment:
    """Take a time; with a key that has one already, that one.

    Raises:
        BookingRefused: it cannot be had.
    """
    if (known := known_by_key(db, wish.key)) is not None:
        return known
    if customer_by(db, id_=wish.customer_id) is None:
        raise BookingRefused("unknown", "there is no such customer")
    calendar = _calendar(db, wish.calendar)
    start = int(calendar.aware(wish.starts_at).timestamp())
    end = start + wish.duration_min * 60
    _check_open(db, calendar, start, end, now)
    values = {
        "calendar": calendar.id,
        "customer": wish.customer_id,
        "starts_at": start,
        "ends_at": end,
        "what": wish.what,
        "cancelled": False,
        "key": wish.key or None,
        "changed_at": now,
    }
    made = _refusing(db, insert(APPOINTMENTS).values(values).returning(APPOINTMENTS.c.id)).scalar_one()
    return appointment(db, made)


def reschedule(db: Connection, id_: int, starts_at: datetime.datetime, now: float) -> Appointment:
    """Move an appointment with its length.

    Raises:
        BookingRefused: the time cannot be had, or the appointment is unknown or cancelled.
    """
    old = appointment(db, id_)
    if old.cancelled:
        raise BookingRefused("unknown", "this appointment was cancelled")
    calendar = _calendar(db, old.calendar)
    start = int(calendar.aware(starts_at).timestamp())
    end = start + int((old.ends_at - old.starts_at).total_seconds())
    _check_open(db, calendar, start, end, now)
    times = {"starts_at": start, "ends_at": end, "changed_at": now}
    _refusing(db, update(APPOINTMENTS).where(APPOINTMENTS.c.id == id_).values(times))
    return appointment(db, id_)


def cancel(db: Connection, id_: int, now: float) -> Appointment:
    """Give the time back."""
    appointment(db, id_)
    values = {"cancelled": True, "changed_at": now}
    db.execute(update(APPOINTMENTS).where(APPOINTMENTS.c.id == id_).values(values))
    return appointment(db, id_)


def remove(db: Connection, id_: int) -> None:
    """Forget an appointment that came to nothing."""
    db.execute(delete(APPOINTMENTS).where(APPOINTMENTS.c.id == id_))


def appointment(db: Connection, id_: int) -> Appointment:
    """The appointment with this id.

    Raises:
        BookingRefused: there is none.
    """
    row = db.execute(_appointments().where(APPOINTMENTS.c.id == id_)).first()
    if row is None:
        raise BookingRefused("unknown", "there is no such appointment")
    return _appointment(row)


def _check_open(db: Connection, calendar: _Calendar, start: int, end: int, now: float) -> None:
    if start < now:
        raise BookingRefused("past", "this time is past")
    day = _time(calendar.zone, start).date()
    if not any(opens <= start and end <= closes for opens, closes in _open_spans(db, calendar, day)):
        raise BookingRefused("closed", "this time is outside opening hours")


def _refusing(db: Connection, statement: Any) -> Any:
    """Let the database judge: no two appointments of a calendar overlap."""
    try:
        return db.execute(statement)
    except IntegrityError:
        raise BookingRefused("taken", "this time is taken") from None


def _appointments() -> Any:
    return select(APPOINTMENTS, CALENDARS.c.name, CALENDARS.c.timezone).join(
        CALENDARS, CALENDARS.c.id == APPOINTMENTS.c.calendar
    )


def _appointment(row: Row[Any]) -> Appointment:
    zone = ZoneInfo(row.timezone)
    return Appointment(
        id=row.id,
        customer_id=row.customer,
        starts_at=_time(zone, row.starts_at),
        ends_at=_time(zone, row.ends_at),
        what=row.what,
        calendar=row.name,
        cancelled=row.cancelled,
    )


def _time(zone: ZoneInfo, seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, zone)


def put_back(db: Connection, old: Appointment) -> None:
    """Make an appointment again what it was, because the change came to nothing."""
    values = {
        "starts_at": int(old.starts_at.timestamp()),
        "ends_at": int(old.ends_at.timestamp()),
        "cancelled": old.cancelled,
    }
    db.execute(update(APPOINTMENTS).where(APPOINTMENTS.c.id == old.id).values(values))
