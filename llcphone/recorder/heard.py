"""The agent's audio on the line of a recording: where the caller heard it.

Twilio plays what it was sent, in order, from one buffer. So a piece is heard from when it was sent, or from
where the piece before it ends, unless it is held up on its way. Whether it was is known by its mark, which
Twilio sends back when the audio before it was played, or dropped by a clear:

    the mark is back when the audio should have ended   it was heard as expected
    it is back later                                    the audio was held up, and heard so much later
    it is back sooner, and a clear was sent             the clear has cut the audio there
    it is overdue                                       neither this audio nor what follows is heard yet

A stream without any marks is laid out as expected. Positions are samples of the line. Pure.
"""

from __future__ import annotations

from collections import deque

import attrs

from llcphone.audio import SILENCE
from llcphone.recorder.wav import RATE

_NEAR = RATE // 80
"""A mark within this of the expected moment is on time."""
_CUT = RATE // 50
"""A mark that is back so much sooner than expected was sent back for a clear."""
_OVERDUE = RATE // 25
"""A mark that is not back after this is late for certain."""
_HELD_UP = RATE // 2
"""A late mark that is back so long after a clear was held up with it: its audio met the clear, unheard."""
_OPEN = RATE
"""Audio whose mark is not even sent after this is laid out as expected."""
_NO_MARKS = 5 * RATE
"""If the first mark is not back after this, none will be."""
_MOST_AHEAD = 600 * RATE
"""Twilio keeps ten minutes; what comes on top it discards."""
_NOTHING = bytes((SILENCE,))


@attrs.define(eq=False)
class _Block:
    """Audio up to its mark, or up to a clear."""

    pieces: list[tuple[int, bytes]] = attrs.field(factory=list)
    """When each was sent, and its audio."""
    mark: str = ""
    """Empty: it was not sent."""
    mark_at: int = 0
    cut_at: int | None = None
    """A clear was sent then."""

    @property
    def is_closed(self) -> bool:
        """Nothing is added to it."""
        return bool(self.mark) or self.cut_at is not None

    def expected_end(self, free_at: int) -> int:
        """When its mark is back if nothing is held up; until ``free_at`` Twilio plays what came before."""
        for at, audio in self.pieces:
            free_at = max(free_at, at) + len(audio)
        return max(free_at, self.mark_at)


class Heard:
    """What the caller of one stream has heard of the agent."""

    def __init__(self) -> None:
        self._at = 0
        """All before it was taken."""
        self._line = bytearray()
        """What is settled, from there on; it may reach ahead of time, until a clear."""
        self._end = 0
        """Where that ends."""
        self._blocks: deque[_Block] = deque()
        self._unsettled = 0
        """Samples in them."""
        self._has_marks: bool | None = None
        """None: not known yet."""

    @property
    def size(self) -> int:
        """Samples that are kept here."""
        return len(self._line) + self._unsettled

    # -- what happens -----------------------------------------------------------------------

    def sent(self, audio: bytes, at: int) -> None:
        """Audio was sent."""
        audio = audio[: max(0, _MOST_AHEAD - self.size)]
        if audio:
            if not self._blocks or self._blocks[-1].is_closed:
                self._blocks.append(_Block())
            self._blocks[-1].pieces.append((at, audio))
            self._unsettled += len(audio)

    def mark_sent(self, name: str, at: int) -> None:
        """A mark was sent; without audio before it, it tells nothing."""
        if self._blocks and not self._blocks[-1].is_closed:
            self._blocks[-1].mark, self._blocks[-1].mark_at = name, at

    def clear_sent(self, at: int) -> None:
        """What is unheard when the clear arrives never will be."""
        for block in self._blocks:
            if block.cut_at is None:
                block.cut_at = at
        del self._line[max(0, at - self._at) :]
        self._end = min(self._end, at)

    def mark_back(self, name: str, earliest: int, latest: int) -> None:
        """A mark is back; when Twilio sent it is known but for these bounds."""
        if not any(block.mark == name for block in self._blocks):
            return
        self._has_marks = True
        while (block := self._take_block()).mark != name:
            if not (
                block.mark and block.cut_at is not None
            ):  # else it would be back before: it never arrived
                self._settle(block, until=block.cut_at)
        at, cut_at = (earliest + latest) // 2, block.cut_at
        if cut_at is not None and at >= cut_at - _NEAR:  # else it was on its way when the clear was sent
            late = at - block.expected_end(self._end)
            is_cut, is_unheard = late < -_CUT, late > _NEAR and at > cut_at + _HELD_UP
            if is_cut or is_unheard:
                self._settle(block, until=at if is_cut else self._end)
                while self._blocks and self._blocks[0].cut_at == cut_at:
                    self._take_block()
                return
        self._settle(block, late=self._lateness(block, earliest, latest))

    def _lateness(self, block: _Block, earliest: int, latest: int) -> int:
        """How long after the expected moment a block was heard.

        Audio that was sent while Twilio still played leaves no gap, unless it is late for certain.
        """
        expected = block.expected_end(self._end)
        late = (earliest + latest) // 2 - expected
        follows = not block.pieces or block.pieces[0][0] <= self._end
        return late if (earliest - expected if follows else late) > _NEAR else 0

    # -- what is known ----------------------------------------------------------------------

    def settle(self, received: int, now: int) -> int:
        """Settle what no mark will tell of; until where all is known then.

        Args:
            received: marks that are back by this moment have been told.
            now: nothing earlier is still to be sent.
        """
        while self._blocks:
            block = self._blocks[0]
            begin, expected = max(self._end, block.pieces[0][0]), block.expected_end(self._end)
            if block.mark and self._has_marks is None and received > expected + _NO_MARKS:
                self._has_marks = False
            if self._has_marks is not False:
                if block.mark:
                    overdue = received - expected - _OVERDUE if self._has_marks else 0
                    return min(now, begin + max(0, overdue))
                if not block.is_closed and now < block.pieces[-1][0] + _OPEN:
                    return min(now, begin)
            self._settle(self._take_block(), until=block.cut_at)
        return now

    def finish(self, received: int) -> None:
        """The stream is over: audio whose mark is overdue was not heard."""
        while self._blocks:
            block = self._take_block()
            if self._has_marks and block.mark and received > block.expected_end(self._end) + _OVERDUE:
                self._blocks.clear()
            else:
                self._settle(block, until=block.cut_at)

    def take(self, end: int) -> bytes:
        """What was heard until there, since the last time; behind it there is silence."""
        size = end - self._at
        audio = bytes(self._line[:size])
        del self._line[:size]
        self._at = end
        return audio

    # -- blocks -----------------------------------------------------------------------------

    def _take_block(self) -> _Block:
        block = self._blocks.popleft()
        self._unsettled -= sum(len(audio) for _, audio in block.pieces)
        return block

    def _drop(self, cut_at: int) -> None:
        """A clear has arrived: what is left of before it was not heard."""
        while self._blocks and self._blocks[0].cut_at == cut_at:
            self._take_block()

    def _settle(self, block: _Block, *, late: int = 0, until: int | None = None) -> None:
        """Lay a block out, so much later than expected, and not beyond a clear."""
        for sent_at, audio in block.pieces:
            at, late = max(self._end, sent_at) + late, 0
            heard = audio if until is None else audio[: max(0, until - at)]
            if heard:
                self._put(at, heard)

    def _put(self, at: int, audio: bytes) -> None:
        self._end = at + len(audio)
        place = at - self._at
        if place < 0:  # that part of the file says that it was silent
            audio, place = audio[-place:], 0
        self._line.extend(_NOTHING * (place - len(self._line)))
        self._line += audio
