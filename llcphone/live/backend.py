"""The responses of the text model behind the voice, each told once, when it is over.

Its events about items do not name their response: they belong to the last one that began under the same
delegation. Calls of a response that failed are void, and an answer to one would be refused.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.events import BackendDone, Item, ModelEvent, ResponseStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.live.events import BackendBegan, BackendCall, BackendEnded

_KEPT = 16
"""Responses remembered at most; one is ever active."""


@attrs.define(eq=False)
class _Response:
    id: str
    delegation_id: str
    calls: dict[str, Item] = attrs.field(factory=dict, init=False)
    """By call id, as an item may be told twice."""


class Backend:
    """What the backend is doing, and which of its calls are to be answered."""

    def __init__(self) -> None:
        self._active: deque[_Response] = deque(maxlen=_KEPT)
        self._told: deque[str] = deque(maxlen=_KEPT)
        self.open_calls: set[str] = set()

    def began(self, event: BackendBegan) -> None:
        """A response has begun."""
        if all(each.id != event.response_id for each in self._active):
            self._active.append(_Response(event.response_id, event.delegation_id))

    def call(self, event: BackendCall) -> None:
        """The present response calls a function."""
        of = self._under(event.delegation_id)
        if of is None:
            of = _Response("", event.delegation_id)
            self._active.append(of)
        of.calls[event.item.call_id] = event.item

    def ended(self, event: BackendEnded) -> Iterator[ModelEvent]:
        """A response is over."""
        if event.response_id in self._told:
            return
        named = [each for each in self._active if each.id == event.response_id]
        response = named[0] if named else self._under(event.delegation_id, "")
        calls: tuple[Item, ...] = ()
        delegation_id = event.delegation_id
        if response is not None:
            self._active.remove(response)
            delegation_id = delegation_id or response.delegation_id
            if event.status is ResponseStatus.COMPLETED:
                calls = tuple(response.calls.values())
        self._told.append(event.response_id)
        self.open_calls.update(call.call_id for call in calls)
        yield BackendDone(
            event.response_id, event.status, event.error_code, calls, event.usage, delegation_id
        )

    def _under(self, delegation_id: str, response_id: str | None = None) -> _Response | None:
        """The last response of this delegation, or of any where none is named."""
        for each in reversed(self._active):
            same = not delegation_id or not each.delegation_id or each.delegation_id == delegation_id
            if same and response_id in (None, each.id):
                return each
        return None
