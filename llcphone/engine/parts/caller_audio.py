"""Keeps the caller's audio that only the model's session has, so that a lost session loses none of it.

OpenAI keeps the caller's turns as audio. When the socket dies, the turn being spoken and the turns not
yet answered die with it. This file keeps both, up to a limit:

    the present turn   is sent again to the next session, frame by frame, so that its turn detection works
                       on the same audio
    committed turns    are given to the next session as items in their place, until an answer was spoken
                       to its end
"""

from __future__ import annotations

import binascii
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS, payload_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAD_IN_FRAMES = 75
"""While the caller is silent: enough for the beginning of a word that turn detection has yet to notice."""

_TURN_FRAMES = 1500
"""Longest audio kept: 30 s of 20 ms frames, about 330 KB, only while somebody speaks that long."""


class CallerAudioBuffer:
    """The caller's audio that a lost session would take with it."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=_LEAD_IN_FRAMES)
        self._turns: dict[str, tuple[bytes, ...]] = {}
        self.add = self._frames.append
        """Remember a frame that was sent to the model; rebound when the span to keep changes."""

    def speech_started(self) -> None:
        """A turn began: keep all of it."""
        self._keep(deque(self._frames, maxlen=_TURN_FRAMES))

    def cleared(self) -> None:
        """What was kept is no part of a turn; all that comes is."""
        self._keep(deque(maxlen=_TURN_FRAMES))

    def committed(self, item_id: str, later_ms: int) -> None:
        """What was kept is this turn, save the last ``later_ms``: they came after its end."""
        later = self._last(later_ms)
        turn = tuple(islice(self._frames, len(self._frames) - later))
        self._turns[item_id] = turn
        while sum(map(len, self._turns.values())) > _TURN_FRAMES:
            del self._turns[next(iter(self._turns))]
        self._keep(deque(islice(self._frames, len(turn), None), maxlen=max(later, _LEAD_IN_FRAMES)))

    def answered(self) -> None:
        """An answer was spoken to its end: the turns before it need not be heard again."""
        self._turns.clear()

    def turn(self, item_id: str) -> bytes:
        """A committed turn as one payload; empty when it is not kept."""
        return joined(self._turns.get(item_id, ()))

    def has(self, item_id: str) -> bool:
        """Whether a committed turn is kept."""
        return item_id in self._turns

    def take(self) -> list[bytes]:
        """The present turn, in order; it is remembered again as it is sent."""
        frames = list(self._frames)
        self._keep(deque(maxlen=len(frames) + _LEAD_IN_FRAMES))
        return frames

    def forget(self) -> None:
        """No caller is heard any more."""
        self._turns.clear()
        self._keep(deque(maxlen=_LEAD_IN_FRAMES))

    def __len__(self) -> int:
        return len(self._frames) + sum(map(len, self._turns.values()))

    def _last(self, ms: int) -> int:
        """How many frames at the end make up at most ``ms`` milliseconds."""
        count = 0
        for frame in reversed(self._frames):
            ms -= payload_bytes(frame) // BYTES_PER_MS
            if ms < 0:
                break
            count += 1
        return count

    def _keep(self, frames: deque[bytes]) -> None:
        self._frames = frames
        self.add = frames.append


def joined(payloads: Iterable[bytes]) -> bytes:
    """Base64 payloads as one: each ends in padding of its own, so they are decoded and written anew."""
    bodies = (payload.rstrip(b"=") for payload in payloads)
    audio = b"".join(binascii.a2b_base64(body[: len(body) - (len(body) % 4 == 1)] + b"==") for body in bodies)
    return binascii.b2a_base64(audio, newline=False) if audio else b""
