"""Media Streams messages: what Twilio says on the stream and what we may say back.

Source: twilio.com/docs/voice/media-streams/websocket-messages. ``sequenceNumber``, ``chunk``
and ``timestamp`` are strings there; payloads are base64 of raw 8 kHz µ-law.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class StreamConnected:
    """First message of a stream; no ids yet."""


@attrs.frozen
class StreamStarted:
    stream_sid: str
    call_sid: str
    account_sid: str = ""
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8000
    channels: int = 1
    custom: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class CallerAudio:
    """Usually 20 ms of the caller; ``payload`` is base64 text as bytes, untouched."""

    payload: bytes


@attrs.frozen
class MarkEchoed:
    """The audio before this mark was played, or dropped by a clear."""

    name: str


@attrs.frozen
class Digit:
    """A key the caller pressed: one of ``0123456789*#ABCD``."""

    digit: str


@attrs.frozen
class StreamStopped:
    """The stream is over; the call itself may go on (a transfer)."""


@attrs.frozen
class UnknownPhoneMessage:
    """A kind Twilio may add later: counted, never fatal."""

    kind: str


PhoneEvent = (
    StreamConnected | StreamStarted | CallerAudio | MarkEchoed | Digit | StreamStopped | UnknownPhoneMessage
)


@attrs.frozen
class Media:
    """Agent audio for the caller; ``payload`` is base64 of µ-law."""

    payload: bytes


@attrs.frozen
class Mark:
    """Echoed by Twilio when all audio before it has been played or cleared."""

    name: str


@attrs.frozen
class Clear:
    """Empty Twilio's buffer; it then returns all pending marks at once."""


PhoneMessage = Media | Mark | Clear
