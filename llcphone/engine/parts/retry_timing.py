"""How long a call waits for its model, and how soon it asks again.

A *trouble* is a lost session or an answer that failed. The first one starts a clock. If the agent was not
heard within ``limit_ms``, the call is given up. The pauses between tries grow. No try comes before the
moment that the server has named ("Please try again in 3.2s", Retry-After); if that moment is beyond the
limit, the call is given up at once. Hearing the agent stops the clock. Only an answer that was spoken to
its end makes the pauses short again.

A model that is only slow is waited for: each answer that did not come in time gives the next one more
time. Waiting is our own choice, so a stall starts the clock anew; the number of such starts in a row is
limited (``most``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.engine.call_setup import RecoveryPlan

PAUSES_MS = (250, 500, 1_000, 2_000)
"""Before the second, third, … try in a row; then always the last."""

_TRY_MS = 1_000
"""What a try takes when all is well: handshake, settings, first sound. The last one begins that early."""

_REST_MS = 4_000
"""A session that lasted this long while the caller waited for nothing was healthy."""

_SLOWER = 2
"""A slow model is allowed up to this many times ``stall_ms``."""

_ANY_SIGN = 3
"""A model that says anything but the answer is waited for up to this many times as long."""


class RetryTiming:
    """When one call asks its model again, and how long it waits."""

    def __init__(self, plan: RecoveryPlan) -> None:
        self._limit_ms = plan.limit_ms
        self._most = plan.most
        self._base_stall_ms = plan.stall_ms
        self._spread = plan.spread
        self._slow = 1
        self._in_row = 0
        self._tries = 0
        self._drawn = 0
        self._busy = False
        """The far side has asked for time, or the first try was made."""
        self._at_rest_ms: int | None = None
        self.until_ms: int | None = None
        """When the present trouble is given up; None while there is none."""
        self._endpoint = 0
        self._not_before_ms: dict[int, int] = {}

    @property
    def not_before_ms(self) -> int:
        """The earliest next try, as the present endpoint named it; 0: it named none."""
        return self._not_before_ms.get(self._endpoint, 0)

    def goes_to(self, endpoint: int) -> None:
        """The next try is made at this endpoint: only what that one has named counts."""
        self._endpoint = endpoint

    # -- asking again -----------------------------------------------------------------------

    def troubled(self, now_ms: int, *, stalled: bool = False) -> bool:
        """A session was lost or an answer failed; False when that happened too often in a row."""
        if self._at_rest_ms is not None:
            rested_ms, self._at_rest_ms = now_ms - self._at_rest_ms, None
            if rested_ms >= _REST_MS:
                self.until_ms = None  # that trouble was over
            if rested_ms >= self._limit_ms:
                self._in_row = self._tries = 0
        if stalled:
            self._slow = min(_SLOWER, self._slow + 1)
            self.until_ms = None  # waiting was our own choice
        if self.until_ms is None:
            self._in_row += 1
            self.until_ms = now_ms + self._limit_ms
        return self._in_row <= self._most

    def heed(self, wait_ms: int, now_ms: int) -> None:
        """The far side is busy, and perhaps says for how long: the next try is no first one."""
        self._busy = True
        self._not_before_ms[self._endpoint] = max(self.not_before_ms, now_ms + wait_ms)

    def pause_ms(self, now_ms: int, *, at_once: bool = False, elsewhere: bool = False) -> int | None:
        """The pause before the next try; None when it would come too late.

        Args:
            now_ms: the present moment.
            at_once: the first try in a row need not wait.
            elsewhere: it is made at another endpoint, and need not wait either.
        """
        if elsewhere:
            pause_ms = 0
        elif at_once and not (self._busy or self._tries):
            self._busy, pause_ms = True, 0
        else:
            pause_ms = self.growing_ms(self._tries)
            self._tries += 1
        named_ms = self.not_before_ms - now_ms
        if self.until_ms is not None:
            last_ms = self.until_ms - min(_TRY_MS, self._limit_ms // 4) - now_ms
            if self.not_before_ms > self.until_ms or (
                last_ms < min(pause_ms, PAUSES_MS[0]) and named_ms <= 0
            ):
                return None
            pause_ms = min(pause_ms, last_ms)
        return max(0, pause_ms, named_ms)

    def growing_ms(self, tries: int) -> int:
        """The pause after ``tries`` tries in a row, spread so that calls do not come back together."""
        pause_ms = PAUSES_MS[min(max(0, tries), len(PAUSES_MS) - 1)]
        if not self._spread:
            return pause_ms
        self._drawn += 1
        return round(pause_ms * self._spread[self._drawn % len(self._spread)])

    def too_late(self, now_ms: int) -> bool:
        """The named moment lies beyond the limit."""
        until_ms = now_ms + self._limit_ms if self.until_ms is None else self.until_ms
        return self.not_before_ms > until_ms

    # -- what went well ---------------------------------------------------------------------

    def nobody_waits(self, now_ms: int) -> None:
        """The caller waits for nothing from now on: if the session lasts, the trouble is over."""
        self._at_rest_ms = now_ms

    def agent_heard(self) -> None:
        """The caller hears the agent and does not wait in silence."""
        self.until_ms = None

    def answered(self, first_sound_ms: int | None) -> None:
        """An answer was spoken to its end; how long its first sound took, if known."""
        self.until_ms = None
        self._in_row = self._tries = 0
        self._busy = False
        if first_sound_ms is not None and first_sound_ms < self._base_stall_ms:
            self._slow = 1

    # -- waiting for a sound ----------------------------------------------------------------

    @property
    def stall_ms(self) -> int:
        """An answer that is due and does not come for this long is lost; 0: never."""
        return self._base_stall_ms * self._slow

    @property
    def stall_at_most_ms(self) -> int:
        """The same for a model that says something, but not the answer."""
        return self.stall_ms * _ANY_SIGN
