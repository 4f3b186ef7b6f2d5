"""What the simulated caller hears, and when.

Twilio plays what the server sends in order, in real time, from one buffer. So a call needs only one number,
the moment at which the buffer runs empty (``free_at``): audio that arrives starts then, or now if that is
past. A mark is echoed when all audio before it has been played, at once if the buffer is empty; ``clear``
empties the buffer and returns all pending marks at once
(twilio.com/docs/voice/media-streams/websocket-messages). What exceeds ten minutes in the buffer is discarded
(error 31931).

Pure: times are integer samples (8 per millisecond) since the call began, and come in as arguments.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLES_PER_MS = 8
SAMPLES_PER_S = 8000
BUFFER_LIMIT = 10 * 60 * SAMPLES_PER_S
SILENCE = b"\xff"


@attrs.define
class Span:
    """Audio without a gap. ``voiced`` is false for digital silence (a pad of 0xFF or 0x7F)."""

    start: int
    length: int
    voiced: bool
    audio: bytearray

    @property
    def end(self) -> int:
        return self.start + self.length


@attrs.define
class Playout:
    """The buffer of one call and the caller behind it."""

    keep_audio: bool = True
    """Off saves the memory of what was heard (8 KB per second); times are always kept."""
    free_at: int = 0
    spans: list[Span] = attrs.field(factory=list)
    """All audio so far: what has been heard, then what waits in the buffer."""
    _marks: deque[tuple[int, str]] = attrs.field(factory=deque)

    def play(self, audio: bytes, now: int) -> bool:
        """Queue agent audio; False if part of it was discarded because the buffer is full."""
        start = max(now, self.free_at)
        room = BUFFER_LIMIT - (start - now)
        fits = len(audio) <= room
        if not fits:
            audio = audio[: max(0, room)]
        if audio:
            self._append(audio, start)
            self.free_at = start + len(audio)
        return fits

    def _append(self, audio: bytes, start: int) -> None:
        voiced = bool(audio.strip(b"\xff\x7f"))
        last = self.spans[-1] if self.spans else None
        if last is None or last.end != start or last.voiced is not voiced:
            last = Span(start, 0, voiced, bytearray())
            self.spans.append(last)
        last.length += len(audio)
        if self.keep_audio:
            last.audio += audio

    def mark(self, name: str, now: int) -> None:
        """A mark behind all audio queued so far."""
        self._marks.append((max(now, self.free_at), name))

    def clear(self, now: int) -> None:
        """Empty the buffer; every pending mark becomes due."""
        self._cut(now)
        self._marks = deque((now, name) for _, name in self._marks)

    def stop(self, now: int) -> None:
        """The stream is over: nothing more is heard, no mark comes back."""
        self._cut(now)
        self._marks.clear()

    def _cut(self, now: int) -> None:
        while self.spans and self.spans[-1].end > now:
            last = self.spans[-1]
            if last.start < now:
                last.length = now - last.start
                del last.audio[last.length :]
                break
            self.spans.pop()
        self.free_at = min(self.free_at, now)

    def due_marks(self, now: int) -> list[str]:
        """Takes out the marks whose audio has been played, in order."""
        names = []
        while self._marks and self._marks[0][0] <= now:
            names.append(self._marks.popleft()[1])
        return names

    @property
    def next_mark_at(self) -> int | None:
        """When the next mark is to be echoed."""
        return self._marks[0][0] if self._marks else None

    @property
    def pending_marks(self) -> int:
        return len(self._marks)

    def heard(self, now: int) -> list[tuple[int, bytes]]:
        """What has been heard by now: (start, audio) without gaps inside."""
        return [(s.start, bytes(s.audio[: now - s.start])) for s in self.spans if s.start < now]

    def between(self, begin: int, end: int) -> bytes:
        """What is heard from one sample to another, silence included."""
        line = bytearray(SILENCE * (end - begin))
        for span in reversed(self.spans):
            if span.end <= begin:
                break
            if span.start < end:
                first, last = max(begin, span.start), min(end, span.end)
                line[first - begin : last - begin] = span.audio[first - span.start : last - span.start]
        return bytes(line)

    def voiced(self, now: int) -> int:
        """Samples of agent voice heard by now; digital silence does not count."""
        return sum(min(s.end, now) - s.start for s in self.spans if s.voiced and s.start < now)

    def voiced_reaches(self, total: int) -> int | None:
        """When the voice heard adds up to ``total``, by what is queued; None if it does not yet."""
        missing = total
        for span in self.spans:
            if span.voiced:
                if span.length >= missing:
                    return span.start + missing
                missing -= span.length
        return None

    def voice_ends(self) -> int:
        """When the last voice queued so far ends (0: there was none)."""
        return next((s.end for s in reversed(self.spans) if s.voiced), 0)


def lay_out(pieces: Iterable[tuple[int, bytes]], total: int) -> bytes:
    """Pieces of audio on a line of silence, each at its own time, cut at ``total`` samples."""
    line = bytearray(SILENCE * total)
    for start, audio in pieces:
        piece = audio[: max(0, total - start)]
        line[start : start + len(piece)] = piece
    return bytes(line)
