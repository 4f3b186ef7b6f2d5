"""Looks once after every event at everything that may have become possible or due.

The handler of an event need not know what waited for it. This file does what belongs to no single event:
our next ``response.create``, the greeting guard, the floor, the good-bye, and the timers that follow from
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, EndCall, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.model_session import Phase
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Owed

if TYPE_CHECKING:
    from llcphone.engine.policies.peers import Policies
    from llcphone.engine.state import CallState

_NOT_YET = (
    "The caller spoke, so the transfer has not begun. Answer them; if they still want to be put through, "
    "ask for the transfer again."
)


class Settle:
    """The looks after every event of one call."""

    def __init__(self, state: CallState, policies: Policies) -> None:
        self._state, self._policies = state, policies
        self._realtime = state.setup.live is None

    def after_event(self, now_ms: int, out: list[Command]) -> None:
        """Look at everything; what may be done now is done."""
        state, policies = self._state, self._policies
        talk, timers = state.talk, state.timers
        if policies.outbound is not None:
            policies.outbound.ring_when_ready(now_ms, out)
            timers.arm(Timer.CARRIER, policies.outbound.dialling.deadline_ms)
        ready = state.session.ready
        timers.arm(Timer.SETUP, None if ready else policies.connecting.due_ms)
        if talk.bill.over:
            policies.goodbye.budget_spent(now_ms, out)
        policies.goodbye.settle(now_ms, out)
        if ready:
            if policies.outbound is not None:
                policies.outbound.settle(now_ms, out)
            policies.manual.settle(now_ms, out)
            policies.tools.settle(now_ms, out)
            policies.instructions.settle(now_ms, out)
            policies.silence.settle(now_ms, out)
        # A Live session speaks in real time: what it says before the stream has come would be heard late.
        may_ask = ready and (state.joined or self._realtime)
        if may_ask:
            creates = talk.responses.due(now_ms, caller_speaking=talk.caller_has_floor)
            out.extend(SendModel(message) for message in creates)
            if creates:
                policies.alarms.answer_due(now_ms)
        if state.gate.guarding:
            self._look_at_guard(now_ms)
        policies.echo.settle(now_ms, out)
        talk.settle_floor(now_ms, out)
        policies.line.settle()
        if policies.feed is not None:
            policies.feed.settle(now_ms)
        timers.arm(Timer.RENEW, policies.renewal.settle(now_ms, out))
        timers.arm_early(Timer.STALL, policies.stall.at_ms())
        wakes_ms = talk.responses.wakes_ms(caller_speaking=talk.caller_has_floor)
        timers.arm(Timer.RESPONSE, wakes_ms if may_ask else None)
        waits_for_quiet = talk.schedule.waiting or policies.instructions.cue_waits
        quiet_ms = talk.quiet_from_ms if waits_for_quiet and ready else None
        timers.arm(Timer.DUE, None if quiet_ms is None else max(quiet_ms, now_ms))
        timers.arm(Timer.TOOL, policies.tools.deadline_ms)
        waiting = ready and state.pending.owed is Owed.NOTHING
        timers.arm(Timer.TOOL_FILLER, policies.tools.filler_at_ms(now_ms) if waiting else None)
        if state.goodbye_ms is not None:
            self._look_at_goodbye(state.goodbye_ms, now_ms, out)

    def _look_at_guard(self, now_ms: int) -> None:
        state, talk = self._state, self._state.talk
        heard_ms = talk.playout.heard_response_ms(talk.greeting_id, now_ms) if talk.greeting_id else 0
        over = talk.greeting_over and talk.playout.silent
        if state.gate.greeting_heard(heard_ms, over=over, now_ms=now_ms):
            state.timers.clear(Timer.GUARD)
        else:
            state.timers.arm(Timer.GUARD, state.gate.guard_check_ms(heard_ms, now_ms))

    # -- good-bye ---------------------------------------------------------------------------

    def _look_at_goodbye(self, played_ms: int, now_ms: int, out: list[Command]) -> None:
        """Hang up when the last word was heard; bounded, because an echo may never come."""
        state, talk = self._state, self._state.talk
        gone = state.session.phase is Phase.GIVEN_UP  # nothing more will be said
        waits = state.pending.owed is not Owed.NOTHING or not talk.responses.idle(now_ms)
        waits = waits or self._policies.instructions.cue_waits
        transfer = state.leaving_for is EndReason.TRANSFERRED
        # A Live voice says its last word when its backend has gone on after the tool that hangs up. Words
        # come late there: those that were said before are no reason to stay.
        waits = waits or (not self._realtime and (talk.batches.running > 0 or talk.caller_has_floor))
        speaks = talk.caller_has_floor and (self._realtime or talk.said_ms > state.leaving_since_ms)
        if speaks:  # the model will decide again
            state.goodbye_ms = None
            state.timers.clear(Timer.GOODBYE)
            if transfer and not gone:
                talk.tell(_NOT_YET, out)
                out.append(notes.TransferPutOff())
        elif talk.playout.silent and (gone or not (waits or (transfer and talk.batches.running))):
            out.append(EndCall(state.leaving_for))
        else:  # by the clock of the audio itself: no other event may push the bound back
            state.goodbye_ms = max(played_ms, talk.playout.ends_ms)
            state.timers.arm(Timer.GOODBYE, state.goodbye_ms + state.setup.limits.goodbye_ms)
