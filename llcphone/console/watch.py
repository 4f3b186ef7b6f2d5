"""What one page has seen of one call that it watches, and what is new in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llcphone.call.call import Call
    from llcphone.engine.status import SpokenLine

FIRST_TURNS, FIRST_LINES = 50, 200
"""What a page gets at first of a long call."""
LATE_TURNS, LATE_LINES = 4, 24
"""Turns and lines before the last one that may still change; at first as many are read at a time."""
EVERY = 4
"""Looks after which turns and lines are read in any case: a transcript may be corrected without a note."""

News = tuple[str, dict[str, Any]]
"""A kind of event, and its fields."""


@attrs.define(eq=False)
class Watch:
    """A call that one page watches."""

    _call: Call
    words: bool = attrs.field(kw_only=True)
    """It wants to see what is said."""
    over: bool = False
    """The call has ended, and all of it was seen."""
    _turns: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    _lines: dict[str, SpokenLine] = attrs.field(factory=dict)
    _turns_seen: int = 0
    """So many, from the last one back, have been seen ..."""
    _lines_seen: int = 0
    """... and so many lines."""
    behind: bool = False
    """There may be older ones to be seen: ask again soon."""
    _looks: int = 0

    def news(self, *, words: bool, noted: bool) -> list[News]:
        """What has changed since the last time.

        Args:
            words: whether what is said may be shown now.
            noted: whether something has happened in the call since the last time. Otherwise only the words
                that are being heard are read, and now and then the rest.
        """
        self.over = self._call.record is not None
        words = words and self.words
        self._looks += 1
        noted = noted or self.over or not self._turns_seen or self._looks % EVERY == 0
        if not words:
            self._lines, self._lines_seen = {}, 0  # they come anew when they are shown again
        if self.behind:
            news = [*self._old_turns(), *(self._old_lines() if words else ())]
        else:
            spoken = words and (noted or not self._lines_seen or self._agent_speaks())
            news = [*(self._new_turns() if noted else ()), *(self._new_lines() if spoken else ())]
        self.behind = self._turns_seen < FIRST_TURNS or (words and self._lines_seen < FIRST_LINES)
        return news

    def _agent_speaks(self) -> bool:
        return self._call.run.status.floor is Floor.AGENT

    def _new_turns(self) -> Iterator[News]:
        turns = {turn["index"]: turn for turn in self._call.run.turns(LATE_TURNS)}
        for index, turn in turns.items():
            if self._turns.get(index) != turn:
                yield "turn", {"turn": turn}
        self._turns = turns
        self._turns_seen = self._turns_seen or LATE_TURNS

    def _new_lines(self) -> Iterator[News]:
        lines = {line.item_id: line for line in _spoken(self._call.run.lines(LATE_LINES))}
        for item_id, line in lines.items():
            if self._lines.get(item_id) != line:
                yield "heard", _heard(line)
        self._lines = lines
        self._lines_seen = self._lines_seen or LATE_LINES

    def _old_turns(self) -> Iterator[News]:
        if self._turns_seen < FIRST_TURNS:
            turns = self._call.run.turns(LATE_TURNS, skip=self._turns_seen)
            self._turns_seen = self._turns_seen + LATE_TURNS if turns else FIRST_TURNS
            for turn in turns:
                yield "turn", {"turn": turn}

    def _old_lines(self) -> Iterator[News]:
        if self._lines_seen < FIRST_LINES:
            lines = self._call.run.lines(LATE_LINES, skip=self._lines_seen)
            self._lines_seen = self._lines_seen + LATE_LINES if lines else FIRST_LINES
            for line in _spoken(lines):
                yield "heard", _heard(line)


def _spoken(lines: Iterable[SpokenLine]) -> Iterator[SpokenLine]:
    return (line for line in lines if line.speaker is not Speaker.TOOL)


def _heard(line: SpokenLine) -> dict[str, Any]:
    whole = line.speaker is not Speaker.AGENT
    return {
        "item": line.item_id,
        "by": line.speaker.value,
        "at_ms": line.at_ms,
        "text": line.text,
        "heard": len(line.text) if whole else len(line.heard),
        "cut": line.cut,
    }
