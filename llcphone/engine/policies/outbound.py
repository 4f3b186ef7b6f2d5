"""What an outbound call adds: when Twilio is asked to dial, what the carrier reports, answering machines, and
speaking first to a silent callee.

The model leg is made ready first, then the phone rings (or both at once, by setting). When the warm time
has run out, the phone rings all the same, and the stream meets a cold attempt. A refused session never
rings anybody.

Status callbacks come in any order, twice, late, or before ``calls.create`` has answered
(https://www.twilio.com/docs/voice/api/call-resource). ``SequenceNumber`` orders them, and an end stays an
end whatever comes after it. If no callback ever comes, a deadline ends the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import events, notes
from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.commands import Command, Dial, EndCall
from llcphone.engine.events import EndReason
from llcphone.engine.parts.model_session import Phase
from llcphone.engine.parts.responses import GREETING, MESSAGE
from llcphone.engine.parts.timers import Timer
from llcphone.engine.status import DialState

if TYPE_CHECKING:
    from llcphone.engine.policies.barge_in import BargeIn
    from llcphone.engine.state import CallState, Dialling, Due, Handler

_ENDS = {
    "busy": EndReason.BUSY,
    "no-answer": EndReason.NO_ANSWER,
    "failed": EndReason.CALL_FAILED,
    "canceled": EndReason.CALL_CANCELED,
    "completed": EndReason.CALLER_HUNG_UP,  # it was answered, also if no earlier callback said so
}
_RINGING = frozenset({"queued", "initiated", "ringing"})
_MACHINES = frozenset({"machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other"})

_PRIMING_MS = 2_000
"""Longest wait for the priming response before the phone rings all the same."""

_LOOK_AGAIN_MS = 500
"""After patience has run out while there was no session."""


class Outbound:
    """The outbound half of one call."""

    def __init__(self, state: CallState, dialling: Dialling, *, barge_in: BargeIn) -> None:
        self._state = state
        self._barge_in = barge_in
        self.dialling = dialling
        self._sequence = -1
        """Of the latest status callback."""
        self._message_due = False
        self._message_asked = False

    def handlers(self) -> dict[type, Handler]:
        """The events that only an outbound call knows."""
        return {
            events.DialSent: self._sent,
            events.Dialled: self._dialled,
            events.DialFailed: self._dial_failed,
            events.CarrierStatus: self._carrier_status,
            events.MachineDetected: self._machine_detected,
        }

    def timers(self) -> dict[Timer, Due]:
        """What is done when a deadline of an outbound call has passed."""
        return {Timer.CARRIER: self._no_word, Timer.PATIENCE: self._patience_is_over}

    # -- dialling ---------------------------------------------------------------------------

    def born(self, now_ms: int, out: list[Command]) -> None:
        """Dial at once, if that is the plan."""
        if self.dialling.plan.at_once:
            self._go(now_ms, out)

    def ring_when_ready(self, now_ms: int, out: list[Command]) -> None:
        """The phone rings once the model is ready and primed, or its warm time is over."""
        state = self._state
        if state.session.phase is Phase.EXPIRED:
            self._go(now_ms, out)
        elif state.session.ready and state.ready_ms is not None:
            # Bounded by itself: a server that cannot prime must not keep anybody waiting.
            primed_by_ms = state.ready_ms + _PRIMING_MS
            if state.talk.primed or not state.setup.priming or now_ms >= primed_by_ms:
                state.timers.clear(Timer.PRIMED)
                self._go(now_ms, out)
            else:
                state.timers.set(Timer.PRIMED, primed_by_ms)

    def _go(self, now_ms: int, out: list[Command]) -> None:
        dialling = self.dialling
        if dialling.state is DialState.IDLE:
            dialling.state, dialling.dialled_ms = DialState.DIALLING, now_ms
            dialling.deadline_ms = now_ms + dialling.plan.turn_ms + dialling.plan.no_callback_ms
            out += [Dial(), notes.Dialling()]

    def _sent(self, event: events.DialSent, now_ms: int, out: list[Command]) -> None:
        if self.dialling.state is DialState.DIALLING:
            self.dialling.deadline_ms = now_ms + self.dialling.plan.no_callback_ms

    def _dialled(self, event: events.Dialled, now_ms: int, out: list[Command]) -> None:
        """``calls.create`` has answered; callbacks may have come before it."""
        self.dialling.call_sid = event.call_sid
        if self.dialling.state is DialState.DIALLING:
            self.dialling.state = DialState.RINGING
        out.append(notes.Dialled())

    def _dial_failed(self, event: events.DialFailed, now_ms: int, out: list[Command]) -> None:
        """Twilio refused the call, or it is known that it never began."""
        self.dialling.state, self.dialling.failure = DialState.OVER, event.code
        out += [notes.DialFailed(event.code), EndCall(EndReason.DIAL_REFUSED)]

    def _carrier_status(self, event: events.CarrierStatus, now_ms: int, out: list[Command]) -> None:
        dialling, reason = self.dialling, _ENDS.get(event.status)
        dialling.call_sid = dialling.call_sid or event.call_sid
        late = event.sequence <= self._sequence and reason is None  # an end is one, wherever it sorts
        if dialling.state is DialState.OVER or late:
            return
        self._sequence = event.sequence
        out.append(notes.Carrier(event.status))
        if reason is not None:
            dialling.state, dialling.deadline_ms = DialState.OVER, None
            out.append(EndCall(reason))
        elif event.status in _RINGING and dialling.state is DialState.DIALLING:
            dialling.state = DialState.RINGING
        elif event.status == "in-progress":
            self._picked_up(now_ms)

    def stream_joined(self, now_ms: int) -> None:
        """Somebody picked up, and from now on the stream reports the rest."""
        self._picked_up(now_ms)
        self.dialling.deadline_ms = None

    def _picked_up(self, now_ms: int) -> None:
        dialling = self.dialling
        if dialling.state is not DialState.OVER and dialling.state is not DialState.ANSWERED:
            dialling.state, dialling.answered_ms = DialState.ANSWERED, now_ms
            dialling.deadline_ms = now_ms + dialling.plan.join_ms

    def _no_word(self, now_ms: int, out: list[Command]) -> None:
        """The outcome of the call was never reported; or it was answered, and no stream came."""
        self.dialling.deadline_ms = None
        answered = self.dialling.state is DialState.ANSWERED
        out.append(EndCall(EndReason.NEVER_JOINED if answered else EndReason.NO_CALLBACK))

    # -- on the line ------------------------------------------------------------------------

    def stream_started(self, now_ms: int) -> None:
        """The callee is on the line; with patience set, the agent speaks if they do not."""
        patience_ms = self.dialling.plan.patience_ms
        if patience_ms and not self._state.setup.greets:
            self._state.timers.set(Timer.PATIENCE, now_ms + patience_ms)

    def _patience_is_over(self, now_ms: int, out: list[Command]) -> None:
        """The callee has not spoken: the agent opens the conversation after all."""
        talk = self._state.talk
        if not self._state.session.ready:  # no session can speak yet, or just now
            self._state.timers.set(Timer.PATIENCE, now_ms + _LOOK_AGAIN_MS)
        elif not talk.timings.turns and not talk.caller_has_floor:
            talk.ask(GREETING, self._state.setup.greeting_cue, out)

    def _machine_detected(self, event: events.MachineDetected, now_ms: int, out: list[Command]) -> None:
        if self.dialling.answered_by:  # there is one verdict; another is a repetition
            return
        self.dialling.answered_by = event.answered_by
        policy = self._policy_for(event.answered_by)
        out.append(notes.AnsweredBy(event.answered_by))
        if policy is MachinePolicy.HANG_UP:
            out.append(EndCall(EndReason.MACHINE))
        self._message_due = policy is MachinePolicy.LEAVE_MESSAGE

    def _policy_for(self, answered_by: str) -> MachinePolicy | None:
        """What to do by this verdict; None for a human, as ``unknown`` is.

        A message waits for the end of the machine's greeting, so ``machine_start`` alone does not start it.
        """
        if answered_by == "fax":
            return MachinePolicy.HANG_UP
        policy = self.dialling.plan.machine
        too_early = policy is MachinePolicy.LEAVE_MESSAGE and answered_by == "machine_start"
        return None if too_early or answered_by not in _MACHINES else policy

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Leave a message that is due, once there is a stream to leave it on and a model that is ready."""
        state, plan = self._state, self.dialling.plan
        if not self._message_due or state.started_ms is None:
            return
        self._message_due = False
        state.gate.close()  # whatever the machine still plays is no turn of a caller
        state.timers.clear(Timer.PATIENCE)
        self._barge_in.yield_to_machine(now_ms, out)
        if plan.message:
            state.talk.play(plan.message, "stored message", now_ms, out, line_id="stored message")
        else:
            self._message_asked = True
            state.talk.ask(MESSAGE, plan.message_cue, out)
        state.hang_up_when_heard(now_ms)

    def session_restored(self, out: list[Command]) -> None:
        """A fresh session has to know whom it speaks to."""
        if self._message_asked:
            self._state.talk.speech.remind(MESSAGE, self.dialling.plan.message_cue, out)
