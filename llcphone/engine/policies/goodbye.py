"""Our side must end the call: the caller hears a good-bye before the line closes.

    good-bye   as soon as agent and caller are silent, the agent is asked for one, and the call ends after
               it
    last word  when little time is left and no good-bye will be heard in it, a stored apology is played,
               which needs no model

The request says how long there is. If no caller is on the line yet, nothing is said.

A call that has cost enough ends in the same way. OpenAI reports the tokens of a response at its end, so a
spent budget is noticed between two answers: the present answer is finished, the agent says good-bye, and the
call ends after it, about one answer and a good-bye above its budget. If the caller keeps talking, the agent
answers for up to ``grace_ms``; then the call ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS, payload_bytes
from llcphone.engine import notes
from llcphone.engine.call_setup import AtLimit
from llcphone.engine.commands import Command, EndCall
from llcphone.engine.events import EndReason, GoodbyeAsked
from llcphone.engine.parts.responses import GOODBYE
from llcphone.engine.parts.timers import Timer

if TYPE_CHECKING:
    from llcphone.engine.policies.recovery import Recovery
    from llcphone.engine.state import CallState

_MARGIN_MS = 500
"""Between the end of the last word and the end of the time, for the way to the caller."""


class Goodbye:
    """Lets a call end politely."""

    def __init__(self, state: CallState, *, recovery: Recovery) -> None:
        self._state = state
        self._plan = state.setup.goodbye
        self._recovery = recovery
        self._reason: EndReason | None = None
        self._cue = ""
        self._until_ms: int | None = None
        self._spent = False
        """It was noted that the budget is spent."""

    def budget_spent(self, now_ms: int, out: list[Command]) -> None:
        """Say so, and let the call end; the first time only."""
        if self._spent:
            return
        self._spent, money = True, self._state.setup.money
        out.append(notes.BudgetSpent(self._state.talk.bill.call_usd, money.budget_usd))
        if money.at_limit is not AtLimit.NOTE:
            self._state.timers.set(Timer.BUDGET, now_ms + money.grace_ms)
            self._begin(EndReason.BUDGET, money.goodbye_cue if money.at_limit is AtLimit.GOODBYE else "")

    def _begin(self, reason: EndReason, cue: str) -> None:
        """End the call when what is being said, and what the cue asks for, was heard; once."""
        if self._reason is None:
            self._reason, self._cue = reason, cue

    @property
    def begun(self) -> bool:
        """Our side ends the call as soon as that is polite."""
        return self._reason is not None

    def insist(self) -> None:
        """End the call after what is being said, and after the answer to a caller who speaks now."""
        self._begin(EndReason.AGENT_HUNG_UP, "")

    def asked(self, event: GoodbyeAsked, now_ms: int, out: list[Command]) -> None:
        """The request came; it says how long there is."""
        self._begin(event.reason, self._plan.goodbye_cue)
        self._until_ms = now_ms + event.within_ms
        lasts_ms = sum(map(payload_bytes, self._plan.apology)) // BYTES_PER_MS
        self._state.timers.set(Timer.LAST_WORD, max(now_ms, self._until_ms - lasts_ms - _MARGIN_MS))
        out.append(notes.GoodbyeAsked())

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Take the next step towards the end, when it may be taken."""
        state, talk = self._state, self._state.talk
        if self._reason is None or state.started_ms is None:
            return
        if state.hanging_up or talk.caller_has_floor:
            return
        if self._cue:
            if not state.session.ready or talk.responses.active is not None:
                return  # soon, or the time is up
            talk.ask(GOODBYE, self._cue, out)
            self._cue = ""
        state.hang_up_when_heard(now_ms, self._reason)

    def last_word(self, now_ms: int, out: list[Command]) -> bool:
        """Little time is left: whether the stored words had to break in."""
        if self._reason is None or self._state.started_ms is None or self._is_being_said(now_ms):
            return False
        self._recovery.break_off(self._reason, self._plan.apology, now_ms, out)
        return True

    def overdue(self, now_ms: int, out: list[Command]) -> None:
        """The good-bye should have been heard by now: it is not waited for any longer."""
        unsaid = self._until_ms is not None and self._state.talk.playout.silent
        if not (unsaid and self.last_word(now_ms, out)):
            out.append(EndCall(self._state.leaving_for))

    def _is_being_said(self, now_ms: int) -> bool:
        """Whether a last word will be heard anyway: all of it is on its way, or it is the stored one."""
        state, talk = self._state, self._state.talk
        if self._recovery.given_up is not None:
            return True
        if not state.hanging_up or talk.playout.silent or not talk.responses.idle(now_ms):
            return False
        return self._until_ms is not None and talk.playout.ends_ms <= self._until_ms

    def first_cause(self, reason: EndReason) -> EndReason:
        """Why the call ends: a good-bye that we asked for is not the agent's own."""
        if self._reason is None or self._cue or reason is not EndReason.AGENT_HUNG_UP:
            return reason
        return self._reason
