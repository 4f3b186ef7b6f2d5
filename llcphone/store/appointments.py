"""Customers, calendars and appointments: statements on a connection, run in a thread.

Times in the tables are Unix seconds; a calendar's time zone says which hour of which day they are.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from llcphone.errors import BookingRefused
from llcphone.runtime.time_zones import zone_of
from llcphone.store.calendars import DAY_MIN, Busy, Calendar, calendar_named, open_spans
from llcphone.store.models import Appointment, Customer, Slot
from llcphone.store.tables import APPOINTMENTS, CALENDARS, CUSTOMERS
from llcphone.store.values import fitted, fitted_row, spelt_as

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEP_MIN = 15
"""Slots begin so far apart, or one duration if that is less."""
_MOST_SLOTS = 200


@attrs.frozen
class AppointmentRequest:
    """An appointment that is wanted."""

    customer_id: int
    starts_at: datetime.datetime
    duration_min: int
    what: str = attrs.field(default="", repr=False)
    calendar: str = "main"
    key: str = ""


# -- customers ----------------------------------------------------------------------------------


def customer_by(db: Connection, *, id_: int | None = None, phone: str = "") -> Customer | None:
    """The customer with this id, or with this number in any of its spellings."""
    which = (
        spelt_as(CUSTOMERS.c.phone, phone) if id_ is None else CUSTOMERS.c.id == fitted(CUSTOMERS.c.id, id_)
    )
    row = db.execute(select(CUSTOMERS).where(which)).mappings().first()
    return None if row is None else Customer(**row)


def add_customer(db: Connection, name: str, phone: str, email: str, remarks: str) -> Customer:
    """A new customer, or the one that has this number."""
    if (known := customer_by(db, phone=phone)) is not None:
        return known
    given = {"name": name, "phone": phone, "email": email, "remarks": remarks}
    values = fitted_row(CUSTOMERS, given)
    made = db.execute(insert(CUSTOMERS).values(values).returning(CUSTOMERS.c.id)).scalar_one()
    return Customer(id=made, **values)


# -- appointments -------------------------------------------------------------------------------


def appointments_of(db: Connection, customer_id: int, now: float, *, all_: bool) -> list[Appointment]:
    """A customer's appointments, soonest first."""
    table = APPOINTMENTS.c
    query = (
        _appointments()
        .where(table.customer == fitted(CUSTOMERS.c.id, customer_id))
        .order_by(table.starts_at)
        .limit(100)
    )
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
    _check_length(duration_min)
    calendar = calendar_named(db, calendar_name)
    length, step = duration_min * 60, min(_STEP_MIN, duration_min) * 60
    slots: list[Slot] = []
    for opens, closes in open_spans(db, calendar, day):
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


def known_by_key(db: Connection, key: str) -> Appointment | None:
    """The appointment that was booked with this key."""
    if not key:
        return None
    row = db.execute(_appointments().where(APPOINTMENTS.c.key == fitted(APPOINTMENTS.c.key, key))).first()
    return None if row is None else _appointment(row)


def book(db: Connection, request: AppointmentRequest, now: float) -> Appointment:
    """Take a time; with a key that has one already, that one.

    Raises:
        BookingRefused: it cannot be had.
    """
    if (known := known_by_key(db, request.key)) is not None:
        return known
    _check_length(request.duration_min)
    if customer_by(db, id_=request.customer_id) is None:
        raise BookingRefused("unknown", "there is no such customer")
    calendar = calendar_named(db, request.calendar)
    start = calendar.seconds(request.starts_at)
    end = start + request.duration_min * 60
    _check_open(db, calendar, start, end, now)
    values = {
        "calendar": calendar.id,
        "customer": request.customer_id,
        "starts_at": start,
        "ends_at": end,
        "what": request.what,
        "cancelled": False,
        "key": request.key or None,
        "changed_at": now,
    }
    row = insert(APPOINTMENTS).values(fitted_row(APPOINTMENTS, values))
    made = _refusing(db, row.returning(APPOINTMENTS.c.id)).scalar_one()
    return appointment(db, made)


def reschedule(db: Connection, id_: int, starts_at: datetime.datetime, now: float) -> Appointment:
    """Move an appointment with its length.

    Raises:
        BookingRefused: the time cannot be had, or the appointment is unknown or cancelled.
    """
    old = appointment(db, id_)
    if old.cancelled:
        raise BookingRefused("unknown", "this appointment was cancelled")
    calendar = calendar_named(db, old.calendar)
    start = calendar.seconds(starts_at)
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
    row = db.execute(_appointments().where(APPOINTMENTS.c.id == fitted(APPOINTMENTS.c.id, id_))).first()
    if row is None:
        raise BookingRefused("unknown", "there is no such appointment")
    return _appointment(row)


def _taken(db: Connection, calendar: Calendar, start: int, end: int) -> list[Busy]:
    table = APPOINTMENTS.c
    overlaps = and_(table.calendar == calendar.id, table.starts_at < end, table.ends_at > start)
    rows = db.execute(select(table.starts_at, table.ends_at).where(overlaps, ~table.cancelled))
    return [(row.starts_at, row.ends_at) for row in rows]


def _check_length(duration_min: int) -> None:
    if not 1 <= duration_min <= DAY_MIN:
        raise BookingRefused("invalid", "the length is in minutes, from 1 to a day")


def _check_open(db: Connection, calendar: Calendar, start: int, end: int, now: float) -> None:
    if start < now:
        raise BookingRefused("past", "this time is past")
    day = _time(calendar.zone, start).date()
    if not any(opens <= start and end <= closes for opens, closes in open_spans(db, calendar, day)):
        raise BookingRefused("closed", "this time is outside opening hours")


def _refusing(db: Connection, statement: Any) -> Any:
    """Let the database judge: no two appointments of a calendar overlap."""
    try:
        return db.execute(statement)
    except IntegrityError:  # the rest is checked before
        raise BookingRefused("taken", "this time is taken") from None


def _appointments() -> Any:
    return select(APPOINTMENTS, CALENDARS.c.name, CALENDARS.c.timezone).join(
        CALENDARS, CALENDARS.c.id == APPOINTMENTS.c.calendar
    )


def _appointment(row: Row[Any]) -> Appointment:
    zone = zone_of(row.timezone, "timezone")
    return Appointment(
        id=row.id,
        customer_id=row.customer,
        starts_at=_time(zone, row.starts_at),
        ends_at=_time(zone, row.ends_at),
        what=row.what,
        calendar=row.name,
        cancelled=row.cancelled,
    )


def _time(zone: datetime.tzinfo, seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, zone)


def put_back(db: Connection, old: Appointment) -> None:
    """Make an appointment again what it was, because the change came to nothing."""
    values = {
        "starts_at": int(old.starts_at.timestamp()),
        "ends_at": int(old.ends_at.timestamp()),
        "cancelled": old.cancelled,
    }
    db.execute(update(APPOINTMENTS).where(APPOINTMENTS.c.id == old.id).values(values))
