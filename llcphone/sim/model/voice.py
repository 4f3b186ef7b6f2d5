"""What the simulated model sounds like: a file, given bytes, or babble.

Babble is a second of buzzing vowels in a syllable rhythm, repeated: loud enough for any turn detector,
without a silence in it longer than 100 ms, cheap to make and easy to recognize.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from typing import TYPE_CHECKING

from llcphone.sim import ulaw
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from pathlib import Path

MS_PER_CHARACTER = 65
"""Speaking rate for a text without its own audio: about 15 characters a second."""
_RATE = 8000


def babble(ms: int, pitch_hz: int = 120) -> bytes:
    """``ms`` milliseconds of speech-like µ-law at 8 kHz."""
    second = _second(pitch_hz)
    return (second * (ms // 1000 + 1))[: ms * 8]


@cache
def _second(pitch_hz: int) -> bytes:
    """One second: four syllables of harmonics under two formants, at about -16 dBFS."""
    samples = array("h")
    for n in range(_RATE):
        t = n / _RATE
        syllable, within = divmod(t * 4, 1)
        formant_hz = (500, 700, 400, 600)[int(syllable)]
        voiced = sum(
            math.exp(-(((k * pitch_hz - formant_hz) / 250) ** 2)) * math.sin(math.tau * k * pitch_hz * t)
            for k in range(1, 9)
        )
        samples.append(int(7500 * (0.25 + 0.75 * math.sin(math.pi * within)) * voiced))
    return ulaw.encode(samples)


def spoken(text: str, audio: bytes | int | Path | str | None) -> bytes:
    """The µ-law of a ``Say``: its bytes, its file, this many ms of babble, or as many as the text takes."""
    match audio:
        case bytes():
            return audio
        case int():
            return babble(audio)
        case None:
            return babble(max(400, len(text) * MS_PER_CHARACTER))
        case _:
            return read_speech(audio)


def render(speech: bytes, form: str) -> bytes:
    """µ-law speech in the session's output format; PCM is 24 kHz, by straight lines between samples."""
    if form == "audio/pcmu":
        return speech
    if form == "audio/pcma":
        return ulaw.to_alaw(speech)
    samples = ulaw.decode(speech)
    wide = array("h", bytes(6 * len(samples)))
    wide[0::3] = samples
    before = 0
    for n, sample in enumerate(samples):
        if n:
            wide[3 * n - 2] = (2 * before + sample) // 3
            wide[3 * n - 1] = (before + 2 * sample) // 3
        before = sample
    return wide.tobytes()
