"""The twilio reader: from the phone's socket into the engine, awaiting nothing but ``receive``.

A caller's frame is recognised without building an object and sent on at once; every other message,
and every other spelling of the same frame, goes the general way to the same decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.call.bad_messages import BadMessageCount
from llcphone.engine.events import EndReason, PhoneLegLost
from llcphone.errors import LegClosed, RemoteProtocolError
from llcphone.twilio.media import StreamStarted, caller_audio_fast, decode
from llcphone.wire.read_loop import read_all

if TYPE_CHECKING:
    from llcphone.call.run import CallRun
    from llcphone.wire.leg import Leg


async def read_phone(call: CallRun) -> None:
    """Wait for the media stream to join, read it to its end, and close its leg."""
    leg: Leg | None = None
    bad = BadMessageCount(call)

    def on_message(message: bytes) -> None:
        payload = caller_audio_fast(message)
        if payload is not None:
            bad.in_row = 0
            call.hear(payload)
            return
        try:
            event = decode(message)
        except RemoteProtocolError:
            bad.one_more()
        else:
            bad.in_row = 0
            if isinstance(event, StreamStarted):
                call.stream_known(event)
            call.step(event)

    try:
        leg = await call.phone_joined()
        await read_all(leg, on_message, call.poller)
    except LegClosed as exc:
        call.step(PhoneLegLost(exc.code))
    finally:
        if (leg := leg or call.phone_leg) is not None:
            # A phone that has vanished answers no Close: ours is written, and that is all.
            gone = call.engine.ended is EndReason.STREAM_DEAD
            with trio.move_on_after(0 if gone else call.close_timeout_s, shield=True):
                await leg.aclose()
            leg.abort()
