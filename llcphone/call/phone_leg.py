"""The phone's leg: a media stream joins, is read into the engine, and is closed.

The reader awaits nothing but ``receive``. A caller's frame is recognised without building an object and sent
on at once; every other message, and every other spelling of the same frame, takes the general way to the
same decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.call.core import BadMessageCount, CallCore
from llcphone.engine.events import EndReason, PhoneLegLost, StreamJoined
from llcphone.errors import JoinRefused, LegClosed, RemoteProtocolError
from llcphone.twilio.media import StreamStarted, caller_audio_fast, decode
from llcphone.wire.leg import CLOSE_TIMEOUT_S
from llcphone.wire.websocket_leg import read_all

if TYPE_CHECKING:
    from llcphone.tools.call_handle import CallHandle
    from llcphone.wire.leg import Leg


class PhoneLeg:
    """The media stream of one call."""

    def __init__(self, core: CallCore, handle: CallHandle) -> None:
        self._core = core
        self._handle = handle
        self._joined = trio.Event()

    def join(self, leg: Leg) -> None:
        """Take the stream's leg. Synchronous; from here on the call closes it.

        Raises:
            JoinRefused: a stream joined already, or the call is over.
        """
        if self._core.phone.leg is not None or self._core.over:
            raise JoinRefused("this call takes no media stream now", "join one stream, in time")
        self._core.phone.leg = leg
        self._joined.set()
        self._core.step(StreamJoined())

    async def read(self) -> None:
        """Wait for the stream to join, read it to its end, and close its leg."""
        core = self._core
        try:
            await self._joined.wait()
            leg = core.phone.leg
            assert leg is not None
            leg.attach(core.spawn, lambda end: core.step(PhoneLegLost(end.code)))
            await self._pump(leg)
        except LegClosed as exc:
            core.step(PhoneLegLost(exc.code))
        finally:
            if (leg := core.phone.leg) is not None:
                # A phone that has vanished answers no Close: ours is written, and that is all.
                gone = core.engine.ended is EndReason.STREAM_DEAD
                limit_s = 0 if gone else CLOSE_TIMEOUT_S
                with trio.move_on_after(limit_s, shield=True):
                    await leg.aclose()
                leg.abort()

    async def _pump(self, leg: Leg) -> None:
        core, hear, bad = self._core, self._core.hear, BadMessageCount(self._core)

        def on_message(message: bytes) -> None:
            payload = caller_audio_fast(message)
            if payload is not None:
                bad.in_row = 0
                hear(payload)
                return
            try:
                event = decode(message)
            except RemoteProtocolError:
                bad.one_more()
            else:
                bad.in_row = 0
                if isinstance(event, StreamStarted):
                    self._started(event)
                core.step(event)

        recording = core.services.recording
        take = on_message if recording is None else recording.tap(on_message)
        await read_all(leg, take, core.services.poller)

    def _started(self, event: StreamStarted) -> None:
        """Messages for the phone can be written now; an outbound call may learn its CallSid here."""
        self._core.phone.stream_started(event.stream_sid)
        self._handle.call_sid = self._handle.call_sid or event.call_sid
