"""G.711: telephone bytes to linear samples and back, for the simulators only.

Both laws spend 8 bits as sign, 3 bits of segment (a power of two) and 4 bits of step inside it, and send
them with bits flipped so that silence is not a run of zeros. µ-law adds a bias of 33 (132 at 16 bits)
so that every segment starts at a power of two; A-law does without, its first segment is linear. The
tables are built from that formula (ITU-T G.711, 1988), not copied, and share nothing with ``llcphone``:
a simulator that reused the table of what it tests could not find its errors.
"""

from __future__ import annotations

from array import array

SILENCE = b"\xff"
"""One µ-law sample of silence: positive zero."""

_BIAS = 132
_CLIP = 32635
"""Largest magnitude that still fits after the bias is added."""


def _expand_ulaw(code: int) -> int:
    code = ~code & 0xFF
    segment, step = (code >> 4) & 7, code & 15
    magnitude = (((step << 3) + _BIAS) << segment) - _BIAS
    return -magnitude if code & 0x80 else magnitude


def _compress_ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    segment = magnitude.bit_length() - 8
    return ~(sign | segment << 4 | (magnitude >> (segment + 3)) & 15) & 0xFF


def _expand_alaw(code: int) -> int:
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    magnitude = (step << 4) + 8 if segment == 0 else ((step << 4) + 264) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _compress_alaw(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = sample >> 4 if sample >= 0 else ~sample >> 4
    segment = max(0, magnitude.bit_length() - 4)
    step = magnitude >> max(0, segment - 1)
    return (sign | segment << 4 | step & 15) ^ 0x55 if segment else (sign | magnitude & 15) ^ 0x55


DECODED = array("h", map(_expand_ulaw, range(256)))
"""µ-law byte to 16-bit sample."""
DECODED_ALAW = array("h", map(_expand_alaw, range(256)))
"""A-law byte to 16-bit sample."""
# A sample's two low bits never change its µ-law code, so the encoder needs a quarter of the range.
_ENCODED = bytes(_compress_ulaw(i << 2) for i in range(-8192, 8192))
_TO_ALAW = bytes(map(_compress_alaw, DECODED))


def decode(ulaw: bytes) -> array[int]:
    """Turn µ-law bytes into 16-bit linear samples."""
    return array("h", map(DECODED.__getitem__, ulaw))


def encode(pcm: array[int]) -> bytes:
    """Turn 16-bit linear samples into µ-law bytes."""
    return bytes(_ENCODED[(sample >> 2) + 8192] for sample in pcm)


def to_alaw(ulaw: bytes) -> bytes:
    """Turn µ-law bytes into A-law bytes, as a gateway between the two worlds does."""
    return ulaw.translate(_TO_ALAW)
