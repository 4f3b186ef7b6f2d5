"""What one run of a call gives to its recording, on the event loop: references, and nothing is decoded.

A frame costs a clock reading and an append. What waits for a slow disk is bounded: of the caller the last
ten seconds are kept, and of all agents together so much as `Waiting` allows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from llcphone.recorder.layout import Layout
from llcphone.twilio.media import Media

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llcphone.recorder.wav import About
    from llcphone.twilio.media import PhoneMessage

    Clock = Callable[[], float]
    OnMessage = Callable[[bytes], None]

TOO_SLOW = "the disk is too slow"
_MOST_FRAMES = 500
_MOST_WAITING = 64 * 2**20


@attrs.define(eq=False)
class Waiting:
    """Agent audio of all calls that is not on disk, in bytes of base64."""

    size: int = 0

    def takes(self, payload: bytes) -> bool:
        """Count it, if there is room."""
        if self.size + len(payload) > _MOST_WAITING:
            return False
        self.size += len(payload)
        return True


@attrs.frozen
class Job:
    """What is to be written of a recording, taken from it at one moment."""

    recording: Recording
    received: list[bytes]
    came: list[float]
    """When each of them did."""
    sent: list[tuple[float, PhoneMessage]]
    size: int
    """What it holds of `Waiting`."""
    now_s: float
    last: bool

    def forget(self) -> None:
        """Let go of what was written; where that is done, it takes time."""
        for each in (self.received, self.came, self.sent):
            each.clear()


@attrs.define(eq=False)
class Recording:
    """One run of a call that is being recorded."""

    path: Path
    about: About
    born_at: float
    """Unix time of the run's birth ..."""
    born_s: float
    """... and the same by the clock."""
    follows: Path | None
    """The recording that this one goes on from: without it the caller was not told."""
    _clock: Clock
    _waiting: Waiting
    _begin: Callable[[Recording], None]
    """Told when the stream has come; it may end the recording at once."""
    layout: Layout = attrs.field(factory=Layout, init=False)
    """The writing thread's own."""
    label: bytes = attrs.field(default=b"", init=False)
    """What its file says about it; empty: there is no file yet. The writing thread's own."""
    ended_early: str = attrs.field(default="", init=False)
    """Why it has ended before its call; empty: it has not."""
    dropped: bool = attrs.field(default=False, init=False)
    """Frames were lost before they could be written."""
    _received: deque[bytes] = attrs.field(factory=lambda: deque(maxlen=_MOST_FRAMES), init=False)
    _came: deque[float] = attrs.field(factory=lambda: deque(maxlen=_MOST_FRAMES), init=False)
    """When each of them did. No pairs: the garbage collector would look at ten thousand of them a second."""
    _sent: list[tuple[float, PhoneMessage]] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)
    """What these hold of `Waiting`."""
    _closed_s: float | None = attrs.field(default=None, init=False)

    # -- for the call -----------------------------------------------------------------------

    def tap(self, on_message: OnMessage) -> OnMessage:
        """What takes the stream's messages in place of this function, and gives them to it."""
        self._begin(self)
        if self.ended_early:
            return on_message
        keep, keep_time, clock = self._received.append, self._came.append, self._clock

        def on_message_recorded(message: bytes) -> None:
            keep(message)
            keep_time(clock())
            on_message(message)

        return on_message_recorded

    def sent(self, message: PhoneMessage) -> None:
        """A message goes to the telephone."""
        if self.ended_early or self._closed_s is not None:
            return
        if isinstance(message, Media):
            if not self._waiting.takes(message.payload):
                self.ended_early = TOO_SLOW
                return
            self._size += len(message.payload)
        self._sent.append((self._clock(), message))

    def close(self) -> None:
        """The call is over; only the first time counts."""
        if self._closed_s is None:
            self._closed_s = self._clock()

    # -- for the recorder -------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Nothing more will come."""
        return self._closed_s is not None

    def take(self) -> Job:
        """What came since the last time."""
        now_s = self._clock() if self._closed_s is None else self._closed_s
        self.dropped = len(self._received) == _MOST_FRAMES
        job = Job(self, list(self._received), list(self._came), self._sent, self._size, now_s, self.closed)
        self._received.clear()
        self._came.clear()
        self._sent, self._size = [], 0
        return job

    def written(self, job: Job) -> None:
        """The job is done with, one way or another."""
        self._waiting.size -= job.size
