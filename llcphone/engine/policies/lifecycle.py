"""The life of a call: birth, the media stream, requests to end, and deadlines that do not depend on what
is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import events, notes
from llcphone.engine.commands import Command, EndCall, RunHook, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.timers import Timer
from llcphone.engine.policies.resume import adopt
from llcphone.realtime.messages import UpdateSession
from llcphone.twilio import media

if TYPE_CHECKING:
    from llcphone.engine.policies.peers import Policies
    from llcphone.engine.state import CallState, Due, Handler


class Lifecycle:
    """What happens to one call, whatever is said in it."""

    def __init__(self, state: CallState, policies: Policies) -> None:
        self._state, self._policies = state, policies
        self._limits = state.setup.limits

    def handlers(self) -> dict[type, Handler]:
        """The events of the call itself and of its telephone."""
        return {
            events.Born: self._born,
            events.StreamJoined: self._stream_joined,
            events.PhoneLegLost: _ends(EndReason.PHONE_LOST),
            events.HangUpAsked: self._hang_up_asked,
            events.DigitsAsked: lambda event, now, out: self._state.talk.press(event.tones, now, out),
            events.EndAsked: lambda event, now, out: out.append(EndCall(event.reason)),
            media.StreamConnected: lambda event, now, out: None,
            media.StreamStarted: self._stream_started,
            media.MarkEchoed: self._mark_echoed,
            media.Digit: self._digit,
            media.StreamStopped: _ends(EndReason.CALLER_HUNG_UP),
            media.UnknownPhoneMessage: self._state.unknown,
        }

    def timers(self) -> dict[Timer, Due]:
        """What is done when a deadline of the call itself has passed."""
        return {
            Timer.SETUP: lambda now, out: out.extend(self._policies.connecting.deadline_passed(now)),
            Timer.TOKEN: lambda now, out: out.append(EndCall(EndReason.NEVER_JOINED)),
            Timer.START: lambda now, out: out.append(EndCall(EndReason.START_TIMEOUT)),
            Timer.LIMIT: lambda now, out: out.append(EndCall(EndReason.TIME_LIMIT)),
            Timer.BUDGET: lambda now, out: out.append(EndCall(EndReason.BUDGET)),
            Timer.IDLE: self._watch_idle,
            Timer.DUE: self._send_due_update,
        }

    # -- what happens -----------------------------------------------------------------------

    def _born(self, event: events.Born, now_ms: int, out: list[Command]) -> None:
        state = self._state
        state.born_ms = now_ms
        if state.setup.resumed is not None:
            adopt(state, state.setup.resumed, now_ms)
        out += self._policies.connecting.born(now_ms)
        if self._policies.outbound is not None:
            self._policies.outbound.born(now_ms, out)
        else:
            state.timers.set(Timer.TOKEN, now_ms + self._limits.token_ms)

    def _stream_joined(self, event: events.StreamJoined, now_ms: int, out: list[Command]) -> None:
        state = self._state
        state.joined = True
        state.timers.clear(Timer.TOKEN)
        state.timers.set(Timer.START, now_ms + self._limits.start_ms)
        if self._policies.outbound is not None:
            self._policies.outbound.stream_joined(now_ms)
        out += self._policies.connecting.stream_joined(now_ms)

    def _stream_started(self, event: media.StreamStarted, now_ms: int, out: list[Command]) -> None:
        state, setup, outbound = self._state, self._state.setup, self._policies.outbound
        ulaw = event.encoding == "audio/x-mulaw" and event.sample_rate == 8000 and event.channels == 1
        # Twilio may connect the stream of an outbound call before it has sent us the CallSid.
        expected = setup.call_sid or (outbound.dialling.call_sid if outbound is not None else "")
        if not ulaw or (expected and event.call_sid != expected) or state.started_ms is not None:
            out.append(EndCall(EndReason.BAD_STREAM))
            return
        state.started_ms = state.last_frame_ms = now_ms
        state.timers.clear(Timer.START)
        self._policies.line.stream_started(now_ms)
        state.timers.set(Timer.IDLE, now_ms + self._limits.idle_ms)
        state.timers.set(Timer.LIMIT, now_ms + self._limits.max_duration_ms)
        if outbound is not None:
            outbound.stream_started(now_ms)
        out.append(notes.StreamStarted())
        state.talk.stream_started(setup.pad_ms if setup.greets else 0, now_ms, out)
        state.append(state.gate.stream_started(now_ms), out)
        self._policies.recovery.stream_started(now_ms, out)
        self._policies.alarms.stream_started(now_ms)
        out.append(RunHook("start"))

    def _mark_echoed(self, event: media.MarkEchoed, now_ms: int, out: list[Command]) -> None:
        if not self._policies.line.echoed(event.name, now_ms):
            self._policies.alarms.echoed(self._state.talk.mark_echoed(event.name, now_ms), now_ms, out)

    def _digit(self, event: media.Digit, now_ms: int, out: list[Command]) -> None:
        self._state.digits += 1
        self._policies.line.heard(now_ms)
        self._state.talk.active_ms = now_ms
        self._policies.silence.caller_active()
        out.append(RunHook("digit", event.digit))

    def _hang_up_asked(self, event: events.HangUpAsked, now_ms: int, out: list[Command]) -> None:
        if not self._state.hanging_up:
            out.append(notes.HangingUp())
        if event.insist:
            self._policies.goodbye.insist()
        self._state.hang_up_when_heard(now_ms, event.reason)

    # -- what is due ------------------------------------------------------------------------

    def _watch_idle(self, now_ms: int, out: list[Command]) -> None:
        due_ms = self._state.talk.active_ms + self._limits.idle_ms
        if now_ms >= due_ms:
            out.append(EndCall(EndReason.IDLE))
        else:
            self._state.timers.set(Timer.IDLE, due_ms)

    def _send_due_update(self, now_ms: int, out: list[Command]) -> None:
        """Only here: an update is sent by the deadline task's step, never between two deltas."""
        talk = self._state.talk
        quiet_ms = talk.quiet_from_ms
        if talk.schedule.waiting and quiet_ms is not None and quiet_ms <= now_ms:
            name, fields = talk.schedule.take()
            self._state.session.in_force.sent(name, fields, f"due-{name}")
            out.append(SendModel(UpdateSession(fields, f"due-{name}")))
            out.append(notes.SessionUpdate(name))


def _ends(reason: EndReason) -> Handler:
    return lambda event, now_ms, out: out.append(EndCall(reason))
