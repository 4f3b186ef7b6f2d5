"""Who is told that a call is recorded; and recordings at Twilio: voicemail, and whole calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.call import node_names
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.config import Config

log = logger("llcphone.transfers")


@attrs.frozen
class Recording:
    """A recording that is ready at Twilio."""

    what: str
    """``voicemail`` or ``call``."""
    call_sid: str
    recording_sid: str
    url: str = attrs.field(repr=False)
    """Needs the account's own credentials; add ``.wav`` or ``.mp3``."""
    duration_s: int


@attrs.define(eq=False)
class Recordings:
    """Recordings of one phone, and the functions that are called when one is ready."""

    _config: Config
    _speech: twiml.Speech
    on_ready: list[Callable[[Recording], None]] = attrs.field(factory=list, init=False)
    """Receive each recording; Twilio's account keeps it."""
    _faults: Faults = attrs.field(factory=lambda: Faults(log), init=False)

    def of_call(self) -> twiml.Recorded | None:
        """What a caller is told of recording, and what Twilio does of it; None: nobody records."""
        transfers = self._config.transfers
        if not transfers.record_calls and not self._config.records.audio_dir:
            return None
        callback = ""
        if transfers.record_calls:
            server = self._config.server
            callback = node_names.at_node(f"{server.public_url}/recording/call", server.node)
        return twiml.Recorded(transfers.record_notice, callback, self._speech)

    def ready(self, what: str, form: Mapping[str, str]) -> None:
        """Twilio's callback."""
        if form.get("RecordingStatus", "completed") != "completed":
            return
        seconds = form.get("RecordingDuration", "")
        recording = Recording(
            what=what,
            call_sid=form.get("CallSid", ""),
            recording_sid=form.get("RecordingSid", ""),
            url=form.get("RecordingUrl", ""),
            duration_s=int(seconds) if seconds.isdecimal() else 0,
        )
        log.info("recording ready", extra={"what": what, "recording_sid": recording.recording_sid})
        self._faults.tell_all("recording not taken", self.on_ready, recording)  # Twilio has it still
