"""Caller audio that only the model's session holds, kept so that a lost session loses none of it.

OpenAI keeps what the caller said as audio; when the socket dies, the turn being spoken and the turn
not yet answered die with it. Both are kept here until they are answered, bounded, and sent again to
the next session, whose turn detection then hears what the lost one heard.
"""

from __future__ import annotations

from collections import deque

_LEAD_IN_FRAMES = 75
"""While the caller is silent: enough for the beginning of a word that turn detection has yet to notice."""

_TURN_FRAMES = 1500
"""Longest turn kept: 30 s of 20 ms frames, about 330 KB, only while somebody speaks that long."""


class Recall:
    """The caller's unanswered audio."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=_LEAD_IN_FRAMES)
        self._unanswered: tuple[bytes, ...] = ()
        self.add = self._frames.append
        """Remember a frame that was sent to the model; rebound when the span to keep changes."""

    def speech_started(self) -> None:
        """A turn began: keep all of it."""
        self._keep(deque(self._frames, maxlen=_TURN_FRAMES))

    def committed(self) -> None:
        """The turn is the model's to answer."""
        self._unanswered += tuple(self._frames)
        self._unanswered = self._unanswered[-_TURN_FRAMES:]
        self._keep(deque(maxlen=_LEAD_IN_FRAMES))

    def answered(self) -> None:
        """The caller hears an answer: the turn need not be heard again."""
        self._unanswered = ()

    @property
    def owes_answer(self) -> bool:
        """A whole turn waits for its answer."""
        return bool(self._unanswered)

    def take(self) -> list[bytes]:
        """Everything to send to the next session, in order; it is remembered again as it is sent."""
        frames = [*self._unanswered, *self._frames]
        self._unanswered = ()
        self._keep(deque(maxlen=_TURN_FRAMES))
        return frames

    def _keep(self, frames: deque[bytes]) -> None:
        self._frames = frames
        self.add = frames.append
