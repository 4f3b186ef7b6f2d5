"""Where the audio of one media stream lies in time: the caller as received, the agent as heard.

The line of a recording begins when the stream starts, and counts samples.

    caller   Twilio dates each frame (``timestamp``), so what came late lies where it belongs, and what was
             lost is silence. The dates are joined to our clock by the frames that came fastest.
    agent    By when it was sent, and when its marks came back (`heard`). A mark comes between two frames, so
             their dates tell when Twilio sent it, however late it came.

Clocks of two machines drift apart. When the fastest frames of the last seconds come later than before, so
does, on this line, all that is dated by our clock.

Used by one thread at a time; times come in as arguments.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from llcphone.audio import SILENCE
from llcphone.recorder.heard import Heard
from llcphone.recorder.messages import UNREADABLE, decoded, read_all
from llcphone.recorder.wav import RATE, WIDTH
from llcphone.twilio.media import Clear, Mark, Media

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.twilio.media import PhoneMessage

_PER_MS = RATE // 1000
_WINDOW = 20
"""Batches whose fastest frames say how far our clock and Twilio's are apart: twenty seconds."""
_MOST_OFF = 60 * RATE
"""A frame that is dated further from its arrival is dated wrongly, or too late to be put in its place."""
_JITTER = RATE // 10
"""Frames without a date that come within this of the end of the one before follow it."""
_MOST_LATE = 5 * RATE
"""A mark that has not come by then is not waited for."""
_NOTHING = bytes((SILENCE,))


Frame = tuple[float, int | None, bytes]
"""When it came, where Twilio dates it, and its audio."""


@attrs.frozen
class _Echo:
    """A mark that came back."""

    name: str
    at_s: float
    before: int | None
    """The date of the frame before it ..."""
    after: int | None = None
    """... and of the one behind it, None: it has no date, or has not come yet."""


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
        self._latest: Frame | None = None
        """The last frame."""
        self._echoes: list[_Echo] = []
        """Those behind it."""
        self._heard = Heard()

    def add(
        self,
        received: Sequence[tuple[float, bytes]],
        sent: Sequence[tuple[float, PhoneMessage]],
        now_s: float,
        *,
        last: bool,
    ) -> Piece | None:
        """Lay out what came until now; None: nothing has begun.

        Args:
            received: the stream's messages and when each came.
            sent: what was sent, and when.
            now_s: nothing earlier is still to come.
            last: nothing at all is.
        """
        echoes = self._take_received(received)
        if self.began_s is None:
            self.over = last
            return None
        end_s = now_s if self._end_s is None else min(self._end_s, now_s)
        for at_s, message in sent:
            if at_s <= end_s:
                self._take_sent(message, self._place(at_s))
        self.over = last or self._end_s is not None
        if self.over:
            echoes, self._echoes = [*echoes, *self._echoes], []
        for echo in echoes:
            self._heard.mark_back(echo.name, *self._bounds_of(echo))
        end = self._place(end_s)
        known = max(self._received_until(end_s), end - _MOST_LATE)
        if self.over:
            self._heard.finish(known)
        else:
            end = self._heard.settle(known, end)
        return self._piece(max(self.written, end))

    def _place(self, at_s: float) -> int:
        """Where a moment of our clock lies."""
        assert self.began_s is not None
        return round((at_s - self.began_s) * RATE) + self._drift

    # -- the caller -------------------------------------------------------------------------

    def _take_received(self, received: Sequence[tuple[float, bytes]]) -> list[_Echo]:
        """The marks that have come back, and behind which a frame has come."""
        frames: list[Frame] = []
        echoes: list[_Echo] = []
        for (at_s, _), message in zip(received, read_all([text for _, text in received]), strict=True):
            if message is None:
                continue
            if message.event == "media" and message.media is not None:
                self._latest = frame = (at_s, message.media.timestamp, message.media.payload)
                frames.append(frame)
                if self._echoes:
                    echoes += [attrs.evolve(echo, after=frame[1]) for echo in self._echoes]
                    self._echoes = []
            elif message.event == "mark" and message.mark is not None:
                date = self._latest[1] if self._latest else None
                self._echoes.append(_Echo(message.mark.name, at_s, date))
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
        return echoes

    def _bounds_of(self, echo: _Echo) -> tuple[int, int]:
        """When a mark was sent back: between two frames, though all three may have been held up."""
        arrived = self._place(echo.at_s)
        after, before = self._dated(echo.at_s, echo.after), self._dated(echo.at_s, echo.before)
        latest = arrived if after is None else min(arrived, after)
        earliest = latest if before is None else before
        return earliest, max(earliest, latest)

    def _received_until(self, end_s: float) -> int:
        """All that was sent to us before that has come."""
        if self._latest is None:
            return self._place(end_s)
        at_s, date, _ = self._latest
        dated = self._dated(at_s, date)
        return self._place(at_s) if dated is None else dated

    def _dated(self, at_s: float, date: int | None) -> int | None:
        """Where a frame lies by its date; None: it has none that can be right."""
        if date is None or self._shift is None:
            return None
        at = date * _PER_MS + self._shift
        return at if abs(at - self._place(at_s)) <= _MOST_OFF else None

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
        if (dated := self._dated(at_s, date)) is not None:
            return dated
        arrived = self._place(at_s)
        return end if abs(end - arrived) < _JITTER else arrived

    def _keep(self, begin: int, run: Sequence[bytes], latest: int) -> None:
        """The file is not changed further back than a minute, and nothing waits for longer."""
        if run and max(0, self.written - _MOST_OFF) <= begin <= latest:
            self._caller.append((begin, b"".join(run)))

    # -- the agent --------------------------------------------------------------------------

    def _take_sent(self, message: PhoneMessage, at: int) -> None:
        match message:
            case Media(payload):
                try:
                    self._heard.sent(decoded(payload), at)
                except UNREADABLE:
                    return
            case Mark(name):
                self._heard.mark_sent(name, at)
            case Clear():
                self._heard.clear_sent(at)

    # -- both -------------------------------------------------------------------------------

    def _piece(self, end: int) -> Piece | None:
        ready = [(at, audio[: end - at]) for at, audio in self._caller if at < end]
        rest = [(max(at, end), audio[max(0, end - at) :]) for at, audio in self._caller]
        self._caller = [each for each in rest if each[1]]
        begin = min([self.written, *(at for at, _ in ready)])
        if begin == end:
            return None
        piece = Piece(begin, end - begin, ready, self._heard.take(end), self.written)
        self.written = end
        return piece
