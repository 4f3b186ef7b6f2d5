"""The telephone's side of an outbound call: when Twilio is asked to dial, and what the carrier reports.

The model leg is made ready first, then the phone rings (or both at once, by setting). When the warm time
has run out, the phone rings all the same, and the stream meets a cold attempt. A refused session never
rings anybody.

Status callbacks come in any order, twice, late, or before ``calls.create`` has answered
(https://www.twilio.com/docs/voice/api/call-resource). ``SequenceNumber`` orders them, and an end stays an
end whatever comes after it. If no callback ever comes, a deadline ends the call.
"""

from __future__ import annotations

from llcphone.engine import notes
from llcphone.engine.call_setup import DialPlan, MachinePolicy
from llcphone.engine.commands import Command, Dial, EndCall
from llcphone.engine.events import CarrierStatus, DialFailed, Dialled, EndReason
from llcphone.engine.status import DialState

_ENDS = {
    "busy": EndReason.BUSY,
    "no-answer": EndReason.NO_ANSWER,
    "failed": EndReason.CALL_FAILED,
    "canceled": EndReason.CALL_CANCELED,
}
_RINGING = frozenset({"queued", "initiated", "ringing"})

_MACHINES = frozenset({"machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other"})


class Dialling:
    """The telephone's side of an outbound call until the media stream joins."""

    def __init__(self, plan: DialPlan) -> None:
        self.plan = plan
        self.state = DialState.IDLE
        self.call_sid = ""
        self.deadline_ms: int | None = None
        self.answered_by = ""
        self.status = ""
        self.failure = ""
        """Why Twilio placed no call, by its code."""
        self.dialled_ms: int | None = None
        self.answered_ms: int | None = None
        self._sequence = -1

    def born(self, now_ms: int) -> list[Command]:
        """Dial at once, if that is the plan."""
        return self.go(now_ms) if self.plan.at_once else []

    def go(self, now_ms: int) -> list[Command]:
        """The model leg is ready, or its warm time is over: ring them now. Only once."""
        if self.state is not DialState.IDLE:
            return []
        self.state = DialState.DIALLING
        self.dialled_ms = now_ms
        self.deadline_ms = now_ms + self.plan.turn_ms + self.plan.no_callback_ms
        return [Dial(), notes.Dialling()]

    def sent(self, now_ms: int) -> None:
        """The order leaves only now."""
        if self.state is DialState.DIALLING:
            self.deadline_ms = now_ms + self.plan.no_callback_ms

    def dialled(self, event: Dialled) -> list[Command]:
        """``calls.create`` has answered; callbacks may have come before it."""
        self.call_sid = event.call_sid
        if self.state is DialState.DIALLING:
            self.state = DialState.RINGING
        return [notes.Dialled()]

    def dial_failed(self, event: DialFailed) -> list[Command]:
        """Twilio refused the call, or it is known that it never began."""
        self.state = DialState.OVER
        self.status = self.failure = event.code
        return [notes.DialFailed(event.code), EndCall(EndReason.DIAL_REFUSED)]

    def carrier_status(self, event: CarrierStatus, now_ms: int) -> list[Command]:
        """A status callback, in whatever order."""
        self.call_sid = self.call_sid or event.call_sid
        over = event.status in _ENDS or event.status == "completed"  # an end is one, wherever it sorts
        if self.state is DialState.OVER or (event.sequence <= self._sequence and not over):
            return []
        self._sequence = event.sequence
        self.status = event.status
        if (reason := _ENDS.get(event.status)) is not None:
            self.state = DialState.OVER
            self.deadline_ms = None
            return [notes.Carrier(event.status), EndCall(reason)]
        if event.status == "completed":
            # Twilio's word for a call that was answered, also if no earlier event said so.
            self.state = DialState.OVER
            self.deadline_ms = None
            return [notes.Carrier(event.status), EndCall(EndReason.CALLER_HUNG_UP)]
        if event.status in _RINGING and self.state is DialState.DIALLING:
            self.state = DialState.RINGING
        elif event.status == "in-progress":
            self._picked_up(now_ms)
        return [notes.Carrier(event.status)]

    def answered(self, now_ms: int) -> None:
        """The media stream has joined: somebody picked up, and from now on the stream reports the rest."""
        self._picked_up(now_ms)
        self.deadline_ms = None

    def _picked_up(self, now_ms: int) -> None:
        if self.state is not DialState.OVER and self.state is not DialState.ANSWERED:
            self.state = DialState.ANSWERED
            self.answered_ms = now_ms
            self.deadline_ms = now_ms + self.plan.join_ms

    def deadline_passed(self) -> list[Command]:
        """The outcome of the call was never reported; or it was answered, and no stream came."""
        self.deadline_ms = None
        answered = self.state is DialState.ANSWERED
        return [EndCall(EndReason.NEVER_JOINED if answered else EndReason.NO_CALLBACK)]

    def machine(self, answered_by: str) -> MachinePolicy | None:
        """The verdict of machine detection: what to do, None for a human.

        ``unknown`` is a human. A message waits for the end of the greeting,
        so ``machine_start`` alone does not start it.
        """
        self.answered_by = answered_by
        if answered_by == "fax":
            return MachinePolicy.HANG_UP
        if answered_by not in _MACHINES:
            return None
        if self.plan.machine is MachinePolicy.LEAVE_MESSAGE and answered_by == "machine_start":
            return None
        return self.plan.machine
