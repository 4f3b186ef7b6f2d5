"""Tokens and cost of one call so far.

A Live session is billed by its seconds, of which it reports the sum so far. The tokens of its backend are
billed besides.

A response whose end never came (the caller hung up, the session died) was billed by OpenAI and is not in
our sum. ``unbilled`` counts these responses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.realtime import usage as tokens
from llcphone.realtime.events import Usage

if TYPE_CHECKING:
    from llcphone.engine.call_setup import MoneyPlan
    from llcphone.engine.commands import Command
    from llcphone.engine.parts.turn_times import Turn
    from llcphone.prices import Rates
    from llcphone.realtime.events import BackendDone, ResponseDone

_REMEMBERED = 16
"""Responses whose end may be reported twice."""


class Bill:
    """Tokens and money of one call so far."""

    def __init__(self, plan: MoneyPlan) -> None:
        self._plan = plan
        self._rates = plan.rates
        self._begun: set[str] = set()
        self._billed: dict[str, None] = {}
        self.usage = Usage()
        self.seconds = 0
        """Of all Live sessions."""
        self._session_seconds = 0
        """Of the present one, as far as they are in the sum."""
        self._began_ms: int | None = None
        """When the present one began; None: none is billed by time."""
        self.cost_usd: float | None = None if plan.rates is None else 0.0
        self.over = 0 < plan.budget_usd <= plan.spent_usd
        """The budget is spent."""

    @property
    def unbilled(self) -> int:
        """Responses that had begun and whose tokens were never reported."""
        return len(self._begun)

    @property
    def call_usd(self) -> float:
        """What the telephone call has cost in all its runs, as far as is known."""
        return self._plan.spent_usd + (self.cost_usd or 0.0)

    def goes_by(self, rates: Rates | None) -> None:
        """Tokens are of a model with these prices from now on; None: nobody knows the cost any more."""
        self._rates = rates
        if rates is None:
            self.cost_usd = None

    def begun(self, response_id: str) -> None:
        """A response was created: somebody will pay for it."""
        if response_id not in self._billed:
            self._begun.add(response_id)

    def done(self, event: ResponseDone | BackendDone, turn: Turn | None, out: list[Command]) -> None:
        """A response has ended and reports its tokens; an end that is reported twice counts once."""
        if event.response_id in self._billed:
            return
        self._begun.discard(event.response_id)
        self._billed[event.response_id] = None
        if len(self._billed) > _REMEMBERED:
            del self._billed[next(iter(self._billed))]
        if event.usage == Usage():
            return
        self.usage = tokens.add(self.usage, event.usage)
        cost_usd = None if self._rates is None else self._rates.cost_usd(event.usage)
        if turn is not None:
            turn.usage, turn.cost_usd = event.usage, cost_usd
        cached_share = round(tokens.cached_share(event.usage), 4)
        out.append(notes.Tokens(cost_usd, self._add(cost_usd), turn is not None, cached_share))

    def session_began(self, now_ms: int) -> None:
        """A session that is billed by time begins at no seconds."""
        self._session_seconds, self._began_ms = 0, now_ms

    def session_over(self, now_ms: int, out: list[Command]) -> None:
        """It is over; what it has not reported is reckoned by the clock, as it is billed."""
        if self._began_ms is not None:
            self.lasted((now_ms - self._began_ms) // 1000, out)
        self._began_ms = None

    def lasted(self, total: int, out: list[Command]) -> None:
        """The session has lasted so many seconds so far."""
        more = total - self._session_seconds
        if more <= 0 or self._began_ms is None:
            return
        self._session_seconds = total
        self.seconds += more
        cost_usd = None if self._rates is None else more * self._plan.minute_usd / 60
        out.append(notes.Tokens(cost_usd, self._add(cost_usd), of_turn=False, cached_share=0.0))

    def _add(self, cost_usd: float | None) -> float | None:
        """Add to the cost; returns what the telephone call has cost, None if that is unknown."""
        if cost_usd is None or self.cost_usd is None:
            return None if self.cost_usd is None else self.call_usd
        self.cost_usd += cost_usd
        self.over = 0 < self._plan.budget_usd <= self.call_usd
        return self.call_usd
