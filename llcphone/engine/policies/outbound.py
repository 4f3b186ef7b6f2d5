"""What an outbound call adds to the engine: the carrier's events, machines, and patience.

``Dialling`` keeps the telephone's state; this file lets it act on the rest of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine import events as happened
from llcphone.engine.commands import Command, EndCall, Note, SendModel, SendPhone
from llcphone.engine.events import EndReason
from llcphone.engine.parts.connecting import Phase
from llcphone.engine.parts.dialling import Dialling, DialPlan, MachinePolicy
from llcphone.engine.parts.history import Speaker
from llcphone.engine.parts.responses import GREETING, MESSAGE
from llcphone.engine.parts.timers import Timer
from llcphone.realtime.messages import UserText

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.call import CallEngine


_PRIMING_MS = 2_000
"""Longest wait for the priming response before the phone rings all the same."""

_LOOK_AGAIN_MS = 500
"""After patience has run out while there was no session."""


class Outbound:
    """The outbound half of one call's engine."""

    def __init__(self, engine: CallEngine, plan: DialPlan) -> None:
        self._engine = engine
        self.dialling = Dialling(plan)
        self._message_due = False
        self._message_asked = False

    def handlers(self) -> dict[type, Callable[[Any, int, list[Command]], None]]:
        """The events that only an outbound call knows."""
        dialling = self.dialling

        def add(out: list[Command], commands: list[Command]) -> None:
            out += commands

        return {
            happened.DialSent: lambda event, now, out: dialling.sent(now),
            happened.Dialled: lambda event, now, out: add(out, dialling.dialled(event)),
            happened.DialFailed: lambda event, now, out: add(out, dialling.dial_failed(event)),
            happened.CarrierStatus: lambda event, now, out: add(out, dialling.carrier_status(event, now)),
            happened.MachineDetected: self._machine_detected,
        }

    def stream_started(self, now_ms: int, *, greets: bool) -> None:
        """The callee is on the line; with patience set, the agent speaks if they do not."""
        patience_ms = self.dialling.plan.patience_ms
        if patience_ms and not greets:
            self._engine.timers.set(Timer.PATIENCE, now_ms + patience_ms)

    def patience_is_over(self, cue: str, now_ms: int, out: list[Command]) -> None:
        """The callee has not spoken: the agent opens the conversation after all."""
        talk = self._engine.talk
        if not self._engine.model.ready:  # nobody to speak yet, or just now
            self._engine.timers.set(Timer.PATIENCE, now_ms + _LOOK_AGAIN_MS)
        elif not talk.ledger.turns and not talk.caller_has_floor:
            out.append(SendModel(UserText(cue)))
            talk.responses.want(GREETING)

    def ring_when_ready(self, now_ms: int, out: list[Command]) -> None:
        """The phone rings once the model is ready and primed, or its warm time is over."""
        engine = self._engine
        if engine.model.phase is Phase.EXPIRED:
            out += self.dialling.go(now_ms)
        elif engine.model.ready and engine.ready_ms is not None:
            # Bounded by itself: a server that cannot prime must not keep anybody waiting.
            primed_by_ms = engine.ready_ms + _PRIMING_MS
            if engine.talk.primed or not engine.setup.priming or now_ms >= primed_by_ms:
                engine.timers.clear(Timer.PRIMED)
                out += self.dialling.go(now_ms)
            else:
                engine.timers.set(Timer.PRIMED, primed_by_ms)

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Leave a message that is due, once there is a stream to leave it on and a model that is ready."""
        engine = self._engine
        if self._message_due and engine.started_ms is not None:
            self._message_due = False
            engine.listening.close()  # whatever the machine still plays is no turn of a caller
            engine.timers.clear(Timer.PATIENCE)
            self._leave_message(now_ms, out)
            engine.hang_up_when_heard(now_ms)

    def _machine_detected(self, event: happened.MachineDetected, now_ms: int, out: list[Command]) -> None:
        if self.dialling.answered_by:  # there is one verdict; another is a repetition
            return
        policy = self.dialling.machine(event.answered_by)
        out.append(Note("answered by", {"who": event.answered_by}))
        if policy is MachinePolicy.HANG_UP:
            out.append(EndCall(EndReason.MACHINE))
        self._message_due = policy is MachinePolicy.LEAVE_MESSAGE

    def _leave_message(self, now_ms: int, out: list[Command]) -> None:
        """What the machine is to record: a stored message, or the agent's own words."""
        plan, talk = self.dialling.plan, self._engine.talk
        talk.yield_to_machine(now_ms, out)
        if plan.message:
            for payload in plan.message:
                out.extend(SendPhone(message) for message in talk.playout.filler(payload, now_ms))
            talk.history.place("stored message", Speaker.SYSTEM, now_ms).text = "(stored message)"
        else:
            self._message_asked = True
            out.append(SendModel(UserText(plan.message_cue)))
            talk.responses.want(MESSAGE)

    def session_restored(self, out: list[Command]) -> None:
        """A fresh session has to know whom it speaks to."""
        if self._message_asked:
            out.append(SendModel(UserText(self.dialling.plan.message_cue)))
