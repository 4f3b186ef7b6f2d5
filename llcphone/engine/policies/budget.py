"""What happens when a call has cost enough.

OpenAI reports the tokens of a response at its end. So a spent budget is noticed between two answers: the
present answer is finished, the agent says good-bye, and the call ends after it. The call costs about one
answer and a good-bye more than its budget. If the caller keeps talking, the agent answers for up to
``grace_ms``; then the call ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.call_setup import AtLimit
from llcphone.engine.events import EndReason
from llcphone.engine.parts.timers import Timer

if TYPE_CHECKING:
    from llcphone.engine.commands import Command
    from llcphone.engine.policies.goodbye import Goodbye
    from llcphone.engine.state import CallState


class Budget:
    """Ends a call that has cost enough."""

    def __init__(self, state: CallState, *, goodbye: Goodbye) -> None:
        self._state = state
        self._plan = state.setup.money
        self._goodbye = goodbye
        self._noted = False

    def spent(self, now_ms: int, out: list[Command]) -> None:
        """The budget is spent: say so, and let the call end; the first time only."""
        if self._noted:
            return
        self._noted = True
        call_usd = self._state.talk.bill.call_usd
        out.append(notes.BudgetSpent(call_usd, self._plan.budget_usd))
        if self._plan.at_limit is not AtLimit.NOTE:
            self._state.timers.set(Timer.BUDGET, now_ms + self._plan.grace_ms)
            cue = self._plan.goodbye_cue if self._plan.at_limit is AtLimit.GOODBYE else ""
            self._goodbye.begin(EndReason.BUDGET, cue)
