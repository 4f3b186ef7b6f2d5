"""The caller's speech for the questions about turns: recorded words, sent as a telephone sends them."""

from __future__ import annotations

import base64
import math
import random
from array import array
from typing import TYPE_CHECKING, Any

import trio
from attrs import frozen

from llcphone.realtime.messages import AppendAudio
from llcphone.sim import ulaw, voices

if TYPE_CHECKING:
    from llcphone.certify.talk import Heard, Talk

FRAME_MS = 20
BYTES_PER_MS = 8
_SPEECH_DB = -50.0
"""A window louder than that is speech; the recordings' own noise is below."""


def silence(ms: int) -> bytes:
    """µ-law silence."""
    return b"\xff" * (ms * BYTES_PER_MS)


def halves() -> tuple[bytes, bytes]:
    """A sentence in two parts, cut between two words: the first part alone says that more will come."""
    words = trimmed(voices.load("book_table"))
    size = FRAME_MS * BYTES_PER_MS
    middle = range(len(words) // 3 // size * size, len(words) * 2 // 3, size)
    cut = min(middle, key=lambda at: level(words[at : at + size]))
    return words[:cut], words[cut:]


def sentence() -> bytes:
    """A whole sentence without a long pause."""
    return trimmed(voices.load("yes_please"))


def quieter(audio: bytes, db: float) -> bytes:
    """The same, so many decibels less loud."""
    factor = 10 ** (-db / 20)
    return ulaw.encode(array("h", (round(sample * factor) for sample in ulaw.decode(audio))))


def noise(ms: int, db: float) -> bytes:
    """Noise of a street: the same in every run, at so many decibels below full scale."""
    chance, peak = random.Random(8000), 32768 * 10 ** (db / 20)
    samples, low = [], 0.0
    for _ in range(ms * BYTES_PER_MS):
        low = 0.7 * low + 0.3 * chance.gauss(0, 1)
        samples.append(round(max(-32000, min(32000, low * peak * 2.38))))
    return ulaw.encode(array("h", samples))


def trimmed(audio: bytes) -> bytes:
    """Without silence at both ends, in whole frames."""
    size = FRAME_MS * BYTES_PER_MS
    loud = [at for at in range(0, len(audio) - size + 1, size) if level(audio[at : at + size]) > _SPEECH_DB]
    return audio[loud[0] : loud[-1] + size] if loud else b""


def level(audio: bytes) -> float:
    """Its loudness in decibels below full scale."""
    power = sum(sample * sample for sample in ulaw.decode(audio)) / max(1, len(audio))
    return 10 * math.log10(max(power, 1.0) / 32768**2)


@frozen
class Played:
    """Audio that was sent, and what the server said meanwhile."""

    began_s: float
    """When the first frame was sent, by Trio's clock."""
    heard: list[Heard]

    def times_ms(self, kind: type[Any]) -> list[int]:
        """When events of this kind came, in ms since the first frame."""
        return [
            round((each.at_s - self.began_s) * 1000) for each in self.heard if isinstance(each.event, kind)
        ]


async def play(talk: Talk, audio: bytes) -> Played:
    """Send audio frame by frame in real time.

    Raises:
        LegClosed: the session ended (in a group, as it is a task that reads).
    """
    heard: list[Heard] = []

    async def listen() -> None:
        while True:
            heard.append(await talk.next())

    size, began_s = FRAME_MS * BYTES_PER_MS, trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, name="certify listens")
        for number, at in enumerate(range(0, len(audio), size), 1):
            talk.send(AppendAudio(base64.b64encode(audio[at : at + size])))
            await trio.sleep_until(began_s + number * FRAME_MS / 1000)
        nursery.cancel_scope.cancel(reason="all was said")
    return Played(began_s, heard)
