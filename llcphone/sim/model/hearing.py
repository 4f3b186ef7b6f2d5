"""When the simulated model thinks the caller speaks.

Real turn detection is a trained model; this one is an energy gate, so that a test can predict it. It lives
in *audio time*: a window of 20 ms counts when its last sample has arrived, whatever the clock says, so the
same bytes give the same events at any pace.

- A window is loud when its RMS passes a gate: server_vad's ``threshold`` 0, 0.5, 1 is -50, -38, -26 dBFS;
  semantic_vad uses -38. Speech on a telephone is near -16, comfort noise below -55.
- Three loud windows in a row (60 ms) start a turn, dated at the first of them less the prefix padding
  (semantic_vad: 300 ms), but never before the end of the turn before.
- Silence ends a turn: ``silence_duration_ms``, or by semantic_vad's ``eagerness``: high 300, medium and
  auto 600, low 1200 ms. The vendor's semantic waits depend on the words; its limits are 2, 4 and 8 s.
- The end is dated at the sample that decided it, silence included (openai SDK, audio_end_ms).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim import ulaw

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_MS = 20
ONSET_WINDOWS = 3
SILENCE_MS = {"high": 300, "medium": 600, "auto": 600, "low": 1200}
"""How long the caller must be silent, by eagerness."""
SEMANTIC_PADDING_MS = 300

BYTES_PER_MS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
"""What a millisecond of each format takes."""

_SQUARES = [sample * sample for sample in ulaw.DECODED]
_SQUARES_ALAW = [sample * sample for sample in ulaw.DECODED_ALAW]
_QUIET = frozenset(b"\xff\x7f")


@attrs.frozen
class Started:
    """The caller began at ``start_ms`` of the session's audio."""

    start_ms: int


@attrs.frozen
class Stopped:
    """The caller is done; the turn's audio ends at ``end_ms``."""

    end_ms: int


@attrs.define(eq=False)
class Hearing:
    """The turn detector of one session."""

    speaking: bool = False
    clock_ms: int = 0
    """Audio decided on so far, in whole windows."""
    earliest_ms: int = 0
    """Nothing before this can become part of a turn: it was committed or cleared."""
    silence_ms: Mapping[str, int] = SILENCE_MS
    """How long a silence ends a turn under semantic_vad, by eagerness."""
    filter_db: float = 0.0
    """How much louder than without noise reduction a voice must be."""
    _form: str = "audio/pcm"
    _rest: bytes = b""
    _loud_run: int = 0
    _quiet_ms: int = 0

    def listen(
        self, audio: bytes, form: str, turn_detection: dict[str, Any] | None
    ) -> list[Started | Stopped]:
        """Take the next bytes of caller audio; what they decided, in order.

        Without turn detection only the clock advances.
        """
        if form != self._form:
            self._form, self._rest = form, b""
        audio = self._rest + audio
        size = BYTES_PER_MS[form] * WINDOW_MS
        whole = len(audio) - len(audio) % size
        self._rest = audio[whole:]
        if turn_detection is None:
            self.clock_ms += whole // size * WINDOW_MS
            return []
        heard: list[Started | Stopped] = []
        gate = _gate(turn_detection) * 10 ** (self.filter_db / 10)
        for at in range(0, whole, size):
            self.clock_ms += WINDOW_MS
            self._judge(_power(audio[at : at + size], form) > gate, turn_detection, heard)
        return heard

    def forget(self) -> None:
        """Drop a turn in the making: the buffer was cleared or committed by hand, or detection changed."""
        self.speaking = False
        self._loud_run = self._quiet_ms = 0
        self.earliest_ms = self.clock_ms

    def _judge(self, loud: bool, settings: dict[str, Any], heard: list[Started | Stopped]) -> None:
        if not self.speaking:
            self._loud_run = self._loud_run + 1 if loud else 0
            if self._loud_run == ONSET_WINDOWS:
                onset_ms = self.clock_ms - ONSET_WINDOWS * WINDOW_MS
                padding_ms = settings.get("prefix_padding_ms", SEMANTIC_PADDING_MS)
                self.speaking, self._quiet_ms = True, 0
                heard.append(Started(max(self.earliest_ms, onset_ms - padding_ms)))
            return
        self._quiet_ms = 0 if loud else self._quiet_ms + WINDOW_MS
        if self._quiet_ms >= self._patience_ms(settings):
            self.forget()
            heard.append(Stopped(self.clock_ms))

    def _patience_ms(self, settings: dict[str, Any]) -> int:
        if settings["type"] == "semantic_vad":
            return self.silence_ms[settings["eagerness"]]
        return int(settings["silence_duration_ms"])


def _gate(settings: dict[str, Any]) -> float:
    """Mean square above which a window is loud."""
    level_db = -50 + 24 * float(settings.get("threshold", 0.5))
    return float((32768 * 10 ** (level_db / 20)) ** 2)


def _power(window: bytes, form: str) -> float:
    """Mean square of a window. Every third sample of PCM is enough for an energy gate."""
    if form == "audio/pcm":
        samples = array("h", window)[::3]
        return sum(sample * sample for sample in samples) / len(samples)
    if form == "audio/pcma":
        return sum(map(_SQUARES_ALAW.__getitem__, window)) / len(window)
    if _QUIET.issuperset(window):  # the silence a telephone sends between words: most of a call
        return 0.0
    return sum(map(_SQUARES.__getitem__, window)) / len(window)
