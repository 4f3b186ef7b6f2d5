"""The twilio reader: from the phone's socket into the engine, awaiting nothing but ``receive``.

A caller's frame is recognised without building an object and sent on at once; every other message,
and every other spelling of the same frame, goes the general way to the same decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.events import PhoneLegLost
from llcphone.errors import LegClosed, RemoteProtocolError
from llcphone.twilio.media import StreamStarted, caller_audio_fast, decode

if TYPE_CHECKING:
    from llcphone.call.run import CallRun

_MOST_BAD_IN_ROW = 10
"""Messages in a row that cannot be read before the leg counts as lost."""


async def read_phone(call: CallRun) -> None:
    """Wait for the media stream to join, then read it to its end."""
    leg = await call.phone_joined()
    bad_in_row = 0
    try:
        while True:
            for message in await leg.receive():
                payload = caller_audio_fast(message)
                if payload is not None:
                    bad_in_row = 0
                    call.hear(payload)
                    continue
                try:
                    event = decode(message)
                except RemoteProtocolError:
                    call.bad_messages += 1
                    bad_in_row += 1
                    if bad_in_row >= _MOST_BAD_IN_ROW:
                        call.step(PhoneLegLost(1002))
                        return
                else:
                    bad_in_row = 0
                    if isinstance(event, StreamStarted):
                        call.stream_known(event)
                    call.step(event)
    except LegClosed as exc:
        call.step(PhoneLegLost(exc.code))
