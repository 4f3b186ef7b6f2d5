"""Whether a new call is taken, and why not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from llcphone.errors import NotAdmitted

if TYPE_CHECKING:
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.day_budget import DayBudget
    from llcphone.phone.endpoints import Endpoints
    from llcphone.phone.overload import Overload
    from llcphone.shared.shared import Shared

NO_MODEL = "no model session can be opened"
DRAINING = "draining"
BUDGET_SPENT = "the day's budget is spent"
NAME_TAKEN = "another process has this node's name"
FULL_ON_ALL_NODES = "at shared.max_calls"
_FIXES = {
    DRAINING: "use another server",
    NO_MODEL: "try again later; llcphone doctor examines the model's endpoint",
    NAME_TAKEN: "give each process a server.node of its own, and stop one of the two",
    BUDGET_SPENT: "wait until midnight UTC, or raise money.day_budget_usd",
}
"""Fixes of what no ended call helps."""


@attrs.define(eq=False)
class Admission:
    """What can keep new calls out."""

    _calls: LiveCalls
    _max_calls: int
    _endpoints: Endpoints
    _day_budget: DayBudget
    _overload: Overload
    _shared: Shared | None = None
    leaving: bool = False
    """New calls are taken, but the proxy in front of several nodes is to send them to the others."""
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
            NO_MODEL: self._endpoints.is_open,
            BUDGET_SPENT: self._day_budget.over,
            NAME_TAKEN: self._shared is not None and self._shared.beat.owner is not None,
        }
        return [reason for reason, holds in reasons.items() if holds] + self._overload.reasons()

    def check(self) -> None:
        """Raise ``NotAdmitted`` if no new call is taken."""
        if reasons := self.reasons():
            raise NotAdmitted(reasons[0], _FIXES.get(reasons[0], "try again when a call has ended"))

    def close(self) -> None:
        """Nothing begins any more."""
        self.draining = self.closing = True
