"""What the policies of one call share: its facts, each kept by one part.

A policy is given this object and, by name, the other policies that it calls. So the first lines of a
policy show all that it can reach. Nothing here decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import payload_bytes
from llcphone.engine.commands import SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.audio_gate import AudioGate
from llcphone.engine.parts.caller_audio import CallerAudioBuffer
from llcphone.engine.parts.connecting import SessionSetup
from llcphone.engine.parts.conversation import Conversation
from llcphone.engine.parts.dialling import Dialling
from llcphone.engine.parts.pending_reply import PendingReply
from llcphone.engine.parts.retry_timing import RetryTiming
from llcphone.engine.parts.timers import Timers
from llcphone.realtime.messages import AppendAudio

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.commands import Command


class CallState:
    """The facts of one call."""

    __slots__ = (
        "appended_bytes",
        "born_ms",
        "caller_audio",
        "dialling",
        "digits",
        "frames",
        "gate",
        "goodbye_ms",
        "joined",
        "last_frame_ms",
        "leaving_for",
        "model_spoke_ms",
        "pending",
        "ready_ms",
        "retry",
        "session",
        "setup",
        "stale_events",
        "started_ms",
        "talk",
        "timers",
        "unknown_events",
    )

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.timers = Timers()
        self.talk = Conversation(setup)
        self.retry = RetryTiming(setup.recovery)
        self.session = SessionSetup(setup, self.retry, self.talk.speech.opening)
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
        self.frames = 0
        self.last_frame_ms = 0
        self.appended_bytes = 0
        """Caller audio that the present session was sent."""
        self.digits = 0
        self.unknown_events = 0
        self.stale_events = 0
        self.goodbye_ms: int | None = None
        """Hanging up: by then, at the latest known, the last word will have been played."""
        self.leaving_for = EndReason.AGENT_HUNG_UP
        """Why, when the last word was heard."""

    def append(self, payloads: list[bytes], out: list[Command]) -> None:
        """Send kept frames to the model."""
        for payload in payloads:
            self.appended_bytes += payload_bytes(payload)
            self.caller_audio.add(payload)
            out.append(SendModel(AppendAudio(payload)))

    @property
    def hanging_up(self) -> bool:
        """The call ends once the last word was heard."""
        return self.goodbye_ms is not None

    def hang_up_when_heard(self, now_ms: int, reason: EndReason = EndReason.AGENT_HUNG_UP) -> None:
        """End the call once everything queued or wished for was said and heard."""
        if self.goodbye_ms is None:
            self.goodbye_ms = now_ms
        self.leaving_for = reason
