"""When a session is due to be replaced.

OpenAI ends a session at 60 minutes, or when its server says. A *refresh* by age is the user's
choice and off by default.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.engine.call_setup import RenewalPlan


class Why(Enum):
    """What makes a session due; an age asks for a refresh."""

    LIMIT = "limit"
    AGE = "age"


class SessionAge:
    """One session, from the moment at which its socket was open."""

    def __init__(self, plan: RenewalPlan, now_ms: int) -> None:
        self._plan = plan
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

    def _sooner(self, at_ms: int, why: Why) -> None:
        if self.due is None or at_ms < self.due[0]:
            self.due = at_ms, why
