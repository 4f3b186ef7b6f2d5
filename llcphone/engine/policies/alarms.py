"""What an operator wants to know at once: a slow turn, and dead air.

A *slow turn* is known when the caller begins to hear the answer and has waited longer than the limit. The
alarm names the longest part of the wait. *Dead air* is a caller who waits in silence: an answer is due,
and for this long neither caller, agent nor filler was heard. A caller whose frames stop in the middle of
a turn also waits, once the silence that is filled in has not ended the turn.

One lazy timer watches for dead air, so nothing is done per frame or per delta. It is set when an answer
falls due, looks about once per limit while one is, wakes exactly when a silence that had begun before
becomes too long, and is off while nothing is due. A caller who has spoken waits until the agent is heard,
whatever the engine thinks is owed: so an error in that reckoning raises an alarm too.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import attrs

from llcphone.engine import notes
from llcphone.engine.parts.model_session import Phase
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Owed
from llcphone.engine.status import Floor, OngoingSilence

if TYPE_CHECKING:
    from llcphone.engine.commands import Command
    from llcphone.engine.events import LoopHeld
    from llcphone.engine.note import Note
    from llcphone.engine.parts.turn_times import Turn
    from llcphone.engine.policies.phone_line import PhoneLine
    from llcphone.engine.state import CallState

_HOLDS = 20
"""Times the loop was held that are remembered; a long silence has few of them or is one."""
_KEPT = 100
"""Alarms in a record; a call with more is known to be ill."""


@attrs.frozen
class Alarm:
    """One alarm, for the record."""

    kind: str
    """``slow turn`` or ``dead air``."""
    at_ms: int
    lasted_ms: int
    """The gap that the caller heard, or the silence so far."""
    because: str
    """A part of the turn; or what the caller waits for: ``session``, ``tools`` or ``model``. Where a tool or
    hook of any call held the event loop for most of the time, that one's name: ``tool <name>``."""


class Alarms:
    """Raises the alarms of one call."""

    def __init__(self, state: CallState, *, line: PhoneLine) -> None:
        self._state = state
        self._plan = state.setup.alarms
        self._line = line
        self._echoed_ms = 0
        self._told_ms: int | None = None
        """Where the silence began for which the last alarm was raised."""
        self._held: deque[tuple[int, int, str]] = deque(maxlen=_HOLDS)
        """When the event loop was held, from and until, and by what."""
        self.raised: list[Alarm] = []

    def stream_started(self, now_ms: int) -> None:
        """Somebody listens from now on."""
        self._echoed_ms = now_ms
        talk = self._state.talk
        talk.unanswered = self._state.setup.greets and not talk.playout.ever_sent
        self.answer_due(now_ms)

    def loop_held(self, event: LoopHeld, now_ms: int, out: list[Command]) -> None:
        """The event loop was held: for that time, this is the cause of any wait."""
        self._held.append((now_ms - event.ms, now_ms, event.by))

    def answer_due(self, now_ms: int) -> None:
        """Somebody may wait from now on."""
        state = self._state
        if state.started_ms is None or not self._plan.dead_air_ms:
            return  # no caller listens, or the alarms are off
        if state.timers.get(Timer.DEAD_AIR) is None:
            state.timers.set(Timer.DEAD_AIR, now_ms + self._plan.dead_air_ms)

    def echoed(self, begun: Turn | None, now_ms: int, out: list[Command]) -> None:
        """Playback reached a mark, so the caller began to hear this turn."""
        self._echoed_ms = now_ms
        limit_ms = self._plan.slow_turn_ms
        if begun is None or not limit_ms or begun.ear_ms is None:
            return
        if (gap_ms := begun.ear_gap_ms) is not None and gap_ms > limit_ms:
            because = self._holder(begun.ear_ms - gap_ms, begun.ear_ms) or begun.longest
            alarm = Alarm("slow turn", now_ms, gap_ms, because)
            self._raise(alarm, notes.SlowTurn(gap_ms, because, begun.index), out)

    def dead_air(self) -> OngoingSilence | None:
        """The silence in which the caller waits now, if an alarm was raised for it."""
        if self._told_ms is None:
            return None
        begun_ms = self._silent_from_ms
        if begun_ms != self._told_ms or not (because := self._waits_for()):
            return None
        return OngoingSilence(begun_ms, because)

    @property
    def _silent_from_ms(self) -> int:
        """When somebody was heard last."""
        talk = self._state.talk
        return max(talk.active_ms, self._echoed_ms, talk.playout.ends_ms)

    def look(self, now_ms: int, out: list[Command]) -> None:
        """The timer rings: has a caller waited in silence for too long?"""
        limit_ms = self._plan.dead_air_ms
        silent_ms = self._silent_from_ms
        again_ms = now_ms + limit_ms
        if not (because := self._waits_for()):
            return  # until an answer falls due
        if silent_ms != self._told_ms:
            if now_ms - silent_ms >= limit_ms:
                self._told_ms = silent_ms
                because = self._holder(silent_ms, now_ms) or because
                lasted_ms = now_ms - silent_ms
                alarm = Alarm("dead air", now_ms, lasted_ms, because)
                self._raise(alarm, notes.DeadAir(lasted_ms, because), out)
            else:
                again_ms = silent_ms + limit_ms
        self._state.timers.set(Timer.DEAD_AIR, again_ms)

    def _waits_for(self) -> str:
        """What the caller waits for; empty when they do not."""
        state, talk = self._state, self._state.talk
        if talk.floor is Floor.CALLER:
            return ""
        if self._line.left_open:
            return "model"  # it has heard the end of their turn, and does not say so
        if talk.batches.running:
            return "tools"
        if state.session.phase is Phase.GIVEN_UP:
            return ""  # the apology is the last word
        if not state.session.ready:
            first = state.setup.greets and not talk.timings.turns
            waits = first or talk.unanswered or state.pending.owed is not Owed.NOTHING
            return "session" if waits else ""
        due = talk.floor is Floor.MODEL_THINKING or talk.responses.owes_anything
        return "model" if due or talk.unanswered else ""

    def _holder(self, since_ms: int, until_ms: int) -> str:
        """What held the loop for most of this time; empty when nothing did."""
        shares: Counter[str] = Counter()
        for from_ms, to_ms, by in self._held:
            shares[by] += max(0, min(to_ms, until_ms) - max(from_ms, since_ms))
        by, ms = max(shares.items(), key=lambda share: share[1], default=("", 0))
        return by if 2 * ms > until_ms - since_ms else ""

    def _raise(self, alarm: Alarm, note: Note, out: list[Command]) -> None:
        if len(self.raised) < _KEPT:
            self.raised.append(alarm)
        out.append(note)
