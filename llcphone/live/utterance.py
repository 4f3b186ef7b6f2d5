"""One utterance of the agent: for the engine, a response with one item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.events import (
    AudioDone,
    Item,
    ModelEvent,
    ResponseDone,
    ResponseStatus,
    TranscriptDelta,
    TranscriptDone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.live.events import AgentFragment


@attrs.define(eq=False)
class Utterance:
    """Where it lies in the session's audio, and its words so far."""

    response_id: str
    from_ms: int
    """Where its audio begins."""
    cushion_ms: int
    """Silence that was put before its audio."""
    loud_until_ms: int
    closed_ms: int = 0
    """Where it was over; 0: it is open."""
    _texts: list[str] = attrs.field(factory=list, init=False)

    @property
    def item_id(self) -> str:
        """Its one item."""
        return self.response_id + "-item"

    def add(self, words: AgentFragment) -> ModelEvent:
        """Some of its words, with their times on the item's own audio."""
        self._texts.append(words.text)
        start_ms, end_ms = self._within(words.start_ms), self._within(words.end_ms)
        return TranscriptDelta(self.response_id, self.item_id, words.text, start_ms, end_ms)

    def whole(self) -> ModelEvent:
        """All its words, after the last have come."""
        return TranscriptDone(self.response_id, self.item_id, self._text)

    def ends(self, status: ResponseStatus, reason: str) -> Iterator[ModelEvent]:
        """What its end comes to."""
        yield AudioDone(self.response_id, self.item_id)
        if self._texts:
            yield self.whole()
        done = "completed" if status is ResponseStatus.COMPLETED else "incomplete"
        item = Item(self.item_id, "message", status=done, role="assistant", text=self._text)
        yield ResponseDone(self.response_id, status, reason, items=(item,))

    @property
    def _text(self) -> str:
        return "".join(self._texts).strip()

    def _within(self, session_ms: int | None) -> int | None:
        return None if session_ms is None else max(0, session_ms - self.from_ms + self.cushion_ms)
