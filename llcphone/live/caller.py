"""The caller's words, gathered into turns: GPT-Live sends fragments, and never says that a turn is over.

A turn ends where 2,000 ms lie between two fragments, or where the agent has begun to speak in between. Words
come about 1.2 s after they were said, so a turn stays open for a while after the agent has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.events import CallerTranscript, CallerWords, ModelEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.live.events import CallerFragment

SEPARATE_MS = 2_000
"""Between fragments, or since the last one came; 1,500 ms were measured to part what belongs together."""
LATE_MS = 1_500
"""For so long after the agent has begun, words may come that were said before."""


@attrs.define(eq=False)
class _Turn:
    item_id: str
    from_ms: int
    until_ms: int
    due_ms: int = 0
    """When it counts as over if no more of it comes."""
    texts: list[str] = attrs.field(factory=list, init=False)


class CallerTurns:
    """The turn that is open, if one is."""

    def __init__(self) -> None:
        self._turn: _Turn | None = None
        self._count = 0
        self._agent_ms = 0
        """Where the agent began to speak last."""

    def agent_began(self, at_ms: int) -> None:
        """The agent has begun to speak here."""
        self._agent_ms = at_ms
        if self._turn is not None:
            self._turn.due_ms = min(self._turn.due_ms, at_ms + LATE_MS)

    def words(self, words: CallerFragment, now_ms: int, prefix: str) -> Iterator[ModelEvent]:
        """Some words have come.

        Args:
            words: with their place in the session's audio.
            now_ms: the session's audio so far.
            prefix: begins a turn's id.
        """
        turn = self._turn
        start_ms = words.start_ms
        if start_ms is None:
            start_ms = now_ms if turn is None else turn.until_ms
        if turn is not None and self._parts(turn, start_ms):
            yield from self.close()
            turn = None
        if turn is None:
            self._count += 1
            turn = self._turn = _Turn(f"{prefix}c{self._count}", start_ms, start_ms)
        turn.texts.append(words.text)
        turn.until_ms = max(turn.until_ms, start_ms, words.end_ms or 0)
        turn.due_ms = now_ms + SEPARATE_MS
        if turn.from_ms < self._agent_ms:
            turn.due_ms = min(turn.due_ms, max(now_ms, self._agent_ms + LATE_MS))
        yield CallerWords(turn.item_id, words.text, words.start_ms, words.end_ms)

    def time_passed(self, now_ms: int) -> Iterator[ModelEvent]:
        """The session's audio has come this far."""
        if self._turn is not None and now_ms >= self._turn.due_ms:
            yield from self.close()

    def close(self) -> Iterator[ModelEvent]:
        """The open turn is over."""
        if (turn := self._turn) is not None:
            self._turn = None
            yield CallerTranscript(turn.item_id, "".join(turn.texts).strip(), final=True)

    def _parts(self, turn: _Turn, start_ms: int) -> bool:
        """Whether words that begin here belong to another turn."""
        return start_ms - turn.until_ms > SEPARATE_MS or turn.from_ms < self._agent_ms <= start_ms
