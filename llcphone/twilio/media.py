"""Media Streams messages: what Twilio says on the stream and what we may say back.

Source: twilio.com/docs/voice/media-streams/websocket-messages. ``sequenceNumber``, ``chunk``
and ``timestamp`` are strings there; payloads are base64 of raw 8 kHz µ-law.

Media is the hot path: a frame comes and one goes every 20 ms in every call. Inwards one typed
pass finds the payload (``caller_audio_fast``), in any spelling of the JSON; a regular expression
over Twilio's own spelling was measured at twice its cost. Outwards a stream's own
``MediaEncoder`` holds the text around a payload ready made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import msgspec

from llcphone.audio import is_base64
from llcphone.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


# -- reading ------------------------------------------------------------------------------------

_KEYS = frozenset("0123456789*#ABCD")

# What msgspec raises for bytes that are not the JSON we asked for: bad UTF-8 is a UnicodeDecodeError,
# deep nesting a RecursionError.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Kind(msgspec.Struct):
    event: str


class _Payload(msgspec.Struct):
    payload: str


class _MediaShape(msgspec.Struct):
    event: Literal["media"]
    media: _Payload


class _Format(msgspec.Struct, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8000
    channels: int = 1


class _Start(msgspec.Struct, rename="camel"):
    stream_sid: str
    call_sid: str
    account_sid: str = ""
    media_format: _Format = msgspec.field(default_factory=_Format)
    custom_parameters: dict[str, str] = {}


class _StartShape(msgspec.Struct):
    start: _Start


class _Name(msgspec.Struct):
    name: str


class _MarkShape(msgspec.Struct):
    mark: _Name


class _Key(msgspec.Struct):
    digit: str


class _DigitShape(msgspec.Struct):
    dtmf: _Key


def caller_audio_fast(text: bytes) -> bytes | None:
    """The base64 text of a media message; None leaves the message to ``decode``."""
    try:
        return _base64_of(_media(text))
    except (*_UNREADABLE, RemoteProtocolError):
        return None


def decode(text: bytes) -> PhoneEvent:
    """Read any message: first its kind, then the shape that belongs to it.

    A kind that Twilio may add becomes ``UnknownPhoneMessage``.

    Raises:
        RemoteProtocolError: it is no message, or a known one without what it must have.
    """
    try:
        kind = _kind(text).event
        reader = _READERS.get(kind)
        return UnknownPhoneMessage(kind) if reader is None else reader(text)
    except _UNREADABLE:
        raise RemoteProtocolError("phone leg: not a Media Streams message") from None


def _base64_of(message: _MediaShape) -> bytes:
    payload = message.media.payload.encode()
    # Spliced into the model's JSON as it is, so it must be base64 and nothing else.
    if not is_base64(payload):
        raise RemoteProtocolError("phone leg: audio that is not base64")
    return payload


def _started(text: bytes) -> PhoneEvent:
    start = _start(text).start
    audio = start.media_format
    return StreamStarted(
        start.stream_sid,
        start.call_sid,
        start.account_sid,
        audio.encoding,
        audio.sample_rate,
        audio.channels,
        start.custom_parameters,
    )


def _digit(text: bytes) -> PhoneEvent:
    digit = _dtmf(text).dtmf.digit
    if digit not in _KEYS:
        raise RemoteProtocolError("phone leg: no key of a telephone")
    return Digit(digit)


_kind = msgspec.json.Decoder(_Kind).decode
_media = msgspec.json.Decoder(_MediaShape).decode
_start = msgspec.json.Decoder(_StartShape).decode
_mark = msgspec.json.Decoder(_MarkShape).decode
_dtmf = msgspec.json.Decoder(_DigitShape).decode

_READERS: Mapping[str, Callable[[bytes], PhoneEvent]] = {
    "connected": lambda _: StreamConnected(),
    "start": _started,
    "media": lambda text: CallerAudio(_base64_of(_media(text))),
    "mark": lambda text: MarkEchoed(_mark(text).mark.name),
    "dtmf": _digit,
    "stop": lambda _: StreamStopped(),
}


# -- writing ------------------------------------------------------------------------------------


class MediaEncoder:
    """Writes one stream's messages; made once, so that a frame costs one concatenation.

    Twilio ignores a message with an extra or a missing field (warning 31951), so these are exact.
    """

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid)
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":'
        self._clear = b'{"event":"clear","streamSid":' + sid + b"}"

    def media(self, payload: bytes) -> bytes:
        """Audio for the caller; ``payload`` must be nothing but base64."""
        return self._media + payload + b'"}}'

    def mark(self, name: str) -> bytes:
        """A mark behind the audio sent so far."""
        return self._mark + msgspec.json.encode(name) + b"}}"

    def clear(self) -> bytes:
        """Empty Twilio's buffer; all pending marks come back at once."""
        return self._clear

    def encode(self, message: PhoneMessage) -> bytes:
        """Any of the three."""
        match message:
            case Media(payload):
                return self.media(payload)
            case Mark(name):
                return self.mark(name)
            case Clear():
                return self._clear
            case _:
                raise LocalProtocolError(f"not a message to the phone: {type(message).__name__}")


def encode(message: PhoneMessage, stream_sid: str) -> bytes:
    """One message for a stream; who sends many keeps a ``MediaEncoder``."""
    return MediaEncoder(stream_sid).encode(message)
