"""The messages of a media stream, as Twilio writes and reads them.

Written: key order and types of twilio.com/docs/voice/media-streams/websocket-messages; sequence number, chunk
and timestamp are strings. Read: exactly the documented form; what has a further or a missing field, another
stream's id, or is not JSON is ignored with 31951, a binary message with 31950.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Exact(msgspec.Struct, forbid_unknown_fields=True):
    """A message or a part of one; a missing or further field makes it invalid."""


class _Audio(_Exact):
    payload: bytes  # msgspec takes strict base64 for bytes


class _Name(_Exact):
    name: str


class Media(_Exact, tag="media", tag_field="event"):
    """Audio for the caller."""

    streamSid: str
    media: _Audio


class Mark(_Exact, tag="mark", tag_field="event"):
    """To be echoed when the audio before it has been played."""

    streamSid: str
    mark: _Name


class Clear(_Exact, tag="clear", tag_field="event"):
    streamSid: str


ServerMessage: TypeAlias = Media | Mark | Clear

_DECODER = msgspec.json.Decoder(Media | Mark | Clear)


class Ignored(Exception):
    """Twilio ignores this message and logs a warning."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def read(message: str | bytes, stream_sid: str) -> ServerMessage:
    """One message of the server.

    Raises:
        Ignored: it is not exactly what is documented.
    """
    if isinstance(message, bytes):
        raise Ignored(31950, "a binary message")
    try:
        said: ServerMessage = _DECODER.decode(message)
    except msgspec.DecodeError:
        raise Ignored(31951, "an invalid message") from None
    if said.streamSid != stream_sid:
        raise Ignored(31951, "a message for another stream")
    return said


@attrs.define
class StreamWriter:
    """Writes the messages of one stream and numbers them."""

    account_sid: str
    call_sid: str
    stream_sid: str
    spaced: bool
    """With spaces after commas and colons, as ``json.dumps`` writes by default."""
    _sequence: int = 0
    _media: str = ""

    def connected(self) -> str:
        return self._json({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str], call_sid: str) -> str:
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self._json(
            {"event": "start", "sequenceNumber": self._next(), "start": start, "streamSid": self.stream_sid}
        )

    def media(self, chunk: int, timestamp_ms: int, payload: str) -> str:
        """The message of every 20 ms, so it is a template filled in."""
        if not self._media:
            media = {"track": "inbound", "chunk": "%d", "timestamp": "%d", "payload": "%s"}
            self._media = self._json(
                {"event": "media", "sequenceNumber": "%d", "media": media, "streamSid": self.stream_sid}
            )
        self._sequence += 1
        return self._media % (self._sequence, chunk, timestamp_ms, payload)

    def digit(self, digit: str) -> str:
        return self._json(
            {
                "event": "dtmf",
                "streamSid": self.stream_sid,
                "sequenceNumber": self._next(),
                "dtmf": {"track": "inbound_track", "digit": digit},
            }
        )

    def mark(self, name: str) -> str:
        return self._json(
            {
                "event": "mark",
                "sequenceNumber": self._next(),
                "streamSid": self.stream_sid,
                "mark": {"name": name},
            }
        )

    def stop(self) -> str:
        stop = {"accountSid": self.account_sid, "callSid": self.call_sid}
        return self._json(
            {"event": "stop", "sequenceNumber": self._next(), "stop": stop, "streamSid": self.stream_sid}
        )

    def _next(self) -> str:
        self._sequence += 1
        return str(self._sequence)

    def _json(self, message: Mapping[str, Any]) -> str:
        return json.dumps(message, separators=(", ", ": ") if self.spaced else (",", ":"))
