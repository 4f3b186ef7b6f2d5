"""What is looked at once after every event: everything that may have become possible or due.

An event's own method says what happened; it need not know who waited for it. Here stand the looks
that belong to no event alone: our next ``response.create``, the greeting guard, the floor, the
good-bye, and the timers that follow from all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.commands import Command, EndCall, Note, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.connecting import Phase
from llcphone.engine.parts.timers import Timer
from llcphone.engine.policies.recovery import Owed
from llcphone.realtime.messages import SystemText

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine

_NOT_YET = (
    "The caller spoke, so the transfer has not begun. Answer them; if they still want to be put through, "
    "ask for the transfer again."
)


class Settling:
    """The looks after every event of one call."""

    def __init__(self, engine: CallEngine) -> None:
        self._engine = engine
        self._goodbye_ms: int | None = None
        """Hanging up: by then, at the latest known, the last word will have been played."""
        self.leaving_for = EndReason.AGENT_HUNG_UP
        """Why, when the last word was heard."""

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Look at everything; what may be done now is done."""
        engine, talk, timers = self._engine, self._engine.talk, self._engine.timers
        if engine.outbound is not None:
            engine.outbound.ring_when_ready(now_ms, out)
            timers.arm(Timer.CARRIER, engine.outbound.dialling.deadline_ms)
        ready = engine.model.ready
        timers.arm(Timer.SETUP, None if ready else engine.model.due_ms)
        if talk.bill.over:
            engine.budget.spent(now_ms, out)
        engine.farewell.settle(now_ms, out)
        if ready:
            if engine.outbound is not None:
                engine.outbound.settle(now_ms, out)
            engine.manual.settle(now_ms, out)
            engine.telling.settle(now_ms, out)
            engine.silence.settle(now_ms, out)
            creates = talk.responses.due(now_ms, caller_speaking=talk.caller_has_floor)
            out.extend(SendModel(message) for message in creates)
            if creates:
                engine.alarms.answer_due(now_ms)
        if engine.listening.guarding:
            self._look_at_guard(now_ms)
        engine.echo.settle(now_ms, out)
        talk.settle_floor(now_ms, out)
        engine.line.settle()
        timers.arm(Timer.RENEW, engine.renewal.settle(now_ms, out))
        timers.arm_early(Timer.STALL, engine.recovery.stall.at_ms())
        wakes_ms = talk.responses.wakes_ms(caller_speaking=talk.caller_has_floor)
        timers.arm(Timer.RESPONSE, wakes_ms if ready else None)
        quiet_ms = talk.quiet_from_ms if talk.schedule.waiting and ready else None
        timers.arm(Timer.DUE, None if quiet_ms is None else max(quiet_ms, now_ms))
        timers.arm(Timer.TOOL, talk.desk.deadline_ms)
        waiting = ready and engine.recovery.owed is Owed.NOTHING
        timers.arm(Timer.TOOL_FILLER, talk.desk.filler_at_ms(now_ms) if waiting else None)
        if self._goodbye_ms is not None:
            self._look_at_goodbye(self._goodbye_ms, now_ms, out)

    def _look_at_guard(self, now_ms: int) -> None:
        engine, talk = self._engine, self._engine.talk
        heard_ms = talk.playout.heard_response_ms(talk.greeting_id, now_ms) if talk.greeting_id else 0
        over = talk.greeting_over and talk.playout.silent
        if engine.listening.greeting_heard(heard_ms, over=over, now_ms=now_ms):
            engine.timers.clear(Timer.GUARD)
        else:
            engine.timers.arm(Timer.GUARD, engine.listening.guard_check_ms(heard_ms, now_ms))

    # -- good-bye ---------------------------------------------------------------------------

    @property
    def hanging_up(self) -> bool:
        """The call ends once the last word was heard."""
        return self._goodbye_ms is not None

    def hang_up_when_heard(self, now_ms: int, reason: EndReason = EndReason.AGENT_HUNG_UP) -> None:
        """End the call once everything queued or wished for was said and heard."""
        if self._goodbye_ms is None:
            self._goodbye_ms = now_ms
        self.leaving_for = reason

    def _look_at_goodbye(self, played_ms: int, now_ms: int, out: list[Command]) -> None:
        """Hang up when the last word was heard; bounded, because an echo may never come."""
        engine, talk = self._engine, self._engine.talk
        gone = engine.model.phase is Phase.GIVEN_UP  # nothing more will be said
        waits = engine.recovery.owed is not Owed.NOTHING or not talk.responses.idle(now_ms)
        transfer = self.leaving_for is EndReason.TRANSFERRED
        if talk.caller_has_floor:  # the model will decide again
            self._goodbye_ms = None
            engine.timers.clear(Timer.GOODBYE)
            if transfer and not gone:
                out.append(SendModel(SystemText(_NOT_YET)))
                out.append(Note("transfer put off"))
        elif talk.playout.silent and (gone or not (waits or (transfer and talk.batches.running))):
            out.append(EndCall(self.leaving_for))
        else:  # by the clock of the audio itself: no other event may push the bound back
            self._goodbye_ms = max(played_ms, talk.playout.ends_ms)
            engine.timers.arm(Timer.GOODBYE, self._goodbye_ms + engine.setup.limits.goodbye_ms)
