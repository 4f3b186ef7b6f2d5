"""Events with something odd in a place that they can do without."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

ODD_VALUES = (None, "", "odd", "12", 7, -1, 12.0, 0.5, 2**70, True, [], [None], {}, {"odd": {}})
NEEDED = {
    "type": "*",
    "item_id": "conversation.item. input_audio_buffer.committed response.",
    "response_id": "response.",
    "delta": "*",
    "transcript": "conversation.item.input_audio_transcription.completed response.",
    "session": "session.updated",
    "item": "*",
    "response": "*",
}
"""Top-level keys that an event cannot do without, by the beginnings of the events' names."""

NEEDED_WITHIN = {("response", "id"), ("item", "id"), ("item", "type")}


def is_needed(event: dict[str, Any], path: Path) -> bool:
    """Whether the event is unreadable without what stands there."""
    if len(path) == 1:
        names = NEEDED.get(str(path[0]), "").split()
        return any(name == "*" or event["type"].startswith(name) for name in names)
    return path[:2] in NEEDED_WITHIN


def places(tree: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value in the event."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


def with_odd(event: dict[str, Any], path: Path, odd: Any) -> dict[str, Any]:
    """The event with that value in that place; ``...`` takes the key away."""
    event = copy.deepcopy(event)
    *way, last = path
    place: Any = event
    for step in way:
        place = place[step]
    if odd is ...:
        del place[last]
    else:
        place[last] = odd
    return event
