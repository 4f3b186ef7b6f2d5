"""A CalDAV calendar beside our own table: people see their appointments where they look anyway.

Our table is where a time is taken, because only it can promise that it is taken once; CalDAV cannot. An
appointment has one event there, whose UID is made of its number, so putting it twice is putting it once.
Events of other people are time that is not free: ``put`` looks again just before it writes, because
another event may have been written since the slots were offered, or between that look and the write.

The ``caldav`` package blocks, so it runs in threads that are abandoned at the deadline.
"""

from __future__ import annotations

import datetime
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from llcphone.errors import BookingRefused, ConfigError, StoreUnavailable
from llcphone.store import database

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.config.calendar import CalendarConfig
    from llcphone.store.calendars import Busy
    from llcphone.store.models import Appointment

T = TypeVar("T")

TIMEOUT_S = 3.0
"""Longest question to the calendar: a caller waits for the answer."""
_THREADS = 2
_AROUND_S = 86_400


class CalDav:
    """The events of one calendar.

    Raises:
        ConfigError: the package ``caldav`` is missing.
    """

    def __init__(self, config: CalendarConfig) -> None:
        try:
            import caldav
        except ImportError:
            raise ConfigError(
                "calendar.url", "needs the package caldav", 'pip install "llcphone[calendar]"'
            ) from None
        self.name = config.name
        self._config = config
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._caldav: Any = caldav
        self._auth: Any = None  # the server's authentication scheme: learned once
        # Distinguishes two databases that write to one calendar; not a secret.
        self._ours = hashlib.sha256(config.url.encode()).hexdigest()[:8]

    async def busy(self, start: int, end: int, zone: datetime.tzinfo) -> list[Busy]:
        """When other people's events are, between these Unix seconds.

        A whole day, or a time without a time zone, is one of ``zone``: the calendar's own.

        Raises:
            StoreUnavailable: the calendar gave no answer in time.
        """
        return await self._ask(partial(self._busy, start, end, zone))

    async def put(self, appointment: Appointment) -> None:
        """Write an appointment as an event; a cancelled one has none.

        Raises:
            BookingRefused: there is another event at that time.
            StoreUnavailable: the calendar gave no answer in time.
        """
        await self._ask(partial(self._put, appointment))

    async def _ask(self, work: Callable[[Any], T]) -> T:
        def ask() -> T:
            with self._caldav.DAVClient(
                url=self._config.url,
                username=self._config.user or None,
                password=self._config.password or None,
                auth=self._auth,
                timeout=TIMEOUT_S,
            ) as client:
                answer = work(client.calendar(url=self._config.url))
                self._auth = client.auth
                return answer

        why = "timeout"
        with trio.move_on_after(TIMEOUT_S):
            try:
                return await database.in_thread(ask, abandon_on_cancel=True, limiter=self._limiter)
            except BookingRefused:
                raise
            except Exception as exc:  # the package lets its HTTP client's and parser's errors through
                why = type(exc).__name__
        raise StoreUnavailable(why)

    # -- in a thread --------------------------------------------------------------------------

    def _busy(self, start: int, end: int, zone: datetime.tzinfo, calendar: Any) -> list[Busy]:
        # The server reads whole days by a time zone of its own, so it is asked for the days around too.
        found = calendar.search(
            start=datetime.datetime.fromtimestamp(start - _AROUND_S, datetime.UTC),
            end=datetime.datetime.fromtimestamp(end + _AROUND_S, datetime.UTC),
            event=True,
            expand=True,
        )
        spans = [
            _span(event, zone)
            for each in found
            for event in each.icalendar_instance.walk("VEVENT")
            if not str(event.get("UID", "")).startswith(self._uid("")) and _blocks(event)
        ]
        return [(s, e) for s, e in spans if s < end and e > start]

    def _put(self, appointment: Appointment, calendar: Any) -> None:
        uid = self._uid(str(appointment.id))
        start, end = int(appointment.starts_at.timestamp()), int(appointment.ends_at.timestamp())
        zone = appointment.starts_at.tzinfo or datetime.UTC
        if not appointment.cancelled and self._busy(start, end, zone, calendar):
            raise BookingRefused("taken", "this time is taken")
        event = self._event(calendar, uid)
        if event is not None:
            event.delete()
        if not appointment.cancelled:
            calendar.save_event(_ical(uid, appointment))

    def _event(self, calendar: Any, uid: str) -> Any:
        try:
            return calendar.event_by_uid(uid)
        except self._caldav.error.NotFoundError:
            return None

    def _uid(self, number: str) -> str:
        return f"llcphone-{self._ours}-{number}"


def _ical(uid: str, appointment: Appointment) -> str:
    """An event as text; in UTC, so it needs no description of a time zone."""
    import icalendar  # comes with caldav

    event = icalendar.Event()
    event.add("uid", uid)
    event.add("dtstamp", datetime.datetime.now(datetime.UTC))
    event.add("dtstart", appointment.starts_at.astimezone(datetime.UTC))
    event.add("dtend", appointment.ends_at.astimezone(datetime.UTC))
    event.add("summary", appointment.what or "booked")
    whole = icalendar.Calendar()
    whole.add("prodid", "-//llcphone//EN")
    whole.add("version", "2.0")
    whole.add_component(event)
    return str(whole.to_ical(), "utf-8")


def _blocks(event: Any) -> bool:
    """Whether an event takes time: not if it is cancelled, or marked as free."""
    return str(event.get("STATUS", "")) != "CANCELLED" and str(event.get("TRANSP", "")) != "TRANSPARENT"


def _span(event: Any, zone: datetime.tzinfo) -> Busy:
    """From when to when, in Unix seconds."""
    start = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = start + event["DURATION"].dt
    else:
        end = start if isinstance(start, datetime.datetime) else start + datetime.timedelta(days=1)
    return _seconds(start, zone), _seconds(end, zone)


def _seconds(when: datetime.date, zone: datetime.tzinfo) -> int:
    """Whole days begin at midnight in this time zone, and times without one are of it."""
    if not isinstance(when, datetime.datetime):
        when = datetime.datetime.combine(when, datetime.time())
    return int((when if when.tzinfo is not None else when.replace(tzinfo=zone)).timestamp())
