"""The engine of one call: events come in, commands go out.

The engine is synchronous, takes its time as ``now_ms`` and makes its ids from counters. So a recorded
list of events gives a second engine the same commands. ``handle`` is one step: it gives the event to its
handler, then ``settle`` looks once at everything that may have become possible. ``hear`` is the same step
for a frame of the caller, which comes 50 times a second, and builds no object for it. ``model_alive`` is the
step of a sign of life of the model that decides nothing.

This file only dispatches. Below it are ``policies`` (each decides one thing), ``state`` (what they share),
 ``parts`` (each keeps one fact) and the plain data of ``events``, ``commands`` and
``call_setup``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.audio import is_loud, payload_bytes, silence_like
from llcphone.engine import events
from llcphone.engine.commands import Command, EndCall, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.timers import Timer
from llcphone.engine.policies.lifecycle import Lifecycle
from llcphone.engine.policies.model_events import ModelEvents
from llcphone.engine.policies.observation import activity_of, report_of, spoken_lines, status_of, turns_of
from llcphone.engine.policies.peers import Policies
from llcphone.engine.policies.recovery import STALLED
from llcphone.engine.policies.resume import kept_of
from llcphone.engine.policies.settle import Settle
from llcphone.engine.state import CallState
from llcphone.realtime import events as model_events
from llcphone.realtime.messages import AppendAudio, UpdateSession
from llcphone.twilio import media

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.events import Event
    from llcphone.engine.resumed import Resumed
    from llcphone.engine.state import Due, Handler
    from llcphone.engine.status import CallActivity, CallStatus, SpokenLine


class CallEngine:
    """Decides one call."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.state = state = CallState(setup)
        self._gate, self._caller_audio = state.gate, state.caller_audio
        self._feeds = setup.live is not None
        self._listens = self._feeds and any(rule.irreversible for rule in setup.tool_plan.rules)
        self.ended: EndReason | None = None
        self.policies = policies = Policies(state)
        self._settle = Settle(state, policies)
        lifecycle = Lifecycle(state, policies)
        self._on: dict[type, Handler] = {
            events.ToolFinished: policies.tools.finished,
            events.ResultTold: policies.tools.unasked,
            events.Instructed: policies.instructions.asked,
            events.GoodbyeAsked: policies.goodbye.asked,
            events.LoopHeld: policies.alarms.loop_held,
            events.Tick: self._tick,
            **lifecycle.handlers(),
            **ModelEvents(state, policies).handlers(),
            **policies.manual.handlers(),
        }
        self._due: dict[Timer, Due] = {
            Timer.FILLER: policies.recovery.filler_is_due,
            Timer.TOOL: policies.tools.overdue,
            Timer.TOOL_FILLER: policies.tools.filler_is_due,
            Timer.STALL: policies.stall.look,
            Timer.DEAD_AIR: policies.alarms.look,
            Timer.LAST_WORD: policies.goodbye.last_word,
            Timer.GOODBYE: policies.goodbye.overdue,
            Timer.FRAMES: policies.line.look,
            Timer.FILL: self._fill,
            **lifecycle.timers(),
        }
        if policies.feed is not None:
            self._due[Timer.FEED] = policies.feed.look
        if policies.outbound is not None:
            self._on |= policies.outbound.handlers()
            self._due |= policies.outbound.timers()

    # -- the two ways in --------------------------------------------------------------------

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """One event and all it causes."""
        if self.ended is not None:
            return []
        if isinstance(event, media.CallerAudio):  # as in ``hear``: a frame decides nothing else
            payload = self.hear(event.payload, now_ms)
            return [] if payload is None else [SendModel(AppendAudio(payload))]
        out: list[Command] = []
        self._on[type(event)](event, now_ms, out)
        self._settle.after_event(now_ms, out)
        while (end := next((each for each in out if isinstance(each, EndCall)), None)) is not None:
            del out[out.index(end) :]  # after the end nothing is asked for any more
            if not self.policies.recovery.instead_of_ending(end.reason, _cause(event), now_ms, out):
                return self._end(end.reason, now_ms, self._may_leave(out))
            self._settle.after_event(now_ms, out)
        return self._may_leave(out)

    def hear(self, payload: bytes, now_ms: int) -> bytes | None:
        """A frame of the caller: what goes to the model for it now, None for nothing.

        The same step as ``handle(CallerAudio(payload), now_ms)``; a payload represents its one
        possible command, ``SendModel(AppendAudio(payload))``. A Live session is given silence in place of
        a frame that is held back: its clock stands still without input.
        """
        state = self.state
        state.frames += 1
        state.last_frame_ms = now_ms
        if self._listens and is_loud(payload):
            state.loud_ms = now_ms
        if self._gate.open:
            state.appended_bytes += payload_bytes(payload)
            self._caller_audio.add(payload)
            return payload
        if self.ended is None:
            self._gate.keep(payload)
            if self._feeds and state.session.ready:
                state.appended_bytes += payload_bytes(payload)
                return silence_like(payload)
        return None

    def model_alive(self, now_ms: int) -> None:
        """The present model leg said something that decides nothing, such as a piece of silence."""
        self.state.model_alive_ms = now_ms

    # -- what may be asked of it --------------------------------------------------------------

    @property
    def next_deadline_ms(self) -> int | None:
        """When ``Tick`` is due; it may come earlier. None after the end."""
        return self.state.timers.next_ms if self.ended is None else None

    def status(self) -> CallStatus:
        """The call at this moment."""
        return status_of(self.state, self.ended)

    def activity(self) -> CallActivity:
        """What an onlooker sees of it beside the status."""
        return activity_of(self.state, self.policies)

    def lines(self, now_ms: int, last: int | None = None, *, skip: int = 0) -> tuple[SpokenLine, ...]:
        """The conversation as it is heard at this moment, or its last lines, without ``skip`` at the end."""
        return spoken_lines(self.state, now_ms, last, skip)

    def turns(self, last: int, *, skip: int = 0) -> tuple[dict[str, Any], ...]:
        """The agent's last turns, as in the record, without ``skip`` at the end."""
        return turns_of(self.state, last, skip)

    def report(self) -> dict[str, Any]:
        """The figures for the call record, by its names."""
        return report_of(self.state, self.policies)

    def kept(self, now_ms: int) -> Resumed:
        """What another process must know of this call if it ended here."""
        return kept_of(self.state, now_ms)

    # -- small parts ------------------------------------------------------------------------

    def _may_leave(self, out: list[Command]) -> list[Command]:
        said = out if self.state.session.ready else [each for each in out if _may_be_said(each)]
        return self.policies.unsupported.leaving(said)

    def _end(self, reason: EndReason, now_ms: int, out: list[Command]) -> list[Command]:
        if reason is not EndReason.TRANSFERRED:  # the call continues, whatever else happened in this run
            reason = self.policies.recovery.given_up or self.policies.goodbye.first_cause(reason)
        self.ended = reason
        self.policies.recovery.call_ended()
        self._gate.open = False
        self.state.talk.drop_unheard(now_ms)
        self.state.talk.bill.session_over(now_ms, out)
        return [*out, EndCall(reason)]

    def _tick(self, event: events.Tick, now_ms: int, out: list[Command]) -> None:
        for timer in self.state.timers.pop_due(now_ms):
            if (look := self._due.get(timer)) is not None:  # else ``settle`` looks again
                look(now_ms, out)

    def _fill(self, now_ms: int, out: list[Command]) -> None:
        if self.policies.line.fill(now_ms, out):
            self.policies.alarms.answer_due(now_ms)


def _may_be_said(command: Command) -> bool:
    """Before a session is configured, only its settings are sent; the rest follows later."""
    return not isinstance(command, SendModel) or isinstance(command.message, UpdateSession)


def _cause(event: Event) -> str:
    """A word for the record: what lost the model."""
    match event:
        case events.ModelLegLost(code=code):
            return f"closed_{code}"
        case events.Tick():
            return STALLED
        case events.ModelSaid(event=model_events.ModelError() as error):
            return error.code
        case events.ModelSaid(event=model_events.SessionClosed(reason=reason)):
            return reason
        case events.ModelSaid(event=model_events.ResponseDone(status=status)):
            return "failed" if status is model_events.ResponseStatus.FAILED else "no sound"
        case _:
            return "failed"
