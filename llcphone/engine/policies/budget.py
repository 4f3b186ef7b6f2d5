"""What a call costs, response by response, and what happens when that is enough.

OpenAI tells the tokens of a response with its end, not before. So a budget is noticed between two
answers: what is being said is finished, the agent says good-bye, and the call ends once that was heard;
the call costs about one answer and a good-bye more than its budget. A caller who goes on speaking is
answered, but only for ``grace_ms``: then the call ends wherever it is.

A response whose end never came (the caller hung up, the session died) was billed and is not in our sum:
``unbilled`` counts them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

from llcphone.engine.commands import Command, Note
from llcphone.engine.events import EndReason
from llcphone.engine.parts.timers import Timer
from llcphone.prices import Rates  # noqa: TC001  (the tape reads annotations)
from llcphone.realtime import usage as tokens
from llcphone.realtime.events import ResponseDone, Usage

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine
    from llcphone.engine.parts.turn_times import Turn

_REMEMBERED = 16
"""Responses whose end may be told twice."""


class AtLimit(Enum):
    """What a spent budget means."""

    GOODBYE = "goodbye"
    """The agent says good-bye, and the call ends."""
    HANG_UP = "hang_up"
    """The call ends when what is being said was heard."""
    NOTE = "note"
    """It is noted."""


@attrs.frozen
class MoneyPlan:
    """What a call may cost, by which prices."""

    rates: Rates | None = None
    """None: the model has no price, so the cost is unknown."""
    budget_usd: float = 0.0
    """0: no limit."""
    at_limit: AtLimit = AtLimit.GOODBYE
    goodbye_cue: str = "Time is up. Say one short good-bye now and ask nothing."
    grace_ms: int = 20_000
    spent_usd: float = 0.0
    """What older runs of this telephone call have cost."""


class Bill:
    """Tokens and money of one call so far."""

    def __init__(self, plan: MoneyPlan) -> None:
        self._plan = plan
        self._begun: set[str] = set()
        self._billed: dict[str, None] = {}
        self.usage = Usage()
        self.cost_usd: float | None = None if plan.rates is None else 0.0
        self.over = 0 < plan.budget_usd <= plan.spent_usd
        """The budget is spent."""

    @property
    def unbilled(self) -> int:
        """Responses that had begun, and whose tokens nobody told us."""
        return len(self._begun)

    @property
    def call_usd(self) -> float:
        """What the telephone call has cost in all its runs, as far as is known."""
        return self._plan.spent_usd + (self.cost_usd or 0.0)

    def begun(self, response_id: str) -> None:
        """A response was created: somebody will pay for it."""
        if response_id not in self._billed:
            self._begun.add(response_id)

    def done(self, event: ResponseDone, turn: Turn | None, out: list[Command]) -> None:
        """A response has ended and tells its tokens; an end that is told twice is paid once."""
        if event.response_id in self._billed:
            return
        self._begun.discard(event.response_id)
        self._billed[event.response_id] = None
        if len(self._billed) > _REMEMBERED:
            del self._billed[next(iter(self._billed))]
        if event.usage == Usage():
            return
        self.usage = tokens.add(self.usage, event.usage)
        cost_usd = None if self._plan.rates is None else self._plan.rates.cost_usd(event.usage)
        if turn is not None:
            turn.usage, turn.cost_usd = event.usage, cost_usd
        if cost_usd is not None and self.cost_usd is not None:
            self.cost_usd += cost_usd
            self.over = 0 < self._plan.budget_usd <= self.call_usd
        call_usd = None if self.cost_usd is None else self.call_usd
        fields = {"cost_usd": cost_usd, "call_usd": call_usd, "of_turn": turn is not None}
        out.append(Note("tokens", {**fields, "cached_share": round(tokens.cached_share(event.usage), 4)}))


class Budget:
    """Ends a call that has cost enough."""

    def __init__(self, engine: CallEngine, plan: MoneyPlan) -> None:
        self._engine = engine
        self._plan = plan
        self._noted = False

    def spent(self, now_ms: int, out: list[Command]) -> None:
        """The budget is spent: say so, and let the call end; the first time only."""
        if self._noted:
            return
        self._noted = True
        spent = {"call_usd": self._engine.talk.bill.call_usd, "budget_usd": self._plan.budget_usd}
        out.append(Note("budget spent", spent))
        if self._plan.at_limit is not AtLimit.NOTE:
            self._engine.timers.set(Timer.BUDGET, now_ms + self._plan.grace_ms)
            cue = self._plan.goodbye_cue if self._plan.at_limit is AtLimit.GOODBYE else ""
            self._engine.farewell.begin(EndReason.BUDGET, cue)
