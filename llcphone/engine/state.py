"""What the policies of one call share: its facts, each kept by one part.

A policy is given this object and, by name, the other policies that it calls. So the first lines of a
policy show all that it can reach. Nothing here decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.audio import payload_bytes
from llcphone.engine.commands import SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.audio_gate import AudioGate
from llcphone.engine.parts.caller_audio import CallerAudioBuffer
from llcphone.engine.parts.conversation import Conversation
from llcphone.engine.parts.model_session import ModelSession
from llcphone.engine.parts.pending_reply import PendingReply
from llcphone.engine.parts.retell import retold
from llcphone.engine.parts.retry_timing import RetryTiming
from llcphone.engine.parts.timers import Timers
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import DialState
from llcphone.realtime.messages import AppendAudio

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.call_setup import CallSetup, DialPlan
    from llcphone.engine.commands import Command
    from llcphone.engine.parts.history import Line

    Handler = Callable[[Any, int, list[Command]], None]
    """What is done when an event comes: it is given the event, the time, and where commands are appended."""
    Due = Callable[[int, list[Command]], object]
    """What is done when a deadline has passed."""


_LIVE_KEEPS_FRAMES = 75
"""Kept frames that a Live session is given at most: 1.5 s. It transcribes about 1.2 s behind the audio."""


@attrs.define
class Dialling:
    """The telephone of an outbound call, until its media stream joins."""

    plan: DialPlan
    state: DialState = DialState.IDLE
    call_sid: str = ""
    deadline_ms: int | None = None
    """For the next word of the carrier."""
    answered_by: str = ""
    failure: str = ""
    """Why Twilio placed no call, by its code."""
    dialled_ms: int | None = None
    answered_ms: int | None = None


class CallState:
    """The facts of one call."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.timers = Timers()
        self.talk = Conversation(setup)
        self.retry = RetryTiming(setup.recovery)
        self.session = ModelSession(setup)
        self.pending = PendingReply(self.talk.responses)
        self.gate = AudioGate(setup.limits, greets=setup.greets)
        self.caller_audio = CallerAudioBuffer()
        self.dialling = None if setup.dial is None else Dialling(setup.dial)
        """The telephone's side of an outbound call; None when they ring us."""
        self.born_ms = 0
        self.joined = False
        """A media stream has come."""
        self.started_ms: int | None = None
        """When the media stream started: somebody is on the line from then on."""
        self.ready_ms: int | None = None
        """When the first session was configured."""
        self.model_spoke_ms = 0
        """When the present model leg last said anything."""
        self.model_alive_ms = 0
        """When a Live session last gave audio, silence included; its words alone can be heard by nobody."""
        self.frames = 0
        self.last_frame_ms = 0
        self.loud_ms = 0
        """When the caller's frames were last loud: kept where a Live call has an irreversible tool."""
        self.appended_bytes = 0
        """Caller audio that the present session was sent."""
        self.digits = 0
        self.unknown_events = 0
        self.stale_events = 0
        self.goodbye_ms: int | None = None
        """Hanging up: by then, at the latest known, the last word will have been played."""
        self.leaving_since_ms = 0
        """When that was asked for."""
        self.leaving_for = EndReason.AGENT_HUNG_UP
        """Why, when the last word was heard."""

    def append(self, payloads: list[bytes], out: list[Command]) -> None:
        """Send kept frames to the model."""
        if self.setup.live is not None:  # what is older was transcribed, and is told as text
            payloads = payloads[-_LIVE_KEEPS_FRAMES:]
        for payload in payloads:
            self.appended_bytes += payload_bytes(payload)
            self.caller_audio.add(payload)
            out.append(SendModel(AppendAudio(payload)))

    def retell(self, lines: list[Line], out: list[Command], summary: str = "") -> None:
        """Give a fresh session the conversation so far, unless its opening had it."""
        if not self.talk.speech.retells:
            return
        texts = self.setup.recovery.texts
        out.extend(SendModel(item) for item in retold(lines, self.caller_audio, texts, summary))
        self.talk.retold = {line.item_id for line in lines if line.speaker is Speaker.AGENT}

    def unknown(self, event: object, now_ms: int, out: list[Command]) -> None:
        """Something this version does not use: counted, never fatal."""
        self.unknown_events += 1

    @property
    def hanging_up(self) -> bool:
        """The call ends once the last word was heard."""
        return self.goodbye_ms is not None

    def hang_up_when_heard(self, now_ms: int, reason: EndReason = EndReason.AGENT_HUNG_UP) -> None:
        """End the call once everything queued or wished for was said and heard."""
        if self.goodbye_ms is None:
            self.goodbye_ms = self.leaving_since_ms = now_ms
        self.leaving_for = reason
