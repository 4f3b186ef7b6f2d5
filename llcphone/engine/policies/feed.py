"""A Live session is given audio all the time: what it was given is its clock.

It neither speaks nor takes what it is told while it is given nothing, and after half a minute it ends. So
silence takes the place of frames that do not come: before the media stream starts, and when the telephone
sends nothing. ``CallEngine.hear`` does the same for frames that are held back. That silence counts as audio
that the model has, never as frames of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS, silence_payload
from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.timers import Timer
from llcphone.realtime.messages import AppendAudio

if TYPE_CHECKING:
    from llcphone.engine.call_setup import LivePlan
    from llcphone.engine.state import CallState

_MOST_MS = 1_000
"""Longest silence given at once: after a longer gap the process was held up, and the frames of that time
still come."""


class Feed:
    """The input of one call's Live sessions."""

    def __init__(self, state: CallState, plan: LivePlan) -> None:
        self._state = state
        self._every_ms = plan.feed_every_ms
        self._leg_number = 0
        self._fed_ms = 0
        """Up to when the present session was given silence."""

    def settle(self, now_ms: int) -> None:
        """After every event: look out for missing frames."""
        session = self._state.session
        if session.ready and self._leg_number != session.leg_number:
            self._leg_number, self._fed_ms = session.leg_number, now_ms
        self._state.timers.arm_early(Timer.FEED, self._due_ms())

    def _due_ms(self) -> int | None:
        return self._given_ms + self._every_ms if self._state.session.ready else None

    @property
    def _given_ms(self) -> int:
        """Up to when the session was given anything."""
        return max(self._fed_ms, self._state.last_frame_ms)

    def look(self, now_ms: int, out: list[Command]) -> None:
        """The timer rings: give it the silence that the telephone did not send."""
        due_ms = self._due_ms()
        if due_ms is None or due_ms > now_ms:
            return  # frames have come since
        ms = min(now_ms - self._given_ms, _MOST_MS)
        self._state.appended_bytes += ms * BYTES_PER_MS
        self._fed_ms = now_ms
        out.append(SendModel(AppendAudio(silence_payload(ms))))
