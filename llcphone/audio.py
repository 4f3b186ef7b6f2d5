"""Telephone audio as it travels here: base64 text of raw 8 kHz µ-law, counted and passed on as it is.

One byte of µ-law is one sample, so 8 bytes are 1 ms. Base64 writes 3 bytes as 4 characters: text
cut at a multiple of 4 characters decodes alone, and a multiple of 32 characters (24 bytes) is a
whole number of milliseconds (3). Only the odd case, text that lost its padding, is decoded and
written anew, because cutting it would shift every later sample.
"""

from __future__ import annotations

import binascii
import functools

from llcphone.errors import LocalProtocolError

BYTES_PER_MS = 8

SILENCE = 0xFF
"""The µ-law byte of a zero sample."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PADDING = (b"", b"=", b"==")


def is_base64(payload: bytes) -> bool:
    """Whether the text holds base64 characters only, with padding at most at its end.

    What passes can be spliced into a JSON string as it is: it holds no quote, backslash or control.
    """
    body = payload.rstrip(b"=")
    # translate with a delete set: 0.2 µs per frame, a quarter of what a regular expression takes
    return not body.translate(None, _ALPHABET) and len(payload) - len(body) <= 2


_QUIET = bytes(code for code in range(256) if (~code & 0x7F) < 0x28)
"""The µ-law bytes of samples below 652 of 32,635: -34 dB of the loudest."""


def is_loud(payload: bytes) -> bool:
    """Whether somebody may be speaking: at least a twentieth of the samples is above the noise of a line."""
    audio = binascii.a2b_base64(payload if len(payload) % 4 == 0 else padded(payload))
    return 20 * len(audio.translate(None, _QUIET)) >= len(audio) > 0


def payload_bytes(payload: bytes) -> int:
    """How many bytes of audio the base64 text holds, padded or not."""
    return len(payload.rstrip(b"=")) * 3 // 4


def silence_payload(ms: int) -> bytes:
    """Base64 of that much silence."""
    return _encode(bytes((SILENCE,)) * (ms * BYTES_PER_MS))


def silence_like(payload: bytes) -> bytes:
    """Base64 of as much silence as this audio lasts."""
    return _silence(payload_bytes(payload))


@functools.lru_cache(16)  # telephones send frames of one size
def _silence(size: int) -> bytes:
    return _encode(bytes((SILENCE,)) * size)


def split_payload(payload: bytes, max_ms: int) -> list[tuple[bytes, int]]:
    """Cut base64 audio into pieces that decode alone.

    Args:
        payload: base64 text; padded first where its padding is lost.
        max_ms: longest piece; pieces are whole milliseconds where ``max_ms`` is 3 or more.

    Returns:
        Pieces in order, each with its number of audio bytes; none for an empty payload.
    """
    longest = max_ms * BYTES_PER_MS
    if longest <= 0:
        raise LocalProtocolError("audio cannot be cut into pieces of no length")
    if len(payload) % 4:
        payload = padded(payload)
    step = (longest // 24 * 24 or longest // 3 * 3) // 3 * 4
    size = payload_bytes(payload)
    if size <= longest:
        return [(payload, size)] if size else []
    pieces = (payload[start : start + step] for start in range(0, len(payload), step))
    return [(piece, payload_bytes(piece)) for piece in pieces]


def padded(payload: bytes) -> bytes:
    """The same audio with proper padding; a lone last character (6 bits) holds no whole byte."""
    body = payload.rstrip(b"=")
    body = body[: len(body) - (len(body) % 4 == 1)]
    return _encode(binascii.a2b_base64(body + _PADDING[-len(body) % 4]))


def _encode(audio: bytes) -> bytes:
    return binascii.b2a_base64(audio, newline=False)
