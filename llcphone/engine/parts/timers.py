"""The engine's deadlines in one table, so that "when next, and why" has one answer.

A timer may be early but never late: its owner looks again when it fires. So the path of a frame can move
a watchdog by writing one integer.
"""

from __future__ import annotations

from enum import StrEnum


class Timer(StrEnum):
    """Each reason the deadline task may wake for; a text, because a plain member hashes in Python."""

    SETUP = "model session due"
    TOKEN = "media stream due to join"
    START = "stream start due"
    STALL = "model due to say something"
    FILLER = "filler due"
    TOOL = "tool due to answer"
    QUIET = "irreversible tool due to run"
    TOOL_FILLER = "filler due while a tool works"
    PRIMED = "priming due to end"
    CARRIER = "word of the carrier due"
    PATIENCE = "callee due to speak first"
    GUARD = "greeting guard"
    MUTE = "caller muted while the agent begins"
    DOUBT = "speech over the agent due to be believed"
    SILENCE = "silence due to be broken"
    RESPONSE = "committed turn due to be answered"
    DUE = "quiet moment due"
    RENEW = "session due for renewal"
    GOODBYE = "goodbye due to be heard"
    FRAMES = "a sign of life of the phone due"
    FILL = "silence due in place of missing frames"
    FEED = "model due to be given audio"
    IDLE = "somebody due to speak"
    DEAD_AIR = "somebody due to be heard"
    BUDGET = "good-bye for want of money due to be over"
    LAST_WORD = "stored farewell due"
    LIMIT = "time limit"


class Timers:
    """Deadlines by reason, in milliseconds of the call's clock."""

    def __init__(self) -> None:
        self._at: dict[Timer, int] = {}
        self.next_ms: int | None = None

    def set(self, timer: Timer, at_ms: int) -> None:
        """Set or move a deadline."""
        before = self._at.get(timer)
        self._at[timer] = at_ms
        if self.next_ms is None or at_ms <= self.next_ms:
            self.next_ms = at_ms
        elif before == self.next_ms:
            self.next_ms = min(self._at.values())

    def clear(self, timer: Timer) -> None:
        """Forget a deadline; a missing one is fine."""
        if self._at.pop(timer, None) is not None:
            self.next_ms = min(self._at.values(), default=None)

    def arm(self, timer: Timer, at_ms: int | None) -> None:
        """Let a deadline stand at this time; None: not at all."""
        if self._at.get(timer) == at_ms:
            return
        if at_ms is None:
            self.clear(timer)
        else:
            self.set(timer, at_ms)

    def arm_early(self, timer: Timer, at_ms: int | None) -> None:
        """As ``arm``, for a watchdog that every delta pushes back: one that is set may be set too early."""
        standing = self._at.get(timer)
        if at_ms is None or standing is None or at_ms < standing:
            self.arm(timer, at_ms)

    def get(self, timer: Timer) -> int | None:
        """When this one is due, or None."""
        return self._at.get(timer)

    def pop_due(self, now_ms: int) -> list[Timer]:
        """Take out every deadline that has passed, earliest first."""
        due = sorted((at, timer.value, timer) for timer, at in self._at.items() if at <= now_ms)
        for _, _, timer in due:
            del self._at[timer]
        self.next_ms = min(self._at.values(), default=None)
        return [timer for _, _, timer in due]
