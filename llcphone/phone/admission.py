"""Whether a new call is taken, and why not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from llcphone.errors import NotAdmitted

if TYPE_CHECKING:
    from llcphone.phone.breaker import CircuitBreaker
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.day_budget import DayBudget
    from llcphone.phone.overload import Overload

NO_MODEL = "no model session can be opened"
DRAINING = "draining"
BUDGET_SPENT = "the day's budget is spent"
_FIXES = {
    DRAINING: "use another server",
    NO_MODEL: "try again later; llcphone doctor examines the model's endpoint",
    BUDGET_SPENT: "wait until midnight UTC, or raise money.day_budget_usd",
}
"""Fixes of what no ended call helps."""


@attrs.define(eq=False)
class Admission:
    """What can keep new calls out."""

    _calls: LiveCalls
    _max_calls: int
    _breaker: CircuitBreaker
    _day_budget: DayBudget
    _overload: Overload
    draining: bool = False
    """No new call is taken."""
    closing: bool = False
    """No caller comes back from a transfer either."""
    turned_away: Counter[str] = attrs.field(factory=Counter, init=False)
    """Callers who were given the fallback, by the first reason there was."""

    def reasons(self) -> list[str]:
        """Why a new call is given the fallback; empty when it is let in."""
        reasons = {
            DRAINING: self.draining,
            "at server.max_calls": len(self._calls) >= self._max_calls,
            NO_MODEL: self._breaker.is_open,
            BUDGET_SPENT: self._day_budget.over,
        }
        return [reason for reason, holds in reasons.items() if holds] + self._overload.reasons()

    def check(self) -> None:
        """Raise ``NotAdmitted`` if no new call is taken."""
        if reasons := self.reasons():
            raise NotAdmitted(reasons[0], _FIXES.get(reasons[0], "try again when a call has ended"))

    def close(self) -> None:
        """Nothing begins any more."""
        self.draining = self.closing = True
