"""The caller audio of one session: its clock, its formats, its turns, its silence.

Time is audio time: milliseconds of caller audio since the session began, whatever the clock says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim.model.hearing import BYTES_PER_MS, Hearing

if TYPE_CHECKING:
    from llcphone.sim.model.hearing import Started, Stopped
    from llcphone.sim.model.state import SessionState

Json = dict[str, Any]


@attrs.define(eq=False)
class CallerAudio:
    session: SessionState = attrs.field(repr=False)
    hearing: Hearing = attrs.field(init=False)
    kept: bytearray = attrs.field(factory=bytearray, repr=False)
    """All of it, in whatever format the session had; empty if the session keeps no audio."""
    received_bytes: int = 0
    _format_from_ms: float = 0.0
    _format_from_byte: int = 0
    _idle_due_ms: float | None = None
    _first_eagerness: str = ""

    def __attrs_post_init__(self) -> None:
        self.hearing = Hearing(silence_ms=self.session.pace.silence_ms)

    @property
    def format(self) -> str:
        if self.session.unknowns.hears_pcm:
            return "audio/pcm"
        return str(self._settings["format"]["type"])

    @property
    def turn_detection(self) -> Json | None:
        """The settings in force; None: the client commits by hand."""
        settings: Json | None = self._settings["turn_detection"]
        return settings

    @property
    def received_ms(self) -> float:
        new_bytes = self.received_bytes - self._format_from_byte
        return self._format_from_ms + new_bytes / BYTES_PER_MS[self.format]

    def append(self, audio: bytes) -> list[Started | Stopped]:
        """Take the next bytes; what they decided about turns, in order."""
        self.received_bytes += len(audio)
        if self.session.keep_audio:
            self.kept += audio
        unknowns, settings = self.session.unknowns, self.turn_detection
        if settings is not None and not unknowns.hears_turns:
            settings = None
        if settings is not None and not unknowns.changes_eagerness:
            self._first_eagerness = self._first_eagerness or settings.get("eagerness", "")
            settings = settings | {"eagerness": self._first_eagerness}
        reduction = self._settings["noise_reduction"] or {}
        self.hearing.filter_db = unknowns.filter_db.get(reduction.get("type", ""), 0.0)
        return self.hearing.listen(audio, self.format, settings)

    def between(self, start_ms: float, end_ms: float) -> bytes:
        """What was kept of this time."""
        return bytes(self.kept[self._byte_at(start_ms) : self._byte_at(end_ms)])

    def settings_change(self, new: Json) -> None:
        """The session is about to take other input settings."""
        old = self._settings
        if new["format"] != old["format"]:
            self._format_from_ms, self._format_from_byte = self.received_ms, self.received_bytes
        # A changed turn detection begins anew, an update of anything else leaves the turn alone.
        if new["turn_detection"] != old["turn_detection"] and self.hearing.speaking:
            self.hearing.forget()

    # ---- server_vad's idle time ------------------------------------------------------------------------

    def expect_answer(self, playing_ms: int) -> None:
        """A response ended with this much audio still to play: start counting the idle time."""
        settings = self.turn_detection or {}
        if settings.get("idle_timeout_ms"):
            self._idle_due_ms = self.received_ms + playing_ms + settings["idle_timeout_ms"]

    def caller_spoke(self) -> None:
        """Nothing is waited for any more."""
        self._idle_due_ms = None

    def idle_time_is_over(self) -> bool:
        """Whether the caller has been silent for too long; true once."""
        if self._idle_due_ms is None or self.received_ms < self._idle_due_ms:
            return False
        self._idle_due_ms = None
        return True

    @property
    def _settings(self) -> Json:
        settings: Json = self.session.config["audio"]["input"]
        return settings

    def _byte_at(self, ms: float) -> int:
        return max(0, self._format_from_byte + int((ms - self._format_from_ms) * BYTES_PER_MS[self.format]))
