"""What an outbound call adds: events of the carrier, answering machines, and speaking first to a silent
callee.

``Dialling`` keeps the telephone's state; this file lets it act on the rest of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine import events, notes
from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.commands import Command, EndCall, SendPhone
from llcphone.engine.events import EndReason
from llcphone.engine.parts.connecting import Phase
from llcphone.engine.parts.responses import GREETING, MESSAGE
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Speaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.parts.dialling import Dialling
    from llcphone.engine.state import CallState


_PRIMING_MS = 2_000
"""Longest wait for the priming response before the phone rings all the same."""

_LOOK_AGAIN_MS = 500
"""After patience has run out while there was no session."""


class Outbound:
    """The outbound half of one call's state."""

    def __init__(self, state: CallState, dialling: Dialling) -> None:
        self._state = state
        self.dialling = dialling
        self._message_due = False
        self._message_asked = False

    def handlers(self) -> dict[type, Callable[[Any, int, list[Command]], None]]:
        """The events that only an outbound call knows."""
        dialling = self.dialling

        def add(out: list[Command], commands: list[Command]) -> None:
            out += commands

        return {
            events.DialSent: lambda event, now, out: dialling.sent(now),
            events.Dialled: lambda event, now, out: add(out, dialling.dialled(event)),
            events.DialFailed: lambda event, now, out: add(out, dialling.dial_failed(event)),
            events.CarrierStatus: lambda event, now, out: add(out, dialling.carrier_status(event, now)),
            events.MachineDetected: self._machine_detected,
        }

    def timers(self) -> dict[Timer, Callable[[int, list[Command]], None]]:
        """What is done when a deadline of an outbound call has passed."""
        return {
            Timer.CARRIER: lambda now, out: out.extend(self.dialling.deadline_passed()),
            Timer.PATIENCE: self._patience_is_over,
        }

    def stream_started(self, now_ms: int, *, greets: bool) -> None:
        """The callee is on the line; with patience set, the agent speaks if they do not."""
        patience_ms = self.dialling.plan.patience_ms
        if patience_ms and not greets:
            self._state.timers.set(Timer.PATIENCE, now_ms + patience_ms)

    def _patience_is_over(self, now_ms: int, out: list[Command]) -> None:
        """The callee has not spoken: the agent opens the conversation after all."""
        talk = self._state.talk
        if not self._state.session.ready:  # no session can speak yet, or just now
            self._state.timers.set(Timer.PATIENCE, now_ms + _LOOK_AGAIN_MS)
        elif not talk.timings.turns and not talk.caller_has_floor:
            talk.ask(GREETING, self._state.setup.greeting_cue, out)

    def ring_when_ready(self, now_ms: int, out: list[Command]) -> None:
        """The phone rings once the model is ready and primed, or its warm time is over."""
        state = self._state
        if state.session.phase is Phase.EXPIRED:
            out += self.dialling.go(now_ms)
        elif state.session.ready and state.ready_ms is not None:
            # Bounded by itself: a server that cannot prime must not keep anybody waiting.
            primed_by_ms = state.ready_ms + _PRIMING_MS
            if state.talk.primed or not state.setup.priming or now_ms >= primed_by_ms:
                state.timers.clear(Timer.PRIMED)
                out += self.dialling.go(now_ms)
            else:
                state.timers.set(Timer.PRIMED, primed_by_ms)

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Leave a message that is due, once there is a stream to leave it on and a model that is ready."""
        state = self._state
        if self._message_due and state.started_ms is not None:
            self._message_due = False
            state.gate.close()  # whatever the machine still plays is no turn of a caller
            state.timers.clear(Timer.PATIENCE)
            self._leave_message(now_ms, out)
            state.hang_up_when_heard(now_ms)

    def _machine_detected(self, event: events.MachineDetected, now_ms: int, out: list[Command]) -> None:
        if self.dialling.answered_by:  # there is one verdict; another is a repetition
            return
        policy = self.dialling.machine(event.answered_by)
        out.append(notes.AnsweredBy(event.answered_by))
        if policy is MachinePolicy.HANG_UP:
            out.append(EndCall(EndReason.MACHINE))
        self._message_due = policy is MachinePolicy.LEAVE_MESSAGE

    def _leave_message(self, now_ms: int, out: list[Command]) -> None:
        """What the machine is to record: a stored message, or the agent's own words."""
        plan, talk = self.dialling.plan, self._state.talk
        talk.yield_to_machine(now_ms, out)
        if plan.message:
            for payload in plan.message:
                out.extend(SendPhone(message) for message in talk.playout.filler(payload, now_ms))
            talk.history.place("stored message", Speaker.SYSTEM, now_ms).text = "(stored message)"
        else:
            self._message_asked = True
            talk.ask(MESSAGE, plan.message_cue, out)

    def session_restored(self, out: list[Command]) -> None:
        """A fresh session has to know whom it speaks to."""
        if self._message_asked:
            self._state.talk.speech.remind(MESSAGE, self.dialling.plan.message_cue, out)
