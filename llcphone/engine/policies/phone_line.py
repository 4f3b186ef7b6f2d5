"""Whether the telephone is still there, and silence in place of frames that do not come.

Twilio sends 50 frames a second, also for silence. But a caller who is on hold, who has muted the
telephone, or whose network sends no packets for silence may send none for minutes. Two things must not
depend on frames alone:

    life    a stream is dead when nothing comes from it: no frame, no mark, no key. After some seconds of
            that the engine sends a mark of its own. Twilio returns a mark at once when no audio is queued
            before it, so a returned mark shows that the line is alive.
    turns   the model detects turns in audio time. While it waits for the end of one, the engine fills in
            missing frames by the clock, up to a limit. If that does not end the turn either, the floor is
            free.

Filled silence counts as audio that the model has, never as frames of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import silence_payload
from llcphone.engine import notes
from llcphone.engine.commands import Command, EndCall, SendPhone
from llcphone.engine.events import EndReason
from llcphone.engine.parts.timers import Timer
from llcphone.engine.status import Floor
from llcphone.twilio.media import Mark

if TYPE_CHECKING:
    from llcphone.engine.state import CallState

_ASK_AFTER_MS = 4_000
"""A line that sends nothing for this long is asked; the rest of the limit is its time to answer."""

_LATE_MS = 500
"""Frames that come later than this are missing. Turn detection waits as long, so no turn ends later."""

FILL_MS = 10_000
"""Longest silence filled in for one gap: above the longest patience of any turn detection (8 s)."""

_FILL_EVERY_MS = 100
_FRAME_MS = 20
_FRAME = silence_payload(_FRAME_MS)


class PhoneLine:
    """What is heard of one call's telephone."""

    def __init__(self, state: CallState) -> None:
        dead_ms = state.setup.limits.dead_stream_ms
        self._state = state
        self._dead_ms = dead_ms
        self._ask_after_ms = min(_ASK_AFTER_MS, dead_ms * 2 // 5)
        self._heard_ms = 0
        """When it last gave another sign of life than a frame."""
        self._asked = 0
        self._asked_ms: int | None = None
        """When the question was sent that has no answer yet."""
        self._gap_from_ms = 0
        """The last frame before the gap that is being filled."""
        self._filled_ms = 0

    # -- life -------------------------------------------------------------------------------

    def stream_started(self, now_ms: int) -> None:
        """Frames are due from now on."""
        self._heard_ms = now_ms
        self._state.timers.set(Timer.FRAMES, now_ms + self._ask_after_ms)

    def heard(self, now_ms: int) -> None:
        """The phone said something else than audio."""
        self._heard_ms = now_ms
        if self._asked_ms is not None:  # the next silence begins here, and is asked about in its turn
            self._asked_ms = None
            self._state.timers.set(Timer.FRAMES, now_ms + self._ask_after_ms)

    def echoed(self, mark: str, now_ms: int) -> bool:
        """A mark came back; whether it was our question, which proves nothing about what was played."""
        self.heard(now_ms)
        return mark == self._mark

    def look(self, now_ms: int, out: list[Command]) -> None:
        """The timer rings: ask a line that says nothing, give up one that does not answer."""
        last_ms = max(self._state.last_frame_ms, self._heard_ms)
        next_ms = last_ms + self._ask_after_ms
        if now_ms - last_ms >= self._dead_ms:
            out.append(EndCall(EndReason.STREAM_DEAD))
        elif now_ms >= next_ms:
            if self._asked_ms is None or self._asked_ms < last_ms:
                self._asked, self._asked_ms = self._asked + 1, now_ms
                out.append(SendPhone(Mark(self._mark)))
            next_ms = last_ms + self._dead_ms
        self._state.timers.set(Timer.FRAMES, next_ms)

    @property
    def _mark(self) -> str:
        return f"here{self._asked}"

    # -- turns ------------------------------------------------------------------------------

    @property
    def left_open(self) -> bool:
        """The caller's turn was begun and not ended: neither by frames, nor by the silence in their place."""
        return self._filled_ms >= FILL_MS and self._gap_from_ms == self._state.last_frame_ms

    def settle(self) -> None:
        """After every event: while a turn waits for its end, look out for missing frames."""
        self._state.timers.arm_early(Timer.FILL, self._fill_at_ms())

    def _fill_at_ms(self) -> int | None:
        state, talk = self._state, self._state.talk
        if state.setup.live is not None:
            return None  # ``feed`` gives it silence, whoever has the floor
        if not (state.gate.open and (talk.floor is Floor.CALLER or talk.in_doubt)):
            return None
        last_ms = state.last_frame_ms
        if self._gap_from_ms != last_ms:
            return last_ms + _LATE_MS
        return last_ms + min(self._filled_ms + _FILL_EVERY_MS, FILL_MS) if self._filled_ms < FILL_MS else None

    def fill(self, now_ms: int, out: list[Command]) -> bool:
        """The timer rings: send the model the silence that the phone did not.

        Returns whether that was all there will be, and the turn is still open.
        """
        at_ms = self._fill_at_ms()
        if at_ms is None or at_ms > now_ms:
            return False  # frames have come since, or they are not needed any more
        last_ms = self._state.last_frame_ms
        if self._gap_from_ms != last_ms:
            self._gap_from_ms, self._filled_ms = last_ms, 0
            out.append(notes.FramesMissing())
        missing = (min(now_ms - last_ms, FILL_MS) - self._filled_ms) // _FRAME_MS
        self._state.append([_FRAME] * missing, out)
        self._filled_ms += missing * _FRAME_MS
        if self.left_open:
            self._state.talk.turn_left_open(now_ms, out)
        return self.left_open
