"""What one page has seen of one call that it watches, and what is new in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine.resumed import Speaker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.call.call import Call
    from llcphone.engine.status import SpokenLine

FIRST_TURNS, FIRST_LINES = 50, 200
"""What a page gets at first of a long call."""
LATE_TURNS, LATE_LINES = 4, 24
"""Turns and lines before the last one that may still change."""

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

    def news(self, *, words: bool) -> list[News]:
        """What has changed since the last time; ``words``: whether what is said may be shown now."""
        self.over = self._call.record is not None
        said = list(self._new_lines()) if self.words and words else []
        if not words:
            self._lines.clear()  # they come anew when they are shown again
        return [*self._new_turns(), *said]

    def _new_turns(self) -> Iterator[News]:
        last = LATE_TURNS if self._turns else FIRST_TURNS
        turns = {turn["index"]: turn for turn in self._call.run.turns(last)}
        for index, turn in turns.items():
            if self._turns.get(index) != turn:
                yield "turn", {"turn": turn}
        self._turns = turns

    def _new_lines(self) -> Iterator[News]:
        last = LATE_LINES if self._lines else FIRST_LINES
        lines = {
            line.item_id: line for line in self._call.run.lines(last) if line.speaker is not Speaker.TOOL
        }
        for item_id, line in lines.items():
            if self._lines.get(item_id) != line:
                yield "heard", _heard(line)
        self._lines = lines


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
