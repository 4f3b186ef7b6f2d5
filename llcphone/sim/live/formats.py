"""The four audio formats of a Live session. Inside the simulator everything is µ-law at 8 kHz."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim import ulaw
from llcphone.sim.model.voice import render

if TYPE_CHECKING:
    from collections.abc import Mapping

RATES = {"audio/pcm": (16000, 24000), "audio/pcmu": (8000,), "audio/pcma": (8000,)}
"""The rates that each format takes."""
FIXTURE_RATE = 24000
"""Fixtures are PCM16 at this rate, whatever the session's format."""

_FROM_ALAW = bytes(ulaw.encode(ulaw.DECODED_ALAW))
_LOUD_PEAK = 500
"""Silence stays below 45, the quietest word reaches 1,152 of 32,767 (measured; gpt-live facts)."""
_LOUD = bytes(abs(sample) > _LOUD_PEAK for sample in ulaw.DECODED)


@attrs.frozen
class Format:
    """One of the formats; both directions of a session have the same."""

    kind: str = "audio/pcm"
    rate: int = 24000

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Format:
        """The format of ``{"type": "audio/pcmu", "rate": 8000}``."""
        return cls(settings["type"], settings["rate"])

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.kind == "audio/pcm" else 1

    @property
    def bytes_per_ms(self) -> int:
        """Bytes of one millisecond."""
        return self.rate // 1000 * self.sample_bytes

    def to_ulaw(self, audio: bytes) -> bytes:
        """What the caller sent, in µ-law; whole samples only."""
        if self.kind == "audio/pcmu":
            return audio
        if self.kind == "audio/pcma":
            return audio.translate(_FROM_ALAW)
        return ulaw.encode(array("h", audio)[:: self.rate // 8000])

    def from_ulaw(self, audio: bytes) -> bytes:
        """What the model says, as the client gets it."""
        if (self.kind, self.rate) != ("audio/pcm", 16000):
            return render(audio, self.kind)
        samples = ulaw.decode(audio)
        wide = array("h", bytes(4 * len(samples)))
        wide[0::2] = samples
        wide[1::2] = samples
        return wide.tobytes()


def is_loud(speech: bytes) -> bool:
    """Whether a piece of µ-law holds anything but silence."""
    return 1 in speech.translate(_LOUD)
