"""The engine of one call: what happened comes in, what to do goes out.

Rule: everything that decides lives in this room, and everything here is synchronous, takes its
time as ``now_ms`` and keeps its ids as counters; so a recorded list of events gives a second
engine the same commands. ``handle`` is one step: the event's own method, then ``settling``, which
looks once at everything that may have become possible. ``hear`` is the same step for the one event
that comes fifty times a second, without building an object for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.audio import payload_bytes
from llcphone.engine import events as happened
from llcphone.engine.call_setup import CallLimits as CallLimits
from llcphone.engine.call_setup import CallSetup as CallSetup  # noqa: TC001  (imported from here by others)
from llcphone.engine.commands import Command, EndCall, Note, RunHook, SendModel
from llcphone.engine.events import EndReason, Event
from llcphone.engine.parts.audio_gate import Listening
from llcphone.engine.parts.caller_audio import Recall
from llcphone.engine.parts.connecting import Setup
from llcphone.engine.parts.conversation import Conversation
from llcphone.engine.parts.retry_timing import Patience
from llcphone.engine.parts.timers import Timer, Timers
from llcphone.engine.policies.alarms import Alarms
from llcphone.engine.policies.budget import Budget
from llcphone.engine.policies.echo_guard import EchoGuard
from llcphone.engine.policies.goodbye import Farewell
from llcphone.engine.policies.manual_turns import ManualTurns
from llcphone.engine.policies.model_events import ModelSide
from llcphone.engine.policies.outbound import Outbound
from llcphone.engine.policies.pending_reply import Owing
from llcphone.engine.policies.phone_line import PhoneLine
from llcphone.engine.policies.recovery import STALLED, Recovery
from llcphone.engine.policies.renewal import Renewal
from llcphone.engine.policies.resume import adopt
from llcphone.engine.policies.settle import Settling
from llcphone.engine.policies.silence import Silence
from llcphone.engine.policies.unasked_results import Telling
from llcphone.realtime import events as said
from llcphone.realtime.messages import AppendAudio, UpdateSession
from llcphone.twilio import media as phone

if TYPE_CHECKING:
    from collections.abc import Callable


class CallEngine:
    """Decides one call."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self._limits = setup.limits
        plan = setup.recovery
        self.patience = Patience(
            limit_ms=plan.limit_ms, most=plan.most, stall_ms=plan.stall_ms, spread=plan.spread
        )
        self.model = Setup(
            setup.session,
            dialect=setup.dialect,
            may_switch=setup.may_switch,
            limits=setup.limits.setup,
            patience=self.patience,
        )
        self.talk = Conversation(setup)
        self.owing = Owing(self)
        self.timers = Timers()
        self.recall = Recall()
        self.recovery = Recovery(self, setup.recovery)
        self.renewal = Renewal(self, setup.renewal)
        self.budget = Budget(self, setup.money)
        self.farewell = Farewell(self, setup.farewell)
        self.alarms = Alarms(self, setup.alarms)
        self.model_spoke_ms = 0
        """When the present model leg last said anything."""
        self.listening = Listening(
            greets=setup.greets,
            guard_ms=setup.limits.greeting_guard_ms,
            guard_max_ms=setup.limits.greeting_guard_max_ms,
            early_ms=setup.limits.early_audio_ms,
        )
        self.ended: EndReason | None = None
        self.joined = False
        self.stream_sid = ""
        self.born_ms = 0
        self.started_ms: int | None = None
        self.ready_ms: int | None = None
        self.frames = 0
        self.last_frame_ms = 0
        self.appended_bytes = 0
        self.digits = 0
        self.unknown_events = 0
        self.stale_events = 0
        self.line = PhoneLine(self, setup.limits.dead_stream_ms)
        self.silence = Silence(self, setup.silence)
        self.echo = EchoGuard(self, setup.echo)
        self.manual = ManualTurns(self)
        self.telling = Telling(self)
        self.settling = Settling(self)
        self._on: dict[type, Callable[[Any, int, list[Command]], None]] = {
            happened.Born: self._born,
            happened.StreamJoined: self._stream_joined,
            happened.PhoneLegLost: self._phone_lost,
            happened.ToolFinished: self._tool_finished,
            happened.HangUpAsked: self._hang_up_asked,
            happened.DigitsAsked: lambda event, now, out: self.talk.press(event.tones, now, out),
            happened.FarewellAsked: self.farewell.asked,
            happened.EndAsked: lambda event, now, out: out.append(EndCall(event.reason)),
            happened.LoopHeld: self.alarms.loop_held,
            happened.Tick: self._tick,
            phone.StreamConnected: lambda event, now, out: None,
            phone.StreamStarted: self._stream_started,
            phone.MarkEchoed: self._mark_echoed,
            phone.Digit: self._digit,
            phone.StreamStopped: lambda event, now, out: out.append(EndCall(EndReason.CALLER_HUNG_UP)),
            phone.UnknownPhoneMessage: self.unknown,
        }
        self._on |= ModelSide(self).handlers() | self.manual.handlers() | self.telling.handlers()
        self.outbound = Outbound(self, setup.dial) if setup.dial is not None else None
        if self.outbound is not None:
            self._on |= self.outbound.handlers()

    # -- the two ways in --------------------------------------------------------------------

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """One event and all it causes."""
        if self.ended is not None:
            return []
        if isinstance(event, phone.CallerAudio):  # as in ``hear``: a frame decides nothing else
            return [SendModel(AppendAudio(event.payload))] if self.hear(event.payload, now_ms) else []
        out: list[Command] = []
        self._on[type(event)](event, now_ms, out)
        self.settling.settle(now_ms, out)
        while (end := next((each for each in out if isinstance(each, EndCall)), None)) is not None:
            del out[out.index(end) :]  # after the end nothing is asked for any more
            if not self.recovery.instead_of_ending(end.reason, _cause(event), now_ms, out):
                return self._end(end.reason, now_ms, self._may_leave(out))
            self.settling.settle(now_ms, out)
        return self._may_leave(out)

    def _may_leave(self, out: list[Command]) -> list[Command]:
        return out if self.model.ready else [each for each in out if _may_be_said(each)]

    def _end(self, reason: EndReason, now_ms: int, out: list[Command]) -> list[Command]:
        if reason is not EndReason.TRANSFERRED:  # the call goes on, whatever else its run suffered
            reason = self.recovery.given_up or self.farewell.first_cause(reason)
        self.ended = reason
        self.recovery.call_ended()
        self.listening.open = False
        self.talk.drop_unheard(now_ms)
        return [*out, EndCall(reason)]

    def hear(self, payload: bytes, now_ms: int) -> bool:
        """A frame of the caller: whether it goes to the model now.

        The same step as ``handle(CallerAudio(payload), now_ms)``; True stands for its one
        possible command, ``SendModel(AppendAudio(payload))``.
        """
        self.frames += 1
        self.last_frame_ms = now_ms
        if self.listening.open:
            self.appended_bytes += payload_bytes(payload)
            self.recall.add(payload)
            return True
        if self.ended is None:
            self.listening.keep(payload)
        return False

    @property
    def next_deadline_ms(self) -> int | None:
        """When ``Tick`` is due; it may come earlier. None after the end."""
        return self.timers.next_ms if self.ended is None else None

    # -- the call's life --------------------------------------------------------------------

    def _born(self, event: happened.Born, now_ms: int, out: list[Command]) -> None:
        self.born_ms = now_ms
        if self.setup.resumed is not None:
            adopt(self, self.setup.resumed, now_ms)
        out += self.model.born(now_ms)
        if self.outbound is not None:
            out += self.outbound.dialling.born(now_ms)
        else:
            self.timers.set(Timer.TOKEN, now_ms + self._limits.token_ms)

    def _stream_joined(self, event: happened.StreamJoined, now_ms: int, out: list[Command]) -> None:
        self.joined = True
        self.timers.clear(Timer.TOKEN)
        self.timers.set(Timer.START, now_ms + self._limits.start_ms)
        if self.outbound is not None:
            self.outbound.dialling.answered(now_ms)
        out += self.model.stream_joined(now_ms)

    def _stream_started(self, event: phone.StreamStarted, now_ms: int, out: list[Command]) -> None:
        ulaw = event.encoding == "audio/x-mulaw" and event.sample_rate == 8000 and event.channels == 1
        # Twilio may connect the stream of an outbound call before it has told us the CallSid.
        outbound = self.outbound
        expected = self.setup.call_sid or (outbound.dialling.call_sid if outbound is not None else "")
        if not ulaw or (expected and event.call_sid != expected) or self.started_ms is not None:
            out.append(EndCall(EndReason.BAD_STREAM))
            return
        self.stream_sid = event.stream_sid
        self.started_ms = self.last_frame_ms = now_ms
        self.timers.clear(Timer.START)
        self.line.stream_started(now_ms)
        self.timers.set(Timer.IDLE, now_ms + self._limits.idle_ms)
        self.timers.set(Timer.LIMIT, now_ms + self._limits.max_duration_ms)
        if outbound is not None:
            outbound.stream_started(now_ms, greets=self.setup.greets)
        out.append(Note("stream started"))
        self.talk.stream_started(self.setup.pad_ms if self.setup.greets else 0, now_ms, out)
        self.append(self.listening.stream_started(now_ms), out)
        self.recovery.stream_started(now_ms, out)
        self.alarms.stream_started(now_ms)
        out.append(RunHook("start"))

    def _phone_lost(self, event: happened.PhoneLegLost, now_ms: int, out: list[Command]) -> None:
        out.append(EndCall(EndReason.PHONE_LOST))

    def _mark_echoed(self, event: phone.MarkEchoed, now_ms: int, out: list[Command]) -> None:
        if not self.line.echoed(event.name, now_ms):
            self.alarms.echoed(self.talk.mark_echoed(event.name, now_ms), now_ms, out)

    def _digit(self, event: phone.Digit, now_ms: int, out: list[Command]) -> None:
        self.digits += 1
        self.line.heard(now_ms)
        self.talk.active_ms = now_ms
        self.silence.caller_active()
        out.append(RunHook("digit", event.digit))

    def _hang_up_asked(self, event: happened.HangUpAsked, now_ms: int, out: list[Command]) -> None:
        if not self.hanging_up:
            out.append(Note("hanging up"))
        self.settling.hang_up_when_heard(now_ms, event.reason)

    def _tool_finished(self, event: happened.ToolFinished, now_ms: int, out: list[Command]) -> None:
        self.talk.desk.finished(event, out, ready=self.model.ready, leaving=self.hanging_up)

    @property
    def hanging_up(self) -> bool:
        """The call ends once the last word was heard."""
        return self.settling.hanging_up

    def hang_up_when_heard(self, now_ms: int) -> None:
        """End the call once everything queued or wished for was said and heard."""
        self.settling.hang_up_when_heard(now_ms)

    def unknown(self, event: object, now_ms: int, out: list[Command]) -> None:
        """Something this version does not use: counted, never fatal."""
        self.unknown_events += 1

    # -- time -------------------------------------------------------------------------------

    def _tick(self, event: happened.Tick, now_ms: int, out: list[Command]) -> None:
        for timer in self.timers.pop_due(now_ms):
            match timer:
                case Timer.SETUP:
                    out += self.model.deadline_passed(now_ms)
                case Timer.TOKEN:
                    out.append(EndCall(EndReason.NEVER_JOINED))
                case Timer.CARRIER if self.outbound is not None:
                    out += self.outbound.dialling.deadline_passed()
                case Timer.PATIENCE if self.outbound is not None:
                    self.outbound.patience_is_over(self.setup.greeting_cue, now_ms, out)
                case Timer.FILLER:
                    self.recovery.filler_is_due(now_ms, out)
                case Timer.TOOL:
                    self.talk.desk.overdue(now_ms, out)
                case Timer.TOOL_FILLER:
                    self.talk.desk.filler_is_due(now_ms, out)
                case Timer.STALL if self.recovery.stall.over(now_ms):
                    out.append(EndCall(EndReason.MODEL_LOST))
                case Timer.DEAD_AIR:
                    self.alarms.look(now_ms, out)
                case Timer.BUDGET:
                    out.append(EndCall(EndReason.BUDGET))
                case Timer.LAST_WORD:
                    self.farewell.last_word(now_ms, out)
                case Timer.START:
                    out.append(EndCall(EndReason.START_TIMEOUT))
                case Timer.LIMIT:
                    out.append(EndCall(EndReason.TIME_LIMIT))
                case Timer.GOODBYE:
                    self.farewell.overdue(now_ms, out)
                case Timer.FRAMES:
                    self.line.look(now_ms, out)
                case Timer.FILL:
                    self.line.fill(now_ms, out)
                case Timer.IDLE:
                    self._watch_idle(now_ms, out)
                case Timer.DUE:
                    self._send_due_update(now_ms, out)
                case _:
                    pass  # ``settling`` looks again

    def _watch_idle(self, now_ms: int, out: list[Command]) -> None:
        due_ms = self.talk.active_ms + self._limits.idle_ms
        if now_ms >= due_ms:
            out.append(EndCall(EndReason.IDLE))
        else:
            self.timers.set(Timer.IDLE, due_ms)

    def _send_due_update(self, now_ms: int, out: list[Command]) -> None:
        """Only here: an update is sent by the supervisor's step, never between two deltas."""
        quiet_ms = self.talk.quiet_from_ms
        if self.talk.schedule.waiting and quiet_ms is not None and quiet_ms <= now_ms:
            name, fields = self.talk.schedule.take()
            self.model.in_force.sent(name, fields, f"due-{name}")
            out.append(SendModel(UpdateSession(fields, f"due-{name}")))
            out.append(Note("session update", {"what": name}))

    def append(self, payloads: list[bytes], out: list[Command]) -> None:
        """Send kept frames to the model."""
        for payload in payloads:
            self.appended_bytes += payload_bytes(payload)
            self.recall.add(payload)
            out.append(SendModel(AppendAudio(payload)))


def _may_be_said(command: Command) -> bool:
    """A session that is not configured is told its settings and nothing else; the rest is told later."""
    return not isinstance(command, SendModel) or isinstance(command.message, UpdateSession)


def _cause(event: Event) -> str:
    """A word for the record: what lost the model."""
    match event:
        case happened.ModelLegLost(code=code):
            return f"closed_{code}"
        case happened.Tick():
            return STALLED
        case happened.ModelSaid(event=said.ModelError() as error):
            return error.code
        case happened.ModelSaid(event=said.ResponseDone(status=status)):
            return "failed" if status is said.ResponseStatus.FAILED else "no sound"
        case _:
            return "failed"
