"""The conversation in the order in which it was held, as far as it was heard.

Items are ordered by the server's item ids, not by arrival: the transcription of a turn may come after the
answer to it. The agent's words are cut where the caller stopped hearing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.audio import BYTES_PER_MS
from llcphone.engine.words import cut_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.engine.resumed import Speaker

LONGEST_TEXT = 32_768
"""Characters kept of one item: an hour of quick speech. Texts are cut and kept by character."""


def _bounded(text: str) -> str:
    return text[:LONGEST_TEXT]


@attrs.define(eq=False)
class CalledTool:
    """A tool call of the conversation."""

    name: str
    arguments: str
    output: str | None = None
    promised: bool = False
    """The answer so far only says that the result will follow."""


@attrs.define(eq=False)
class Line:
    """One item of the conversation."""

    item_id: str
    speaker: Speaker
    at_ms: int
    text: str = attrs.field(default="", converter=_bounded)
    generated_ms: int = 0
    heard_ms: int | None = None
    """None while all of it counts as heard (the caller's own words; an agent line not cut)."""
    final: bool = False
    written: bool = False
    """The model answered in text: it was not heard, and it was deleted from the session."""
    tool: CalledTool | None = None
    fragments: list[tuple[str, int]] = attrs.field(factory=list)
    """Its words in pieces, where their times are known: each with its end in the item's audio, in ms."""
    left_out: Sequence[tuple[int, int]] = ()
    """Pauses of that audio that were not sent: where in what was sent, and how long, in bytes."""

    def heard_text(self) -> str:
        """The words that were heard, cut at a word boundary by the share of audio heard."""
        if self.written:
            return ""
        whole = self.final or not self.fragments  # else words may be here whose audio is still to come
        if self.heard_ms is None or (self.heard_ms >= self.generated_ms and whole):
            return self.text
        if self.fragments:
            return self.spoken_until(self.heard_ms)
        return cut_words(self.text, len(self.text) * self.heard_ms // max(1, self.generated_ms))

    def spoken_until(self, heard_ms: int) -> str:
        """The words whose end lies within the first ``heard_ms`` of what was sent."""
        heard = heard_ms * BYTES_PER_MS
        until_ms = (heard + sum(size for at, size in self.left_out if at < heard)) // BYTES_PER_MS
        return "".join(text for text, end_ms in self.fragments if end_ms <= until_ms).strip()

    def unheard_text(self) -> str:
        """The words after those, which were generated and cut off."""
        return "" if self.written else self.text[len(self.heard_text()) :].strip()


class History:
    """All lines of a call in conversation order."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._order: list[str] = []

    def place(self, item_id: str, speaker: Speaker, now_ms: int, *, after: str | None = None) -> Line:
        """The line of this item, made in its place when it is new."""
        if (line := self._lines.get(item_id)) is not None:
            return line
        line = self._lines[item_id] = Line(item_id, speaker, now_ms)
        if after is not None and after in self._lines:
            self._order.insert(self._order.index(after) + 1, item_id)
        else:
            self._order.append(item_id)
        return line

    def place_at(self, item_id: str, speaker: Speaker, at_ms: int) -> Line:
        """The same, in its place by time: lines that began later are there already."""
        if (line := self._lines.get(item_id)) is not None:
            return line
        line = self._lines[item_id] = Line(item_id, speaker, at_ms)
        place = len(self._order)
        while place and self._lines[self._order[place - 1]].at_ms > at_ms:
            place -= 1
        self._order.insert(place, item_id)
        return line

    def get(self, item_id: str) -> Line | None:
        """The line of this item, if it has one."""
        return self._lines.get(item_id)

    def drop(self, item_id: str) -> None:
        """Forget an item of which nothing was heard."""
        if self._lines.pop(item_id, None) is not None:
            self._order.remove(item_id)

    def lines(self, last: int | None = None, *, skip: int = 0) -> list[Line]:
        """Every line in conversation order, or the last ones, without ``skip`` at the end."""
        end = max(0, len(self._order) - skip)
        begin = 0 if last is None else max(0, end - last)
        return [self._lines[item_id] for item_id in self._order[begin:end]]
