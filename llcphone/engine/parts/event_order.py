"""Drops events that come after what ends them, or twice.

A server or a gateway may let events overtake each other. If they were taken literally, a turn that begins
after its commit would never end, and a response that is created after its end would stay active: the
caller would wait for both. Items and responses have ids, so this much of their order can be checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.realtime import events as model_events

if TYPE_CHECKING:
    from llcphone.realtime.events import ModelEvent

LATE_MS = 3_000
"""What comes later than this is no mix-up of order: some servers may use an id again."""

_KEPT = 16


class EventOrder:
    """What has ended on the present session a short while ago."""

    def __init__(self) -> None:
        self._ended_ms: dict[tuple[type, str], int] = {}

    def comes_late(self, event: ModelEvent, now_ms: int) -> bool:
        """Whether what this event begins, or ends, has ended already."""
        match event:
            case model_events.SpeechStarted(item_id):
                return self._ended(model_events.SpeechStopped, item_id, now_ms)
            case model_events.SpeechStopped(item_id):
                late = self._ended(model_events.InputCommitted, item_id, now_ms)
                self._remember(model_events.SpeechStopped, item_id, now_ms)
                return late
            case model_events.InputCommitted(item_id):
                late = self._ended(model_events.InputCommitted, item_id, now_ms)
                self._remember(model_events.SpeechStopped, item_id, now_ms)
                self._remember(model_events.InputCommitted, item_id, now_ms)
                return late
            case model_events.ResponseCreated(response_id):
                return self._ended(model_events.ResponseDone, response_id, now_ms)
            case model_events.ResponseDone(response_id):
                self._remember(model_events.ResponseDone, response_id, now_ms)
        return False

    def _ended(self, kind: type, name: str, now_ms: int) -> bool:
        at_ms = self._ended_ms.get((kind, name))
        return at_ms is not None and now_ms - at_ms <= LATE_MS

    def _remember(self, kind: type, name: str, now_ms: int) -> None:
        if name:  # some servers do not name the item of a turn
            self._ended_ms.pop((kind, name), None)
            self._ended_ms[kind, name] = now_ms
            if len(self._ended_ms) > _KEPT:
                del self._ended_ms[next(iter(self._ended_ms))]
