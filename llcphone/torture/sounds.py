"""Tones that identify words: each has its own pitch, which survives any codec between model and caller.

A window of what was heard is a word when most of its energy lies at that word's pitch. Speech (a bridge's own
filler) has its energy in many places and is no word.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from operator import mul
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim import ulaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RATE = 8000
WINDOW_MS = 40
SHARE = 0.6
"""This share of a window's energy must lie at one pitch."""
QUIET = 200.0**2
"""Mean square below which a window is silence."""


def tone(hz: int, ms: int) -> bytes:
    """A sine as µ-law, as loud as speech."""
    step = math.tau * hz / RATE
    return ulaw.encode(array("h", (int(6000 * math.sin(step * n)) for n in range(ms * 8))))


@attrs.frozen
class Sound:
    """A stretch of one pitch, in milliseconds of the call."""

    hz: int
    start_ms: float
    end_ms: float

    @property
    def ms(self) -> float:
        return self.end_ms - self.start_ms


async def sounds_in(ear: Iterable[tuple[float, bytes]], pitches: Sequence[int]) -> list[Sound]:
    """Which pitches were heard and when; what is none of them is left out.

    It gives way between windows, so that other trials keep their time.
    """
    found: list[Sound] = []
    size = WINDOW_MS * 8
    for start_ms, audio in ear:
        for at in range(0, len(audio) - size // 2, size):
            await trio.lowlevel.checkpoint()
            begin_ms, piece = start_ms + at / 8, audio[at : at + size]
            hz = pitch_of(piece, pitches)
            if hz is None:
                continue
            end_ms = begin_ms + len(piece) / 8
            if found and found[-1].hz == hz and begin_ms - found[-1].end_ms <= WINDOW_MS:
                found[-1] = attrs.evolve(found[-1], end_ms=end_ms)
            else:
                found.append(Sound(hz, begin_ms, end_ms))
    return found


def pitch_of(audio: bytes, pitches: Sequence[int]) -> int | None:
    """The pitch that holds most of the energy, if one does."""
    samples = [ulaw.DECODED[byte] for byte in audio]
    power = sum(map(mul, samples, samples)) / max(1, len(samples))
    if power < QUIET:
        return None
    best = max(pitches, key=lambda hz: _at(samples, hz))
    return best if 2 * _at(samples, best) / (len(samples) ** 2 * power) > SHARE else None


def _at(samples: list[int], hz: int) -> float:
    cosine, sine = _waves(hz)
    return float(sum(map(mul, samples, cosine)) ** 2 + sum(map(mul, samples, sine)) ** 2)


@cache
def _waves(hz: int) -> tuple[list[float], list[float]]:
    angles = [math.tau * hz / RATE * n for n in range(RATE // 5)]
    return [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]
