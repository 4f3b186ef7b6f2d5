"""Appointments in a CalDAV calendar, against a real Radicale server."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from llcphone import ConfigError
from llcphone.config.calendar import CalendarConfig
from llcphone.sim.ports import free_port
from llcphone.store import BookingRefused, Store, StoreUnavailable
from tests.patience import HANG_S
from tests.store.store_kit import ADA, WEEK, next_weekday, opened, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caldav import Calendar

USER = "office"
PASSWORD = "of-the-test"


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one user."""
    port, folder = free_port(), tmp_path_factory.mktemp("radicale")
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
    settings = {
        "--server-hosts": f"127.0.0.1:{port}",
        "--storage-filesystem-folder": str(folder / "data"),
        "--auth-type": "htpasswd",
        "--auth-htpasswd-filename": str(folder / "users"),
        "--auth-htpasswd-encryption": "plain",
        "--config": "",
    }
    command = [sys.executable, "-m", "radicale", *(word for pair in settings.items() for word in pair)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/", server)
        yield f"http://127.0.0.1:{port}/{USER}/"
    finally:
        server.terminate()
        server.wait(HANG_S)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + HANG_S
    while time.monotonic() < until:
        assert server.poll() is None, "Radicale does not start"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.HTTPError, TimeoutError):
            return
        except OSError:
            time.sleep(0.05)  # a process of its own: no virtual clock reaches it
    raise AssertionError("Radicale does not answer")


@pytest.fixture
def calendar(radicale: str, request: pytest.FixtureRequest) -> Iterator[Calendar]:
    """An empty calendar, as a person's own program sees it."""
    from caldav import DAVClient  # 80 modules that most workers of a run have no use for

    with DAVClient(radicale, username=USER, password=PASSWORD) as client:
        made = client.principal().make_calendar(name="c", cal_id=f"c{abs(hash(request.node.name))}")
        yield made
        made.delete()


@pytest.fixture
async def store(tmp_path: Path, calendar: Calendar) -> AsyncIterator[Store]:
    settings = {"url": str(calendar.url), "user": USER, "password": PASSWORD}
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}", calendar=settings) as store:
        await store.set_hours(WEEK)
        await store.add_customer("Ada", ADA)
        yield store


def events(calendar: Calendar) -> list[tuple[str, str]]:
    found = [each.icalendar_component for each in calendar.events()]
    return [(str(event["SUMMARY"]), event["DTSTART"].dt.strftime("%H:%M")) for event in found]


def write(calendar: Calendar, when: datetime.datetime, *more: str) -> None:
    """Another person's event of an hour."""
    end = when + datetime.timedelta(hours=1)
    put(calendar, f"DTSTART:{when:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}", *more)


def put(calendar: Calendar, *lines: str) -> None:
    event = ["BEGIN:VEVENT", "UID:theirs", "SUMMARY:theirs", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    calendar.save_event(
        "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *event, "END:VCALENDAR"])
    )


@pytest.mark.slow
async def test_an_appointment_is_an_event_that_moves_and_goes(store: Store, calendar: Calendar) -> None:
    made = await store.book(1, next_weekday(hour=10), what="haircut")
    assert events(calendar) == [("haircut", "10:00")]
    await store.reschedule(made.id, next_weekday(hour=10, minute=15))
    assert events(calendar) == [("haircut", "10:15")]
    await store.cancel(made.id)
    assert events(calendar) == []


@pytest.mark.slow
async def test_what_others_have_there_is_not_free(store: Store, calendar: Calendar) -> None:
    write(calendar, next_weekday(hour=10))
    slots = [f"{slot.starts_at:%H:%M}" for slot in await store.free_slots(next_weekday().date(), 60)]
    assert "09:00" in slots
    assert "11:00" in slots
    assert not {"09:15", "10:00", "10:45"} & set(slots)
    with pytest.raises(BookingRefused) as refused:
        await store.book(1, next_weekday(hour=10, minute=30))
    assert refused.value.code == "taken"
    await written(store)
    assert await store.appointments(1, all_=True) == []


@pytest.mark.slow
async def test_an_event_that_takes_no_time_and_our_own_block_nothing(
    store: Store, calendar: Calendar
) -> None:
    write(calendar, next_weekday(hour=10), "TRANSP:TRANSPARENT")
    await store.book(1, next_weekday(hour=10))
    slots = [f"{slot.starts_at:%H:%M}" for slot in await store.free_slots(next_weekday().date(), 30)]
    assert "10:30" in slots
    assert "10:00" not in slots


@pytest.mark.slow
async def test_an_event_that_repeats_blocks_each_time(store: Store, calendar: Calendar) -> None:
    earlier = next_weekday(hour=10) - datetime.timedelta(days=7)
    write(calendar, earlier, "RRULE:FREQ=WEEKLY")
    slots = [f"{slot.starts_at:%H:%M}" for slot in await store.free_slots(next_weekday().date(), 60)]
    assert "10:00" not in slots
    assert "11:00" in slots


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "America/Los_Angeles", "Pacific/Auckland"])
@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.slow
async def test_a_holiday_is_one_of_the_calendars_own_days(
    store: Store, calendar: Calendar, zone: str, repeats: bool
) -> None:
    await store.set_hours(WEEK, timezone=zone)
    monday = next_weekday().date()
    await store.free_slots(monday)
    sunday, tuesday = (monday + datetime.timedelta(days=days) for days in (-1, 1))
    first = monday - datetime.timedelta(days=7) if repeats else monday
    more = ["RRULE:FREQ=WEEKLY"] if repeats else []
    put(calendar, f"DTSTART;VALUE=DATE:{first:%Y%m%d}", *more)
    assert await store.free_slots(monday) == []
    tuesdays = await store.free_slots(tuesday)
    assert (f"{tuesdays[0].starts_at:%H:%M}", f"{tuesdays[-1].ends_at:%H:%M}") == ("09:00", "17:00")
    assert await store.free_slots(sunday) == []  # not open at all
    with pytest.raises(BookingRefused):
        await store.book(1, next_weekday(hour=9))
    await store.book(1, next_weekday(weekday=1, hour=9))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "America/Los_Angeles", "Pacific/Auckland"])
@pytest.mark.slow
async def test_a_time_without_a_zone_is_one_of_the_calendars_own(
    store: Store, calendar: Calendar, zone: str
) -> None:
    await store.set_hours(WEEK, timezone=zone)
    monday = next_weekday()
    put(calendar, f"DTSTART:{monday:%Y%m%d}T090000", f"DTEND:{monday:%Y%m%d}T160000")
    slots = await store.free_slots(monday.date())
    assert (f"{slots[0].starts_at:%H:%M}", f"{slots[-1].ends_at:%H:%M}") == ("16:00", "17:00")


async def test_a_calendar_that_is_away_changes_nothing(tmp_path: Path) -> None:
    settings = {"url": f"http://127.0.0.1:{free_port()}/c/"}
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}", calendar=settings) as store:
        await store.set_hours(WEEK)
        await store.add_customer("Ada", ADA)
        with pytest.raises(StoreUnavailable):
            await store.free_slots(next_weekday().date())
        with pytest.raises(StoreUnavailable):
            await store.book(1, next_weekday())
        await written(store)
        assert await store.appointments(1, all_=True) == []


def test_a_password_for_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"calendar\.user"):
        CalendarConfig(url="https://example.com/c/", password="x")
