"""The store, as agents and the phone use it: who calls, what is booked, what was said.

    async with llcphone.store.open_store(config) as store:
        customer = await store.find_customer("+15551230001")

In a tool, ``store_of(call)`` is the phone's own store. Every question has a deadline
(``store.timeout_s``): a database that is slow, locked or dead is the answer ``StoreUnavailable``, which
a tool tells the model, and never a call that waits. That a time is booked once only is a rule of the
database itself, so it holds for whoever writes there.

What is only told (``put_call``, ``take_message``, ``add_note``) waits in memory while the database cannot
be had. What changes an appointment does not: it is done within the deadline or refused. If the very
commit was on its way then, nobody knows; so give ``key``, and ask again with the same one.
"""

from __future__ import annotations

import datetime
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llcphone.errors import LLCPhoneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.store.shapes import Appointment, CallDetails, CallSummary, Customer, Message, Slot
    from llcphone.tooling import CallHandle


class StoreUnavailable(LLCPhoneError):
    """The database gave no answer in time; ``why`` is one word for logs."""

    def __init__(self, why: str) -> None:
        super().__init__("the records cannot be reached right now")
        self.why = why


class BookingRefused(LLCPhoneError):
    """A time that cannot be booked; ``code`` is ``taken``, ``closed``, ``past`` or ``unknown``."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Store:
    """A database of calls, customers and appointments."""

    # -- look-ups: each may raise StoreUnavailable --------------------------------------------

    async def find_customer(self, phone: str) -> Customer | None:
        """The customer with this number, as E.164."""
        raise NotImplementedError

    async def customer(self, customer_id: int) -> Customer | None:
        """The customer with this id."""
        raise NotImplementedError

    async def appointments(self, customer_id: int, *, all_: bool = False) -> list[Appointment]:
        """A customer's appointments to come, soonest first; ``all_``: past and cancelled ones too."""
        raise NotImplementedError

    async def free_slots(
        self, day: datetime.date, duration_min: int = 30, *, calendar: str = "main"
    ) -> list[Slot]:
        """Times of that day that are within opening hours, free, and still to come."""
        raise NotImplementedError

    async def calls(self, *, limit: int = 50, customer_phone: str = "") -> list[CallSummary]:
        """The newest calls that have ended, newest first."""
        raise NotImplementedError

    async def call(self, call_id: str) -> CallDetails | None:
        """All that is kept of a call."""
        raise NotImplementedError

    # -- changes: each may raise StoreUnavailable ---------------------------------------------

    async def add_customer(self, name: str, phone: str, *, email: str = "", remarks: str = "") -> Customer:
        """Keep a new customer; the one that has this number already is returned as it is."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def reschedule(self, appointment_id: int, starts_at: datetime.datetime) -> Appointment:
        """Move an appointment, with its length; raises as ``book`` does, and then it stays as it was."""
        raise NotImplementedError

    async def cancel(self, appointment_id: int) -> Appointment:
        """Give an appointment's time back; doing so twice is doing it once."""
        raise NotImplementedError

    async def set_hours(
        self,
        hours: Mapping[int, Sequence[tuple[str, str]]],
        *,
        calendar: str = "main",
        timezone: str = "UTC",
    ) -> None:
        """When a calendar may be booked: weekday (Monday is 0) to its spans, as ``("09:00", "12:30")``."""
        raise NotImplementedError

    # -- what is told: written now, or when the database is back ------------------------------

    async def take_message(self, message: Message) -> bool:
        """Keep a message; False: it waits in memory until the database can be had."""
        raise NotImplementedError

    async def add_note(
        self, call_id: str, customer_id: int | None, text: str, outcome: str = "", *, key: str = ""
    ) -> bool:
        """Keep a note about a call; False as in ``take_message``."""
        raise NotImplementedError

    def put_call(
        self, record: CallRecord, *, caller: str = "", dialled: str = "", context: str = ""
    ) -> None:
        """Keep a call that has ended. Synchronous; the phone does it by itself for its own store."""
        raise NotImplementedError


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The store at ``store.url``.

    Raises:
        ConfigError: there is no such setting, or no database there that this version can use.
    """
    yield Store()


def store_of(call: CallHandle) -> Store:
    """The store of the phone that has this call.

    Raises:
        StoreUnavailable: it has none; set ``store.url``.
    """
    store = getattr(call, "store", None)
    if store is None:
        raise StoreUnavailable("none")
    return store  # type: ignore[no-any-return]
