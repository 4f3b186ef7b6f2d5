"""When a session is due to be replaced.

OpenAI ends a session at 60 minutes, or when its server says. All else is the user's choice and off by
default: a *refresh* by age, by the size of the context, or because answers have become slower. Context
grows with a call, and answer times grow with context.
"""

from __future__ import annotations

from enum import Enum
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.engine.call_setup import RenewalPlan
    from llcphone.engine.parts.turn_times import Turn
    from llcphone.realtime.events import ResponseDone

_LEAST_AGE_MS = 120_000
"""No refresh for a large context or slow answers sooner: the fresh session may be no better."""

_SAMPLE = 5
"""Answer gaps compared: this many at the beginning of a session with as many at its end."""


class Why(Enum):
    """What makes a session due; all but the first ask for a refresh."""

    LIMIT = "limit"
    AGE = "age"
    TOKENS = "context"
    GAP = "answer gap"


class SessionAge:
    """One session, from the moment at which its socket was open."""

    def __init__(self, plan: RenewalPlan, now_ms: int, turns: Sequence[Turn]) -> None:
        self._plan = plan
        self._turns = turns
        self._since_ms = now_ms
        self.first_turn = len(turns)
        """The first that is its own."""
        self.due: tuple[int, Why] | None = None
        """When it is to be replaced, and why."""
        if plan.at_age_ms:
            self._sooner(now_ms + plan.at_age_ms, Why.LIMIT)
        if plan.refresh_age_ms:
            self._sooner(now_ms + plan.refresh_age_ms, Why.AGE)

    def expires(self, in_ms: int, now_ms: int) -> None:
        """The server has named the session's end."""
        if self._plan.at_age_ms:
            self._sooner(now_ms + in_ms - min(self._plan.margin_ms, in_ms // 4), Why.LIMIT)

    def response_done(self, event: ResponseDone, now_ms: int) -> None:
        """A response of the conversation has ended."""
        plan, used = self._plan, event.usage
        least_ms = max(now_ms, self._since_ms + _LEAST_AGE_MS)
        if plan.refresh_tokens and used.input_text + used.input_audio >= plan.refresh_tokens:
            self._sooner(least_ms, Why.TOKENS)
        if plan.refresh_gap_ms and self._gap_growth_ms() >= plan.refresh_gap_ms:
            self._sooner(least_ms, Why.GAP)

    def _sooner(self, at_ms: int, why: Why) -> None:
        if self.due is None or at_ms < self.due[0]:
            self.due = at_ms, why

    def _gap_growth_ms(self) -> float:
        own = self._turns[self.first_turn :]
        gaps = [gap for turn in own if turn.asked == "caller" and (gap := turn.answer_gap_ms) is not None]
        return median(gaps[-_SAMPLE:]) - median(gaps[:_SAMPLE]) if len(gaps) >= 2 * _SAMPLE else 0.0
