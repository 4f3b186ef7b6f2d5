"""Outgoing events of a session, and the faults that make them odd. Both model simulators send this way."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.sim.model.link import Link

Json = dict[str, Any]


class OddEvents(Protocol):
    """What can be odd in the events of a session; ``Faults`` of both simulators have it."""

    odd: Mapping[str, Mapping[str, Any]]
    extra_events: bool
    extra_fields: bool
    reorder_keys: bool


@attrs.define(eq=False)
class Outgoing:
    """Numbers, spoils and queues server events."""

    link: Link
    faults: OddEvents
    number: int
    """Of the session; part of every event id."""
    _events: int = attrs.field(default=0, init=False)

    def emit(self, event: Json) -> None:
        """Send an event as it is, with an id if it has none."""
        self.put({"event_id": self.event_id()} | event)

    def put(self, event: Json) -> None:
        """Send an event with nothing added but faults."""
        if changes := self.faults.odd.get(event.get("type", "")):
            event = _odd(event, changes)
        if self.faults.extra_events:
            stranger = {"type": "session.future_event", "event_id": self.event_id(), "detail": {"n": 1}}
            self._write(stranger)
        if self.faults.extra_fields:
            grown = {key: value | {"future": None} for key, value in event.items() if isinstance(value, dict)}
            event = event | grown | {"future_field": {"n": 1}}
        self._write(_reversed(event) if self.faults.reorder_keys else event)

    def event_id(self) -> str:
        """The next id of this session."""
        self._events += 1
        return f"event_{self.number:03}{self._events:06}"

    def _write(self, event: Json) -> None:
        try:
            text = msgspec.json.encode(event).decode()
        except UnicodeEncodeError:  # half a character in a script: on the wire it is an escape
            text = json.dumps(event)
        self.link.send(text)


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


def _reversed(value: Any) -> Any:
    """The same JSON with the keys of every object in reverse order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [_reversed(member) for member in value]
    return value
