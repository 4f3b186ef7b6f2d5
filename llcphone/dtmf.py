"""The keys of a telephone as sound: two sines each (ITU-T Q.23), in µ-law, as base64 payloads.

Media Streams carry no key presses outwards, but the far side listens for the
tones themselves, wherever they come from.
"""

from __future__ import annotations

import binascii
import math

from llcphone.audio import BYTES_PER_MS, silence_payload

KEYS = "0123456789*#wW"
"""``w`` waits half a second, ``W`` a second, as in Twilio's own ``SendDigits``."""

_MOST = 32
_TONE_MS, _GAP_MS = 120, 90
"""Longer than the 40 ms that Q.24 asks receivers to know, for lines that eat beginnings."""
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
_PAD = ("123", "456", "789", "*0#")
_LOUDNESS = 6_000
"""Of each sine, of 32,767: about -15 dBm0, and no clipping when both meet."""
_BIAS, _CLIP = 0x84, 32_635


def check_keys(keys: str) -> None:
    """Raise ValueError for what no telephone has, or too much of it."""
    if not keys or len(keys) > _MOST or set(keys) - set(KEYS):
        raise ValueError(f"1 to {_MOST} of {KEYS}")


def tones_of(keys: str) -> tuple[bytes, ...]:
    """One payload per key, its pause included; raises ValueError as ``check_keys`` does."""
    check_keys(keys)
    return tuple(_sound_of(key) for key in keys)


def _sound_of(key: str) -> bytes:
    if key in "wW":
        return silence_payload(500 if key == "w" else 1_000)
    row = next(at for at, keys in enumerate(_PAD) if key in keys)
    pitches = (_ROWS[row], _COLUMNS[_PAD[row].index(key)])
    samples = range(_TONE_MS * BYTES_PER_MS)
    tone = bytes(_ulaw(sum(_sine(pitch, sample) for pitch in pitches)) for sample in samples)
    return binascii.b2a_base64(tone + b"\xff" * (_GAP_MS * BYTES_PER_MS), newline=False)


def _sine(pitch: int, sample: int) -> float:
    return _LOUDNESS * math.sin(2 * math.pi * pitch * sample / (1_000 * BYTES_PER_MS))


def _ulaw(value: float) -> int:
    """One sample of ITU-T G.711 µ-law."""
    sign = 0x80 if value < 0 else 0
    magnitude = min(abs(round(value)), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF
