"""The diary of customer service: the store's calendar, kept to the company's hours as they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.config.company import read_hours
from llcphone.store import BookingRefused, Slot, store_of

if TYPE_CHECKING:
    import datetime

    from llcphone.modes.base import House
    from llcphone.store import Store
    from llcphone.tools.call_handle import CallHandle


class Diary:
    """Free times of one calendar."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._ready = False

    async def store(self, call: CallHandle) -> Store:
        """The store; on first use in a process it gets the opening hours, if the configuration has any."""
        store, company = store_of(call), self._house.config.company
        if not self._ready and company.hours:
            hours = read_hours(company.hours).items()
            week = {day: [(_clock(begins), _clock(ends)) for begins, ends in spans] for day, spans in hours}
            await store.set_hours(week, timezone=company.time_zone)
        self._ready = True
        return store

    async def free(self, call: CallHandle, day: datetime.date, duration_min: int) -> list[Slot]:
        """Free times of a day; none on a holiday."""
        if day.isoformat() in self._house.config.company.closed:
            return []
        return await (await self.store(call)).free_slots(day, duration_min)

    def check(self, day: datetime.date) -> None:
        """Raise BookingRefused for a holiday: hours by weekday do not know it."""
        if day.isoformat() in self._house.config.company.closed:
            raise BookingRefused("closed", "we are closed on that day")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
