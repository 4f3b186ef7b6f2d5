"""Where the audio of one media stream lies in time: the caller as received, the agent as heard.

The line of a recording begins when the stream starts, and counts samples.

    caller   Twilio dates each frame (``timestamp``), so what came late lies where it belongs, and what was
             lost is silence. The dates are joined to our clock by the frames that came fastest.
    agent    Twilio plays what it was sent, in order, from one buffer. So a piece begins when it was sent or
             where the piece before it ends, whichever is later; a clear cuts what is unheard by then.

Clocks of two machines drift apart. When the fastest frames of the last seconds come later than before, so
does, on this line, all that is dated by our clock.

Used by one thread at a time; times come in as arguments.
"""

from __future__ import annotations

import binascii
from collections import deque
from typing import TYPE_CHECKING

import attrs
import msgspec

from llcphone.audio import SILENCE, padded
from llcphone.recorder.wav import RATE, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_MS = RATE // 1000
_WINDOW = 20
"""Batches whose fastest frames say how far our clock and Twilio's are apart: ten seconds."""
_MOST_OFF = 60 * RATE
"""A frame that is dated further from its arrival is dated wrongly, or too late to be put in its place."""
_JITTER = RATE // 10
"""Frames without a date that come within this of the end of the one before follow it."""
_MOST_AHEAD = 600 * RATE
"""Twilio keeps ten minutes; what comes on top it discards."""
_NOTHING = bytes((SILENCE,))


Frame = tuple[float, int | None, bytes]
"""When it came, where Twilio dates it, and its audio."""


class _Audio(msgspec.Struct, gc=False):
    payload: bytes
    """Base64, which is decoded in the same pass."""
    timestamp: int | None = None
    """In milliseconds; Twilio writes it as text."""


class _Start(msgspec.Struct, rename="camel"):
    call_sid: str = ""


class _Message(msgspec.Struct, gc=False):
    event: str
    media: _Audio | None = None
    start: _Start | None = None


class _OddAudio(msgspec.Struct):
    payload: str
    timestamp: object = None


class _OddMessage(msgspec.Struct):
    event: str
    media: _OddAudio


_read_usual = msgspec.json.Decoder(_Message, strict=False).decode
_read_odd = msgspec.json.Decoder(_OddMessage).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error)
"""What the call has met, too, and counted."""


@attrs.frozen
class Piece:
    """A stretch of the file: both channels, from that sample on."""

    at: int
    samples: int
    caller: list[tuple[int, bytes]]
    """Frames by where they begin."""
    agent: bytes
    """From sample ``agent_at`` on; before it the file has the agent already."""
    agent_at: int

    def over(self, there: bytes) -> bytes:
        """Its bytes for the file, which has these at its beginning already."""
        both = bytearray(there[: self.samples * WIDTH])
        both.extend(_NOTHING * (self.samples * WIDTH - len(both)))
        for at, frame in self.caller:
            place = (at - self.at) * WIDTH
            both[place : place + len(frame) * WIDTH : WIDTH] = frame
        place = (self.agent_at - self.at) * WIDTH + 1
        both[place : place + len(self.agent) * WIDTH : WIDTH] = self.agent
        return bytes(both)


class Layout:
    """The line of one recording."""

    def __init__(self) -> None:
        self.began_s: float | None = None
        """When the stream started, by our clock."""
        self.call_sid = ""
        """Twilio's id of the call; one that we dial is born without it."""
        self.written = 0
        """Samples that are laid out."""
        self.over = False
        """Nothing follows."""
        self._end_s: float | None = None
        self._caller: list[tuple[int, bytes]] = []
        self._caller_end = -_JITTER
        self._shift: int | None = None
        """From a frame's own date to the line."""
        self._fastest: deque[int] = deque(maxlen=_WINDOW)
        self._drift = 0
        self._ahead = bytearray()
        """Agent audio from ``written`` on that may yet be cut."""

    def add(
        self,
        received: Sequence[tuple[float, bytes]],
        sent: Sequence[tuple[float, bytes | None]],
        now_s: float,
        *,
        last: bool,
    ) -> Piece | None:
        """Lay out what came until now; None: nothing has begun.

        Args:
            received: the stream's messages and when each came.
            sent: base64 of audio, or None for a clear, and when each was sent.
            now_s: nothing earlier is still to come.
            last: nothing at all is.
        """
        self._take_received(received)
        if self.began_s is None:
            self.over = last
            return None
        end_s = now_s if self._end_s is None else min(self._end_s, now_s)
        for at_s, payload in sent:
            if at_s <= end_s:
                self._take_sent(payload, self._place(at_s))
        self.over = last or self._end_s is not None
        return self._piece(max(self.written, self._place(end_s)))

    def _place(self, at_s: float) -> int:
        """Where a moment of our clock lies."""
        assert self.began_s is not None
        return round((at_s - self.began_s) * RATE) + self._drift

    # -- the caller -------------------------------------------------------------------------

    def _take_received(self, received: Sequence[tuple[float, bytes]]) -> None:
        frames: list[Frame] = []
        for at_s, text in received:
            try:
                message = _read(text)
            except _UNREADABLE:
                continue
            if message.event == "media" and message.media is not None:
                frames.append((at_s, message.media.timestamp, message.media.payload))
            elif message.event == "start" and self.began_s is None:
                self.began_s = at_s
                self.call_sid = message.start.call_sid if message.start is not None else ""
            elif message.event == "stop" and self._end_s is None:
                self._end_s = at_s
        if frames:
            if self.began_s is None:
                self.began_s = frames[0][0]
            self._join_clocks(frames)
            self._put(frames)

    def _join_clocks(self, frames: Sequence[Frame]) -> None:
        began_s = self.began_s or 0.0
        lags = [(at_s - began_s) * RATE - date * _PER_MS for at_s, date, _ in frames if date is not None]
        if not lags:
            return
        fastest = round(min(lags))
        if self._shift is None:
            self._shift = fastest
        elif abs(fastest - self._shift) > _MOST_OFF:
            return
        self._fastest.append(fastest)
        self._drift = self._shift - min(self._fastest)

    def _put(self, frames: Sequence[Frame]) -> None:
        """Frames that follow each other go in one piece."""
        shift, begin, end = self._shift or 0, self._caller_end, self._caller_end
        latest = self._place(frames[-1][0]) + _MOST_OFF
        run: list[bytes] = []
        for at_s, date, audio in frames:
            if date is None or date * _PER_MS + shift != end:
                self._keep(begin, run, latest)
                run = []
                begin = end = self._begin_of(at_s, date, end)
            run.append(audio)
            end += len(audio)
        self._keep(begin, run, latest)
        self._caller_end = end

    def _begin_of(self, at_s: float, date: int | None, end: int) -> int:
        """Where a frame lies that does not follow the one before, by its date alone."""
        arrived = self._place(at_s)
        if date is not None and self._shift is not None:
            at = date * _PER_MS + self._shift
            if abs(at - arrived) <= _MOST_OFF:
                return at
        return end if abs(end - arrived) < _JITTER else arrived

    def _keep(self, begin: int, run: Sequence[bytes], latest: int) -> None:
        """The file is not changed further back than a minute, and nothing waits for longer."""
        if run and max(0, self.written - _MOST_OFF) <= begin <= latest:
            self._caller.append((begin, b"".join(run)))

    # -- the agent --------------------------------------------------------------------------

    def _take_sent(self, payload: bytes | None, at: int) -> None:
        ahead = self._ahead
        at = max(0, at - self.written)
        if payload is None:
            del ahead[at:]
            return
        try:
            audio = _decoded(payload)
        except _UNREADABLE:
            return
        if len(ahead) < at:
            ahead.extend(_NOTHING * (at - len(ahead)))
        ahead += audio[: max(0, at + _MOST_AHEAD - len(ahead))]

    # -- both -------------------------------------------------------------------------------

    def _piece(self, end: int) -> Piece | None:
        ready = [(at, audio[: end - at]) for at, audio in self._caller if at < end]
        rest = [(max(at, end), audio[max(0, end - at) :]) for at, audio in self._caller]
        self._caller = [each for each in rest if each[1]]
        begin = min([self.written, *(at for at, _ in ready)])
        if begin == end:
            return None
        agent = bytes(self._ahead[: end - self.written])
        del self._ahead[: end - self.written]
        piece = Piece(begin, end - begin, ready, agent, self.written)
        self.written = end
        return piece


def _decoded(payload: bytes) -> bytes:
    try:
        return binascii.a2b_base64(payload)
    except binascii.Error:
        return binascii.a2b_base64(padded(payload))


def _read(text: bytes) -> _Message:
    """A message; of audio without padding, or with another date than a number, what can be read of it."""
    try:
        return _read_usual(text)
    except msgspec.ValidationError:
        odd = _read_odd(text)
        return _Message(odd.event, _Audio(_decoded(odd.media.payload.encode())))
