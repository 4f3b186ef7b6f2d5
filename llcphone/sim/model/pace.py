"""How fast the simulated model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.sim.model.hearing import SILENCE_MS

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Pace:
    """How fast the simulated model is."""

    speed: float = 5.0
    """Audio is generated this many times faster than it plays."""
    delta_ms: int = 200
    """Audio in one delta."""
    first_audio_ms: int = 50
    """From ``response.created`` to the first delta."""
    cold_ms: int = 0
    """What a session's first response takes longer, whichever it is: a model of cold inference. The vendor
    has published nothing about it (facts, priming), so the figure is the user's choice."""
    created_ms: int = 0
    """From the reason of a response to its ``response.created``: the window of the cancel race."""
    ack_delay_s: float = 0.0
    """From ``session.update`` to ``session.updated``. What comes meanwhile meets the old settings."""
    transcript_ms: int = 300
    """From a committed turn to the caller's transcript, if the session asks for one."""

    silence_ms: Mapping[str, int] = SILENCE_MS
    """How long a caller must be silent under semantic_vad, by eagerness, in audio time."""

    @property
    def interval_s(self) -> float:
        return self.delta_ms / 1000 / self.speed
