"""Customers and appointments, on both databases: what is booked is booked once."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import trio
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from llcphone.errors import ConfigError
from llcphone.store import BookingRefused, Customer, Store
from llcphone.store.tables import APPOINTMENTS
from tests.store.store_kit import ADA, WEEK, next_weekday, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BERLIN = "Europe/Berlin"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as store:
        await store.set_hours(WEEK, timezone=BERLIN)
        yield store


async def ada(store: Store) -> Customer:
    return await store.add_customer("Ada", ADA, email="ada@example.com", remarks="likes rye")


async def test_a_customer_is_found_by_number_and_kept_once(store: Store) -> None:
    first = await ada(store)
    assert await store.find_customer(ADA) == first == await store.customer(first.id)
    assert await store.add_customer("Somebody else", ADA) == first
    assert await store.find_customer("+15551239999") is None


async def test_an_appointment_is_booked_listed_moved_and_cancelled(store: Store) -> None:
    customer = await ada(store)
    when = next_weekday(hour=10)
    made = await store.book(customer.id, when, 45, what="haircut")
    assert made.starts_at == when.replace(tzinfo=ZoneInfo(BERLIN))
    assert made.ends_at - made.starts_at == datetime.timedelta(minutes=45)
    assert await store.appointments(customer.id) == [made]
    moved = await store.reschedule(made.id, when.replace(hour=11))
    assert (moved.starts_at.hour, moved.ends_at.hour, moved.ends_at.minute) == (11, 11, 45)
    gone = await store.cancel(made.id)
    assert gone.cancelled
    assert await store.cancel(made.id) == gone
    assert await store.appointments(customer.id) == []
    assert await store.appointments(customer.id, all_=True) == [gone]


@pytest.mark.parametrize(
    ("hour", "minute", "code"),
    [(10, 0, "taken"), (10, 15, "taken"), (9, 45, "taken"), (8, 0, "closed"), (16, 45, "closed")],
)
async def test_a_time_that_is_taken_or_outside_hours_is_refused(
    store: Store, hour: int, minute: int, code: str
) -> None:
    customer = await ada(store)
    await store.book(customer.id, next_weekday(hour=10))
    with pytest.raises(BookingRefused) as refused:
        await store.book(customer.id, next_weekday(hour=hour, minute=minute))
    assert refused.value.code == code


async def test_the_past_a_closed_day_and_the_unknown_are_refused(store: Store) -> None:
    customer = await ada(store)
    for wish, code in (
        (store.book(customer.id, next_weekday() - datetime.timedelta(days=70)), "past"),
        (store.book(customer.id, next_weekday(6)), "closed"),
        (store.book(customer.id + 1, next_weekday()), "unknown"),
        (store.book(customer.id, next_weekday(), calendar="nobody's"), "unknown"),
        (store.reschedule(99, next_weekday()), "unknown"),
        (store.cancel(99), "unknown"),
    ):
        with pytest.raises(BookingRefused) as refused:
            await wish
        assert refused.value.code == code


async def test_an_appointment_that_cannot_move_stays(store: Store) -> None:
    customer = await ada(store)
    first = await store.book(customer.id, next_weekday(hour=10))
    second = await store.book(customer.id, next_weekday(hour=11))
    with pytest.raises(BookingRefused):
        await store.reschedule(second.id, next_weekday(hour=10, minute=15))
    assert await store.appointments(customer.id) == [first, second]


async def test_times_that_touch_do_not_overlap_and_one_given_back_is_free(store: Store) -> None:
    customer = await ada(store)
    first = await store.book(customer.id, next_weekday(hour=10))
    await store.book(customer.id, next_weekday(hour=10, minute=30))
    await store.book(customer.id, next_weekday(hour=9, minute=30))
    await store.cancel(first.id)
    assert (await store.book(customer.id, next_weekday(hour=10))).id != first.id


async def test_of_many_who_want_the_same_time_one_gets_it(store: Store) -> None:
    customer = await ada(store)
    got: list[str] = []

    async def want(minute: int) -> None:
        try:
            await store.book(customer.id, next_weekday(hour=10, minute=minute))
        except BookingRefused as refused:
            got.append(refused.code)
        else:
            got.append("booked")

    async with trio.open_nursery() as nursery:
        for minute in (0, 5, 10, 15, 20, 25):
            nursery.start_soon(want, minute)
    assert sorted(got) == ["booked"] + ["taken"] * 5


async def test_the_same_key_books_once_even_when_asked_at_once(store: Store) -> None:
    customer = await ada(store)
    got: list[int] = []

    async def want() -> None:
        got.append((await store.book(customer.id, next_weekday(), key="CA1:tool1")).id)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(want)
    assert len(set(got)) == 1
    assert len(await store.appointments(customer.id)) == 1


async def test_the_database_itself_refuses_an_overlap_whoever_writes_it(store: Store) -> None:
    customer = await ada(store)
    made = await store.book(customer.id, next_weekday(hour=10))
    start = int(made.starts_at.timestamp()) + 60
    values = {"calendar": 1, "starts_at": start, "ends_at": start + 60, "what": "", "cancelled": False}

    def rogue() -> None:
        store.main.run(lambda db: db.execute(insert(APPOINTMENTS).values(**values, changed_at=0)))

    with pytest.raises(IntegrityError):
        await trio.to_thread.run_sync(rogue)


async def test_free_slots_leave_out_what_is_taken_and_what_does_not_fit(store: Store) -> None:
    customer = await ada(store)
    day = next_weekday().date()
    await store.set_hours({0: [("09:00", "10:00"), ("14:00", "15:00")]}, timezone=BERLIN)
    await store.book(customer.id, next_weekday(hour=14, minute=10), 20)
    slots = await store.free_slots(day, 30)
    shown = [f"{slot.starts_at:%H:%M}" for slot in slots]
    assert shown == ["09:00", "09:15", "09:30", "14:30"]
    assert all(slot.starts_at.tzinfo == ZoneInfo(BERLIN) for slot in slots)
    assert await store.free_slots(day + datetime.timedelta(days=1)) == []


async def test_another_calendar_has_times_of_its_own(store: Store) -> None:
    customer = await ada(store)
    await store.set_hours(WEEK, calendar="table 2", timezone="America/New_York")
    first = await store.book(customer.id, next_weekday(hour=10))
    second = await store.book(customer.id, next_weekday(hour=10), calendar="table 2")
    assert (first.calendar, second.calendar) == ("main", "table 2")
    assert second.starts_at - first.starts_at >= datetime.timedelta(hours=5)


async def test_a_name_reaches_no_log_by_way_of_repr(store: Store) -> None:
    customer = await ada(store)
    made = await store.book(customer.id, next_weekday(), what="something private")
    assert ADA not in repr((customer, made))
    assert "private" not in repr(made)


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("+525512345678", "+5215512345678"),
        ("+5215512345678", "+525512345678"),
        ("+541123456789", "+5491123456789"),
        ("+551187654321", "+5511987654321"),
    ],
)
async def test_a_customer_is_found_by_either_spelling_of_their_number(
    store: Store, kept: str, asked: str
) -> None:
    made = await store.add_customer("Ana", kept)
    assert await store.find_customer(asked) == await store.find_customer(kept) == made
    assert await store.add_customer("Ana again", asked) == made


async def test_an_unknown_time_zone_is_a_setting_not_a_traceback(store: Store) -> None:
    with pytest.raises(ConfigError, match="is not a time zone"):
        await store.set_hours(WEEK, timezone="Europe/Madird")
