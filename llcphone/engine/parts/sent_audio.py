"""What is known of audio that went to the phone (``playout``), and what a barge-in found of it."""

from __future__ import annotations

from enum import Enum

import attrs


class Kind(Enum):
    """What a span is made of."""

    ITEM = "item"
    PAD = "pad"
    FILLER = "filler"


@attrs.define(eq=False)
class Span:
    """A stretch of audio in Twilio's buffer that ends in its own mark."""

    mark: str
    kind: Kind
    response_id: str
    item_id: str
    sent_ms: int
    """When its first audio was sent."""
    size: int = 0
    """Bytes of µ-law in it."""


@attrs.define(eq=False)
class ItemAudio:
    """The audio of one item, in bytes of µ-law: heard <= sent <= generated."""

    item_id: str
    response_id: str
    generated: int = 0
    sent: int = 0
    heard: int = 0
    """Proven by echoes; the span being played comes on top."""
    lead_in: int = 0
    """Silence before its first sound that was sent with it, as far as that is known."""
    done: bool = False
    """No more audio of this item will come."""
    cut: bool = False
    """A barge-in ended it; ``heard`` is final."""
    left_out: list[tuple[int, int]] = attrs.field(factory=list)
    """Pauses that were not sent: where in what was generated, and how long. Both in bytes."""


@attrs.frozen
class Cut:
    """An item that a barge-in ended before all of it was heard."""

    item_id: str
    response_id: str
    heard_ms: int
    generated_ms: int


@attrs.frozen
class Interruption:
    """What a barge-in found: items to truncate, and whether Twilio holds audio to clear."""

    cuts: tuple[Cut, ...]
    clear: bool
