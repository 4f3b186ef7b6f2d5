"""Collects what a response has put out so far.

``response.done`` lists the items of a response, but some servers send ``output`` as null or ``[]``. The
events of the items (``output_item.added``, ``output_item.done``, the deltas) say the same. So both count:
an item known from several events is one item, and the latest event about it wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.realtime.events import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_RESPONSES = 16
_MOST_ITEMS = 128


class ResponseItems:
    """The items of the responses that are not over yet."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Item]] = {}

    def saw(self, response_id: str, item: Item) -> None:
        """An event named this item."""
        items = self._of.get(response_id)
        if items is None:
            items = self._of[response_id] = {}
            if len(self._of) > _MOST_RESPONSES:
                del self._of[next(iter(self._of))]
        if (key := _key(item)) in items or len(items) < _MOST_ITEMS:
            items[key] = item

    def saw_words(self, response_id: str, item_id: str) -> None:
        """A delta named a message of this id."""
        if item_id not in self._of.get(response_id, ()):
            self.saw(response_id, Item(item_id, "message", "in_progress"))

    def take(self, response_id: str, listed: Iterable[Item]) -> tuple[Item, ...]:
        """The response is over, and lists these itself: all its items."""
        items = self._of.pop(response_id, {})
        items |= {_key(item): item for item in listed}
        return tuple(items.values())

    def forget(self) -> None:
        """The session is gone, and all its responses with it."""
        self._of.clear()


def _key(item: Item) -> str:
    return item.call_id or item.id
