"""Outgoing events of a session: its dialect, and the faults that change, break or end what is sent."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.sim.model.dialect import flatten
from llcphone.sim.model.schema import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.sim.model.faults import Faults
    from llcphone.sim.model.link import Link

Json = dict[str, Any]


@attrs.define(eq=False)
class Outbox:
    """Numbers, translates, spoils and queues server events."""

    link: Link
    dialect: Dialect
    faults: Faults
    number: int
    _events: int = 0
    _deltas: int = 0

    def send(self, event: Json) -> None:
        """Send a GA-shaped event in the session's dialect."""
        wire: Json | None = {"type": event["type"], "event_id": self._event_id()} | event
        if wire and self.dialect is Dialect.FLAT:
            wire = flatten(wire)
        if wire is not None:
            self._put(wire)
        if event["type"] == "response.output_audio.delta":
            self._deltas += 1
            self._fault_after_delta()

    def emit(self, event: Json) -> None:
        """Send an event as it is, with an id if it has none."""
        self._put({"event_id": self._event_id()} | event)

    async def fault_timers(self) -> None:
        """Faults that come by the clock. A task of the session."""
        faults = self.faults
        async with trio.open_nursery() as nursery:
            for delay_s, action in (
                (faults.stall_after_s, self.link.stall),
                (faults.reset_after_s, self.link.reset),
                (faults.close_after_s, self._close),
            ):
                if delay_s is not None:
                    nursery.start_soon(_later, delay_s, action, name="sim model fault timer")

    def _fault_after_delta(self) -> None:
        """Queued behind the delta, so it has left when the fault strikes."""
        if self._deltas == self.faults.stall_after_deltas:
            self.link.then(self.link.stall)
        if self._deltas == self.faults.reset_after_deltas:
            self.link.then(self.link.reset)
        if self._deltas == self.faults.close_after_deltas:
            self._close()

    def _close(self) -> None:
        self.link.close(self.faults.close_with)

    def _put(self, event: Json) -> None:
        if changes := self.faults.odd.get(event.get("type", "")):
            event = _odd(event, changes)
        if self.faults.extra_events:
            stranger = {"type": "session.future_event", "event_id": self._event_id(), "detail": {"n": 1}}
            self._write(stranger)
        if self.faults.extra_fields:
            grown = {key: value | {"future": None} for key, value in event.items() if isinstance(value, dict)}
            event = event | grown | {"future_field": {"n": 1}}
        self._write(_reversed(event) if self.faults.reorder_keys else event)

    def _write(self, event: Json) -> None:
        try:
            text = msgspec.json.encode(event).decode()
        except UnicodeEncodeError:  # half a character in a script: on the wire it is an escape
            text = json.dumps(event)
        self.link.send(text)

    def _event_id(self) -> str:
        self._events += 1
        return f"event_{self.number:03}{self._events:06}"


def _odd(event: Json, changes: Mapping[str, Any]) -> Json:
    """The event with other values in some places; a place it does not have stays so."""
    event = copy.deepcopy(event)
    for path, value in changes.items():
        *steps, last = path.split(".")
        place: Any = event
        for step in steps:
            place = place.get(step) if isinstance(place, dict) else _member(place, step)
        if isinstance(place, dict) and value is ...:
            place.pop(last, None)
        elif isinstance(place, dict):
            place[last] = value
    return event


def _member(place: Any, step: str) -> Any:
    known = isinstance(place, list) and step.isdecimal() and int(step) < len(place)
    return place[int(step)] if known else None


async def _later(delay_s: float, action: Callable[[], None]) -> None:
    await trio.sleep(delay_s)
    action()


def _reversed(value: Any) -> Any:
    """The same JSON with the keys of every object in reverse order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [_reversed(member) for member in value]
    return value
