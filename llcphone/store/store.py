"""The store, as agents and the phone use it: callers, bookings, and what was said.

    async with llcphone.store.open_store(config) as store:
        customer = await store.find_customer("+15551230001")

In a tool, ``store_of(call)`` is the phone's own store. Every question has a deadline
(``store.timeout_s``): a database that is slow, locked or dead is the answer ``StoreUnavailable``, which
a tool tells the model, and never a call that waits. That a time is booked once only is a rule of the
database itself, so it holds for every writer.

What is only written (``put_call``, ``take_message``, ``add_note``) waits in memory while the database cannot
be had. What changes an appointment does not: it is done within the deadline or refused. If the
commit was on its way then, the outcome is unknown; so give ``key``, and ask again with the same one.
"""

from __future__ import annotations

import secrets
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from llcphone.errors import BookingRefused, ConfigError, StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.store import appointments, calendars, calls, search
from llcphone.store.database import Database
from llcphone.store.deletion import purging
from llcphone.store.history import History
from llcphone.store.models import Message, Note
from llcphone.store.retention import keep_tidy
from llcphone.store.schema import check, prepare
from llcphone.store.search import CallFilter
from llcphone.store.values import ValueRefused
from llcphone.store.writer import Writer

if TYPE_CHECKING:
    import datetime
    from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence

    from sqlalchemy import Connection

    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.store.caldav import CalDav
    from llcphone.store.calendars import Busy
    from llcphone.store.calls import KeptCall
    from llcphone.store.deletion import Forgotten, Piece
    from llcphone.store.models import Appointment, CallDetails, CallSummary, Customer, Slot, ToolCall

T = TypeVar("T")
Posts = dict[str, str]

log = logger("llcphone.store")

_SAID_S = 1.0
"""Longest wait to know that a message or note is written."""


@attrs.define(eq=False, slots=False)
class Store:
    """A database of calls, customers and appointments; made by ``open_store``."""

    config: Config
    main: Database
    look_ups: Database
    _calendar: CalDav | None
    posts: Callable[[KeptCall], Posts] | None = attrs.field(default=None, init=False)
    """What is to be sent of a call, by id; set by the webhook, kept with the call."""
    writer: Writer = attrs.field(default=attrs.Factory(lambda store: Writer(store.main), True), init=False)
    history: History = attrs.field(
        default=attrs.Factory(lambda store: History(store.look_ups, store.writer), True), init=False
    )
    """Looks through calls for those who look back."""

    # -- look-ups: each may raise StoreUnavailable --------------------------------------------

    async def find_customer(self, phone: str) -> Customer | None:
        """The customer with this number, as E.164."""
        return await self._find(partial(appointments.customer_by, phone=phone), None)

    async def customer(self, customer_id: int) -> Customer | None:
        """The customer with this id."""
        return await self._find(partial(appointments.customer_by, id_=customer_id), None)

    async def appointments(self, customer_id: int, *, all_: bool = False) -> list[Appointment]:
        """A customer's appointments to come, soonest first; ``all_``: past and cancelled ones too."""
        now = time.time()
        return await self._find(lambda db: appointments.appointments_of(db, customer_id, now, all_=all_), [])

    async def free_slots(
        self, day: datetime.date, duration_min: int = 30, *, calendar: str = "main"
    ) -> list[Slot]:
        """Times of that day that are within opening hours, free, and still to come.

        Raises:
            BookingRefused: there is no such calendar.
        """
        busy: list[Busy] = []
        if self._calendar is not None and self._calendar.name == calendar:
            start, end, zone = await self._look_up(lambda db: calendars.day_of(db, day, calendar))
            busy = await self._calendar.busy(start, end, zone)
        args = day, duration_min, calendar, busy, time.time()
        return await self._look_up(lambda db: appointments.free_slots(db, *args))

    async def calls(self, *, limit: int = 50, number: str = "") -> list[CallSummary]:
        """The newest calls that have ended, newest first; with ``number``, those from or to it."""
        return await self._look_up(partial(search.page, wanted=CallFilter(number=number), most=limit))

    async def call(self, call_id: str) -> CallDetails | None:
        """All that is kept of a call."""
        return await self._look_up(lambda db: calls.details(db, call_id))

    # -- changes: each may raise StoreUnavailable ---------------------------------------------

    async def add_customer(self, name: str, phone: str, *, email: str = "", remarks: str = "") -> Customer:
        """Keep a new customer; the one that has this number already is returned as it is.

        Raises:
            BookingRefused: the records cannot hold what was given.
        """
        return await self._change(lambda db: appointments.add_customer(db, name, phone, email, remarks))

    async def book(
        self,
        customer_id: int,
        starts_at: datetime.datetime,
        duration_min: int = 30,
        *,
        what: str = "",
        calendar: str = "main",
        key: str = "",
    ) -> Appointment:
        """Take a time.

        Args:
            customer_id: whose appointment it is.
            starts_at: a naive time is one of the calendar's own time zone.
            duration_min: how long.
            what: for what.
            calendar: of whom or what.
            key: idempotency key (``ToolContext.key``): asked again with it, the same appointment is given.

        Raises:
            BookingRefused: the time is taken, past or outside opening hours, or the customer is unknown.
        """
        request = appointments.AppointmentRequest(customer_id, starts_at, duration_min, what, calendar, key)
        try:
            made = await self._change(lambda db: appointments.book(db, request, time.time()))
        except BookingRefused as refused:
            if refused.code != "taken" or not key:
                raise
            known = await self._look_up(lambda db: appointments.known_by_key(db, key))
            if known is None:
                raise
            return known  # we took it ourselves
        await self._mirror(made, undo=lambda db: appointments.remove(db, made.id))
        return made

    async def reschedule(self, appointment_id: int, starts_at: datetime.datetime) -> Appointment:
        """Move an appointment, with its length; raises as ``book`` does, and then it stays as it was."""
        old = await self._look_up(lambda db: appointments.appointment(db, appointment_id))
        to = appointment_id, starts_at, time.time()
        moved = await self._change(lambda db: appointments.reschedule(db, *to))
        await self._mirror(moved, undo=lambda db: appointments.put_back(db, old))
        return moved

    async def cancel(self, appointment_id: int) -> Appointment:
        """Give an appointment's time back; doing so twice is doing it once."""
        gone = await self._change(lambda db: appointments.cancel(db, appointment_id, time.time()))
        before = attrs.evolve(gone, cancelled=False)
        await self._mirror(gone, undo=lambda db: appointments.put_back(db, before))
        return gone

    async def set_hours(
        self,
        hours: Mapping[int, Sequence[tuple[str, str]]],
        *,
        calendar: str = "main",
        timezone: str = "UTC",
    ) -> None:
        """When a calendar may be booked: weekday (Monday is 0) to its spans, as ``("09:00", "12:30")``."""
        await self._change(lambda db: calendars.set_hours(db, calendar, timezone, hours))

    # -- writes: done now, or when the database is back ---------------------------------------

    async def take_message(self, message: Message) -> bool:
        """Keep a message.

        Returns:
            Whether it is written. If not, it was refused, or it waits in memory until the database can be
            had: it is unknown yet whether it will be kept.
        """
        at, key = message.taken_at or time.time(), message.key or _own_key()
        kept = attrs.evolve(message, taken_at=at, key=key)
        return await self._told(lambda db: calls.write_message(db, kept))

    async def add_note(
        self, call_id: str, customer_id: int | None, text: str, outcome: str = "", *, key: str = ""
    ) -> bool:
        """Keep a note about a call; the answer is as in ``take_message``."""
        note = Note(
            text=text,
            call_id=call_id,
            customer_id=customer_id,
            outcome=outcome,
            key=key or _own_key(),
            written_at=time.time(),
        )
        return await self._told(lambda db: calls.write_note(db, note))

    def put_call(
        self,
        record: CallRecord,
        *,
        caller: str = "",
        dialled: str = "",
        context: str = "",
        tools: tuple[ToolCall, ...] = (),
    ) -> None:
        """Keep a call that has ended. Synchronous; a phone does it for its own store."""
        kept = calls.KeptCall(record=record, caller=caller, dialled=dialled, context=context, tools=tools)
        self.writer.put(partial(self._write_call, kept=kept))

    def too_old(self) -> Generator[Piece, Any, Forgotten]:
        """What is to be deleted by now, piece by piece."""
        days = self.config.store
        return purging(now=time.time(), keep_days=days.keep_days, transcript_days=days.transcript_days)

    def _write_call(self, db: Connection, kept: KeptCall) -> None:
        posts = {} if self.posts is None else self.posts(kept)
        calls.write_call(db, kept, posts)

    # -- ways to the database -----------------------------------------------------------------

    async def _look_up(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self.look_ups.ask(work)
        except (ValueRefused, SQLAlchemyError) as exc:
            raise _refusal(exc) from None

    async def _find(self, work: Callable[[Connection], T], nothing: T) -> T:
        try:
            return await self.look_ups.ask(work)
        except (ValueRefused, SQLAlchemyError):  # no row can have such a value
            return nothing

    async def _change(self, work: Callable[[Connection], T]) -> T:
        try:
            try:
                return await self.main.ask(work)
            except IntegrityError:  # another writer was faster with the same number or key
                return await self.main.ask(work)
        except (ValueRefused, SQLAlchemyError) as exc:
            raise _refusal(exc) from None

    async def _told(self, work: Callable[[Connection], object]) -> bool:
        job = self.writer.put(work)
        with trio.move_on_after(_SAID_S):
            await job.settled.wait()
        return job.written

    async def _mirror(self, appointment: Appointment, *, undo: Callable[[Connection], object]) -> None:
        """Bring the CalDAV calendar in step; if it refuses, our own table follows it."""
        if self._calendar is None or self._calendar.name != appointment.calendar:
            return
        try:
            await self._calendar.put(appointment)
        except (BookingRefused, StoreUnavailable):
            self.writer.put(undo)
            raise


def _refusal(exc: Exception) -> BookingRefused:
    """The database takes no such value: the asker's to put right, and no fault of the database."""
    log.warning("the records refuse a value", extra={"error": type(exc).__name__})
    return BookingRefused("invalid", "the records cannot hold this")


def _own_key() -> str:
    """What is written again, because the first result was unknown, is still kept once."""
    return secrets.token_hex(16)


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The store at ``store.url``.

    Raises:
        ConfigError: there is no such setting, or no database there that this version can use.
    """
    settings = config.store
    if not settings.url:
        raise ConfigError("store.url", "is not set", "set it to a database, such as sqlite:///phone.db")
    database = partial(Database, timeout_s=settings.timeout_s, threads=settings.threads)
    main = database(settings.url, key="store.url")
    url, key = (settings.lookup_url or settings.url), ("lookup_url" if settings.lookup_url else "url")
    look_ups = database(url, key=f"store.{key}", read_only=True)
    store = Store(config, main, look_ups, _calendar(config))
    try:
        for place, work in ((main, prepare), (look_ups, partial(check, whole=True))):
            await place.open(work, make_file=place is main)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_tidy, store.too_old, main, name="store tidier")
            try:
                async with store.writer.opened():
                    yield store
            finally:
                nursery.cancel_scope.cancel(reason="the store is closed")
    finally:
        await main.aclose()
        await look_ups.aclose()


def _calendar(config: Config) -> CalDav | None:
    if not config.calendar.url:
        return None
    from llcphone.store.caldav import CalDav  # an extra: most have none

    return CalDav(config.calendar)
