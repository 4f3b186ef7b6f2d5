"""One call to the server under test: what its caller does, and what can be seen of it.

The call's task is ``follow.live``, which follows TwiML step by step. An interruption (the caller hangs up,
REST completes or updates the call) is written to ``fate`` first. Then it ends the step in progress: a live
stream by ``finish``, so that its ``stop`` message goes out, anything else by cancellation of ``verbs``.
``fate`` is read between two steps, so no interruption is lost.

Times given out are milliseconds since the call began.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim.twilio.http import WebhookFailed
from llcphone.sim.twilio.playout import SAMPLES_PER_MS, SAMPLES_PER_S, Playout, lay_out
from llcphone.sim.twilio.record import CallFaults, CallLog, CallRecord, EndedBy, Received
from llcphone.sim.twilio.steps import Document, Exchange, Fetch, StatusCallbacks, Step
from llcphone.sim.twilio.stream import Ending, MediaStream
from llcphone.sim.wav import write_stereo_wav

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from llcphone.sim.twilio.handset import Handset
    from llcphone.sim.twilio.mouth import Mouth


class CallOver(Exception):
    """The call ended while something of it was waited for.

    Attributes:
        record: why and how it ended.
    """

    def __init__(self, record: CallRecord) -> None:
        super().__init__(record.ended_by)
        self.record = record


@attrs.define(eq=False)
class SimCall:
    """A call in progress. Made by ``TwilioSimulator.ring``."""

    exchange: Exchange
    sid: str
    fields: Mapping[str, str]
    """Form fields of every webhook of this call: numbers, direction and what was asked for."""
    faults: CallFaults
    log: CallLog
    mouth: Mouth
    playout: Playout
    callbacks: StatusCallbacks = attrs.field(factory=StatusCallbacks)
    handset: Handset | None = None
    """Who speaks and hears, if it is somebody outside."""
    stream: MediaStream | None = None
    """The media stream at present."""
    status: str = "ringing"
    queue_ms: int = 0
    """How long it waited for its turn to be dialled."""
    answered_ms: int | None = None
    """When the callee picked up."""
    answered_by: str | None = None
    """The verdict of machine detection."""
    stream_over: trio.Event = attrs.field(factory=trio.Event)
    """The present stream has ended, or the call continues without it (see ``moving``)."""
    left_stream: MediaStream | None = None
    """A stream of which the call was moved away and whose ``stop`` is still to come."""
    recording: tuple[int, str] | None = None
    """Since which sample all of it is recorded, and the URL that receives the recording."""
    fate: Step | None = None
    """What the call does next, because something interrupted it."""
    verbs: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    background: trio.Nursery | None = None
    _ended: trio.Event = attrs.field(factory=trio.Event)

    # ---- the caller ----------------------------------------------------------------------------------

    async def answered(self) -> None:
        """Wait until the first webhook was answered with TwiML, or the call is over."""
        with contextlib.suppress(CallOver):
            await self._until(lambda: 0 if self.record.documents else None)

    async def picked_up(self) -> None:
        """Wait until the call is answered.

        Raises:
            CallOver: it never was.
        """
        await self._until(lambda: 0 if self.status == "in-progress" else None)

    async def stream_started(self, nth: int = 1) -> None:
        """Wait until the nth media stream of this call has sent its ``start``."""
        await self._until(lambda: 0 if len(self._starts_ms()) >= nth else None)

    def speak_nowait(self, ulaw: bytes) -> int:
        """Say something after what is being said; returns at once."""
        return self.mouth.speak_nowait(ulaw)

    async def speak(self, ulaw: bytes) -> None:
        """Say something and wait until it has been said, in real time."""
        ticket = self.mouth.speak_nowait(ulaw)
        await self._until(lambda: 0 if self.mouth.was_said(ticket) else None)

    def press(self, digits: str) -> None:
        """Press keys: ``0123456789*#ABCD``."""
        self.mouth.press(digits)

    def fall_silent(self) -> None:
        """Stop in the middle of what is being said."""
        self.mouth.fall_silent()

    def hang_up(self) -> None:
        """The caller hangs up: ``stop``, then the stream is closed."""
        self._interrupt(EndedBy.CALLER)

    async def hears(self, seconds: float = 0.0, *, stream: int = 0) -> None:
        """Wait for so much of the agent's voice: from now on, or since that media stream started."""
        since = self.log.now
        if stream:
            await self.stream_started(stream)
            since = self._starts_ms()[stream - 1] * SAMPLES_PER_MS
        target = self.playout.voiced(since) + max(1, round(seconds * SAMPLES_PER_S))
        await self._until(lambda: self.playout.voiced_reaches(target))

    async def heard_audio(self, at_least_ms: int) -> None:
        """Wait until this much of the agent's voice has been heard since the call began."""
        target = max(1, at_least_ms * SAMPLES_PER_MS)
        await self._until(lambda: self.playout.voiced_reaches(target))

    async def silence_for(self, ms: int) -> None:
        """Wait until the agent's voice has not been heard for this long; silence that is past counts."""
        await self._until(lambda: self.playout.voice_ends() + ms * SAMPLES_PER_MS)

    async def hears_out(self, seconds: float, silence_ms: int) -> None:
        """Hear so much of the agent's voice, and the rest of it until a silence of this length."""
        await self.hears(seconds)
        await self.silence_for(silence_ms)

    # ---- the network ---------------------------------------------------------------------------------

    def drop(self) -> None:
        """Reset the stream's TCP connection; the call continues with its TwiML (error 31903)."""
        if self.stream is not None:
            self.stream.finish(Ending.DROP)

    def vanish(self) -> None:
        """The stream neither reads nor sends any more, but its socket stays open."""
        if self.stream is not None:
            self.stream.vanish()

    def stop_reading(self) -> None:
        """The stream sends on but reads nothing."""
        if self.stream is not None:
            self.stream.stop_reading()

    def read_on(self) -> None:
        """The stream reads again: what was held up comes at once."""
        if self.stream is not None:
            self.stream.read_on()

    def stop_sending(self) -> None:
        """The stream reads on but sends nothing more, no mark either."""
        if self.stream is not None:
            self.stream.stop_sending()

    def complete(self) -> None:
        """What REST does with ``status=completed``."""
        self._interrupt(EndedBy.REST)

    def cancel(self) -> None:
        """What REST does with ``status=canceled`` to a call that is not answered yet."""
        self._interrupt(EndedBy.CANCELED)

    def update(self, *, twiml: str | None = None, url: str | None = None, method: str = "POST") -> None:
        """What REST does with ``twiml`` or ``url``: the stream stops and the call continues there."""
        if (twiml is None) == (url is None):
            raise ValueError("either twiml or url")
        if twiml is not None:
            self._interrupt(Document(twiml, self.exchange.route.public_url))
        elif url is not None:
            self._interrupt(Fetch("update", url, method))

    # ---- what there is to see ------------------------------------------------------------------------

    @property
    def record(self) -> CallRecord:
        """The record so far."""
        return self.log.record

    async def ended(self) -> CallRecord:
        """Wait for the end of the call."""
        await self._ended.wait()
        return self.record

    @property
    def over(self) -> bool:
        return self._ended.is_set()

    @property
    def received(self) -> list[Received]:
        """Messages of the server, the last 20,000."""
        return list(self.log.received)

    @property
    def ear(self) -> list[tuple[float, bytes]]:
        """What was really heard so far: (start in ms, µ-law), one entry per stretch without a gap."""
        return [(start / SAMPLES_PER_MS, audio) for start, audio in self.playout.heard(self.log.now)]

    @property
    def said(self) -> list[tuple[float, bytes]]:
        """What the caller said so far: (start in ms, µ-law)."""
        return [(start / SAMPLES_PER_MS, bytes(audio)) for start, audio in self.mouth.said]

    @property
    def pending_marks(self) -> int:
        """Marks not echoed yet."""
        return self.playout.pending_marks

    def heard_ulaw(self, total_ms: int | None = None) -> bytes:
        """What was heard, on a line of silence from the call's begin (to now by default)."""
        total = self.log.now if total_ms is None else total_ms * SAMPLES_PER_MS
        return lay_out(self.playout.heard(self.log.now), total)

    def said_ulaw(self, total_ms: int | None = None) -> bytes:
        """What the caller said, likewise."""
        total = self.log.now if total_ms is None else total_ms * SAMPLES_PER_MS
        return lay_out(((start, bytes(audio)) for start, audio in self.mouth.said), total)

    def write_wav(self, path: Path | str) -> None:
        """Write the call as stereo WAV: caller left, agent as heard right, in true time."""
        total_ms = self.record.duration_ms if self.over else self.log.now_ms
        write_stereo_wav(path, self.said_ulaw(total_ms), self.heard_ulaw(total_ms))

    # ---- for the simulator's own parts ---------------------------------------------------------------

    def _interrupt(self, fate: Step) -> None:
        if self.over or isinstance(self.fate, EndedBy):
            return
        self.fate = fate
        self.log.event(fate.value if isinstance(fate, EndedBy) else "call updated")
        if self.stream is None:
            self.verbs.cancel()
        elif self.hung_up or self.faults.stop_late_s is None:
            self.stream.finish(Ending.STOP)
        else:
            self.left_stream = self.stream
            self.stream.leave(self.mouth)
            self.stream_over.set()

    @property
    def interrupted(self) -> bool:
        """The present step was ended from outside."""
        return self.fate is not None

    @property
    def hung_up(self) -> bool:
        """The interruption is the end of the call."""
        return isinstance(self.fate, EndedBy)

    def finish(self, status: str, ended_by: EndedBy) -> None:
        """The call is over; a second end changes nothing."""
        if self.over:
            return
        self.status = status
        self.record.ended_by = ended_by
        self.record.duration_ms = self.log.now_ms
        self.playout.stop(self.log.now)
        self._ended.set()
        self.log.event(f"call over: {ended_by.value}")
        self.log.show("state", call=self.sid, state="over", why=ended_by.value)

    def answer(self) -> None:
        """The call is answered, if it was not before."""
        if self.status != "in-progress":
            self.status = "in-progress"
            self.log.show("state", call=self.sid, state="connected", why="")

    @contextlib.contextmanager
    def streaming(self, stream: MediaStream) -> Iterator[None]:
        """The call has this stream meanwhile."""
        self.stream = stream
        try:
            yield
        finally:
            self.stream = None

    def form(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The fields of a webhook (twilio.com/docs/voice/twiml)."""
        return {**self.fields, "CallSid": self.sid, "CallStatus": self.status, **extra}

    def in_background(self, work: Callable[..., Awaitable[None]], *args: object, name: str) -> None:
        """Work the call does not wait for before it continues, but does before it is gone."""
        if self.background is not None:
            self.background.start_soon(work, *args, name=name)

    def notify(self, purpose: str, url: str, form: Mapping[str, str], method: str = "POST") -> None:
        """Make a request without waiting for it; its answer is ignored."""
        self.in_background(self.tell, purpose, url, form, method, name=f"sim {purpose}")

    async def tell(self, purpose: str, url: str, form: Mapping[str, str], method: str) -> None:
        """Make a request whose answer is ignored, and wait until it is over."""
        try:
            await self.exchange.webhooks.request(self.log, purpose, url, form, method=method)
        except WebhookFailed as failed:
            self.log.error(failed.code, failed.text)

    @property
    def timestamp(self) -> datetime:
        """Wall-clock time for the wire."""
        return self.wall_time(self.log.now_ms)

    def wall_time(self, at_ms: int) -> datetime:
        """Wall-clock time of a moment of the call."""
        return self.exchange.wall_time(self.log.born_at + at_ms / 1000)

    def _starts_ms(self) -> list[int]:
        return [at for each in self.record.streams if (at := each.started_at_ms) is not None]

    async def _until(self, due: Callable[[], int | None]) -> None:
        """Wait for the moment (in samples) that ``due`` names; it is asked again whenever something happened.

        Raises:
            CallOver: the call ended first.
        """
        while True:
            at = due()
            if at is not None and at <= self.log.now:
                await trio.lowlevel.checkpoint()
                return
            if self.over:
                raise CallOver(self.record)
            await self.log.wait_change(math.inf if at is None else self.log.time_of(at))
