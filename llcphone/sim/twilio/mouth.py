"""The simulated caller's mouth: one frame every 20 ms, for the whole call, silence included.

A telephone never stops sending. Frames go out on absolute deadlines of Trio's clock, so a late one is
followed by a burst, as on a real network, and nothing drifts. What the mouth says while nothing listens is
lost, as it is between two streams of a real call.
"""

from __future__ import annotations

import base64
import random
from collections import deque
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from llcphone.sim.twilio.playout import SAMPLES_PER_MS, SILENCE

if TYPE_CHECKING:
    from llcphone.sim.twilio.record import CallLog


class Listener(Protocol):
    """What takes the caller's frames at present: a media stream, or a voicemail recording."""

    async def hear_frame(self, payload: str, frame_ms: int) -> None:
        """Take one frame as base64."""

    async def hear_digit(self, digit: str) -> None:
        """Take one key press."""


@attrs.define
class Mouth:
    """Speaks for one caller."""

    log: CallLog
    frame_ms: int = 20
    """Twilio's frames are 20 ms; longer ones make long silent calls cheap to simulate."""
    comfort_noise: bool = False
    """Silence as a telephone line has it (0xFF and 0x7F mixed) instead of pure 0xFF."""
    listener: Listener | None = None
    said: list[tuple[int, bytearray]] = attrs.field(factory=list)
    """(start in samples since the call began, audio) of all speech."""
    last_said_at: int = 0
    _frames: deque[bytes] = attrs.field(factory=deque)
    _digits: deque[str] = attrs.field(factory=deque)
    _silences: list[str] = attrs.field(factory=list)
    _sent: int = 0
    _queued: int = 0
    _tickets: set[int] = attrs.field(factory=set)
    """Of speech that is not over."""

    async def run(self) -> None:
        self._silences = self._make_silences()
        began_at = trio.current_time()
        frame = 0
        while True:
            frame += 1
            await trio.sleep_until(began_at + frame * self.frame_ms / 1000)
            await self._send(self._next_payload(frame))

    def speak_nowait(self, audio: bytes) -> int:
        """Queue speech; the last frame is filled with silence. Returns a ticket for ``wait_said``."""
        size = self.frame_ms * SAMPLES_PER_MS
        pieces = [audio[at : at + size].ljust(size, SILENCE) for at in range(0, len(audio), size)]
        self._frames.extend(pieces)
        self._queued += len(pieces)
        self._tickets.add(self._queued)
        return self._queued

    def press(self, digits: str) -> None:
        """Press keys; one goes out with each frame."""
        self._digits.extend(digits)

    def stop_listener(self, listener: Listener) -> None:
        """That listener takes no more frames."""
        if self.listener is listener:
            self.listener = None

    def was_said(self, ticket: int) -> bool:
        """True when the speech of that ticket is over."""
        return self._sent >= ticket

    @property
    def queued_ms(self) -> int:
        """Speech that is still to be said."""
        return len(self._frames) * self.frame_ms

    def fall_silent(self) -> None:
        """Forget speech that is queued."""
        self._sent += len(self._frames)
        self._frames.clear()
        self._tickets.clear()
        self.log.changed.unpark_all()

    async def _send(self, payload: str) -> None:
        """One frame, and a key if one is pressed, to whatever listens."""
        digit = self._digits.popleft() if self._digits else ""
        if self.listener is not None:
            await self.listener.hear_frame(payload, self.frame_ms)
        if self.listener is not None and digit:
            await self.listener.hear_digit(digit)
            self.log.changed.unpark_all()

    def _next_payload(self, frame: int) -> str:
        if not self._frames:
            return self._silences[frame % len(self._silences)]
        audio = self._take_frame()
        self._note_said(audio, self.log.now)
        self.last_said_at = self.log.now + len(audio)
        return base64.b64encode(audio).decode()

    def _take_frame(self) -> bytes:
        """The next frame of queued speech."""
        self._sent += 1
        if self._sent in self._tickets:
            self._tickets.remove(self._sent)
            self.log.changed.unpark_all()
        return self._frames.popleft()

    def _note_said(self, audio: bytes, at: int) -> None:
        if self.said and abs(at - self.said[-1][0] - len(self.said[-1][1])) < len(audio):
            self.said[-1][1].extend(audio)  # the same utterance, whatever the scheduler did to this frame
        else:
            self.said.append((at, bytearray(audio)))

    def _make_silences(self) -> list[str]:
        size = self.frame_ms * SAMPLES_PER_MS
        if not self.comfort_noise:
            return [base64.b64encode(SILENCE * size).decode()]
        noise = random.Random(8000)  # the same line noise in every run
        return [
            base64.b64encode(bytes(noise.choices(b"\xff\x7f\xfe\x7e", k=size))).decode() for _ in range(50)
        ]
