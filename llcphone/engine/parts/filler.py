"""Plays stored words: while the caller waits for the agent, and as an apology at the end.

A filler comes after a short silence, then at its interval. Another loss in the meantime does not move it.
It takes its time in the playout like any audio, but counts for no item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, SendPhone
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Speaker

if TYPE_CHECKING:
    from llcphone.engine.note import Note
    from llcphone.engine.parts.history import History
    from llcphone.engine.parts.playout import Playout
    from llcphone.engine.parts.timers import Timers


class Filler:
    """Plays stored words, and says when the next filler is due."""

    def __init__(
        self,
        playout: Playout,
        history: History,
        timers: Timers,
        *,
        words: tuple[bytes, ...],
        after_ms: int,
        every_ms: int,
    ) -> None:
        self._playout = playout
        self._history = history
        self._timers = timers
        self._words = words
        self._after_ms = after_ms
        self._every_ms = every_ms
        self._played_ms: int | None = None

    def later(self, now_ms: int, *, at_once: bool = False) -> None:
        """Fill the silence that follows what plays; ``at_once``: it has lasted long enough."""
        if not self._words or not self._playout.started:
            return
        at_ms = max(now_ms, self._playout.ends_ms) + (0 if at_once else self._after_ms)
        if self._played_ms is not None:
            at_ms = max(at_ms, self._played_ms + self._every_ms)
        standing_ms = self._timers.get(Timer.FILLER)
        self._timers.set(Timer.FILLER, at_ms if standing_ms is None else min(at_ms, standing_ms))

    def now(self, now_ms: int, out: list[Command]) -> None:
        """Play it; the next one follows."""
        self.say(self._words, "filler", notes.FillerPlayed(), now_ms, out)
        self._played_ms = now_ms
        self._timers.set(Timer.FILLER, now_ms + self._every_ms)

    def say(self, words: tuple[bytes, ...], what: str, note: Note, now_ms: int, out: list[Command]) -> None:
        """Play stored words, and write down that they were played."""
        if not words:
            return
        for payload in words:
            out.extend(SendPhone(message) for message in self._playout.filler(payload, now_ms))
        self._history.place(f"{what} {now_ms}", Speaker.SYSTEM, now_ms).text = f"({what})"
        out.append(note)
