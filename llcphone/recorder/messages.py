"""The messages of a media stream, as far as a recording needs them.

The call reads them for itself, as they come. Here all that came since the last look are read in one pass.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

import msgspec

from llcphone.audio import padded

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Audio(msgspec.Struct, gc=False):
    payload: bytes
    """Base64, which is decoded in the same pass."""
    timestamp: int | None = None
    """In milliseconds; Twilio writes it as text."""


class _Start(msgspec.Struct, rename="camel", gc=False):
    call_sid: str = ""


class _Mark(msgspec.Struct, gc=False):
    name: str = ""


class Message(msgspec.Struct, gc=False):
    """What is read of any."""

    event: str
    media: _Audio | None = None
    mark: _Mark | None = None
    start: _Start | None = None


class _OddAudio(msgspec.Struct):
    payload: str
    timestamp: object = None


class _OddMessage(msgspec.Struct):
    event: str
    media: _OddAudio


_read_usual = msgspec.json.Decoder(Message, strict=False).decode
_read_many = msgspec.json.Decoder(list[Message], strict=False).decode
_read_odd = msgspec.json.Decoder(_OddMessage).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error)
"""What the call has met, too, and counted."""


def read_all(texts: Sequence[bytes]) -> list[Message | None]:
    """All messages, in one pass if each is as usual; None: it cannot be read."""
    try:
        messages = _read_many(b"[" + b",".join(texts) + b"]")
    except UNREADABLE:
        messages = []
    return [*messages] if len(messages) == len(texts) else [_read(text) for text in texts]


def _read(text: bytes) -> Message | None:
    """A message; of audio without padding, or with another date than a number, what can be read of it."""
    try:
        return _read_usual(text)
    except msgspec.ValidationError:
        pass
    except UNREADABLE:
        return None
    try:
        odd = _read_odd(text)
        return Message(odd.event, _Audio(decoded(odd.media.payload.encode())))
    except UNREADABLE:
        return None


def decoded(payload: bytes) -> bytes:
    """Audio, with or without padding.

    Raises:
        binascii.Error: it is none; see `UNREADABLE`.
    """
    try:
        return binascii.a2b_base64(payload)
    except binascii.Error:
        return binascii.a2b_base64(padded(payload))
