"""How the simulated GPT-Live hears the caller: an energy gate that finds turns, and their words."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from llcphone.sim.live.voice import fragments
from llcphone.sim.model.hearing import WINDOW_MS, Hearing, Started
from llcphone.sim.model.voice import MS_PER_CHARACTER

if TYPE_CHECKING:
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.live.turns import Turns

WINDOW_BYTES = WINDOW_MS * 8
_QUIET = b"\xff" * WINDOW_BYTES


@attrs.define(eq=False)
class Ear:
    """Takes caller audio window by window, in µ-law."""

    session: LiveState = attrs.field(repr=False)
    turns: Turns = attrs.field(repr=False)
    muted: bool = False
    """The model hears silence."""
    deaf: bool = False
    """A fixture plays: what the caller says is dropped."""
    _hearing: Hearing = attrs.field(factory=Hearing)
    _words: deque[str] = attrs.field(factory=deque)
    """Of the caller's present turn, as far as they are not dated yet."""
    _dated_ms: int = 0
    """The caller's words are dated up to here."""

    def listen(self, window: bytes) -> None:
        """Take 20 ms that end now."""
        pace = self.session.pace
        settings = {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 0,
            "silence_duration_ms": pace.end_silence_ms,
        }
        heard = _QUIET if self.muted or self.deaf else window
        for happened in self._hearing.listen(heard, "audio/pcmu", settings):
            if isinstance(happened, Started):
                self._began(happened.start_ms)
            else:
                self._ended(happened.end_ms - pace.end_silence_ms)
        self._date_words()

    def _began(self, onset_ms: int) -> None:
        words = self.session.reading.next_transcript()
        self._words = deque(part for part, _, _ in fragments(words, 0, 0))
        self._dated_ms = onset_ms
        self.turns.caller_began(onset_ms, words)

    def _date_words(self) -> None:
        """While the caller speaks, words come at an ordinary rate, but none of a silence that may end it."""
        sure_ms = self._hearing.clock_ms - self.session.pace.end_silence_ms
        while self._words:
            end_ms = self._dated_ms + len(self._words[0]) * MS_PER_CHARACTER
            if end_ms > sure_ms:
                return
            self._write(self._words.popleft(), self._dated_ms, end_ms)

    def _ended(self, end_ms: int) -> None:
        """The words that are left share what is left of the turn."""
        start_ms = min(self._dated_ms, end_ms)
        for part, begin_ms, done_ms in fragments("".join(self._words), start_ms, end_ms):
            self._write(part, begin_ms, done_ms)
        self._words.clear()
        self.turns.caller_ended(end_ms)

    def _write(self, part: str, start_ms: int, end_ms: int) -> None:
        session, self._dated_ms = self.session, end_ms

        def send() -> None:
            kind = "session.input_transcript.delta"
            session.send(kind, delta=part, start_ms=start_ms, end_ms=end_ms)

        session.clock.at(end_ms + session.pace.transcript_lag_ms, send)
