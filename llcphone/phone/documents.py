"""The TwiML that joins a telephone call to us, with the address where Twilio asks what next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.phone.transfers.transfer import is_briefing
from llcphone.twilio import twiml

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.transfers.recordings import Recordings

_FIVE_MORE_TRIES = "#rc=5&rp=all"
"""For Twilio (docs/vendor-facts.md, Calls and callbacks): ask up to five times more, whatever went wrong,
because the process that is to answer may just be starting."""
_TWO_MORE_TRIES = "#rc=2&rp=all"
"""Without a journal only this process can answer."""


class StreamDocuments:
    """Writes these documents."""

    def __init__(self, config: Config, recordings: Recordings, *, journal: bool) -> None:
        """Take the settings, how calls are recorded, and whether another process can answer."""
        self._public_url = config.server.public_url
        self._recordings = recordings
        self._tries = _FIVE_MORE_TRIES if journal else _TWO_MORE_TRIES
        self._asks = journal or config.transfers.any
        """Whether anything can come after the stream."""

    def resume_url(self, run_number: int) -> str:
        """Where Twilio asks what next when the stream of this run has ended."""
        return f"{self._public_url}/resume/{run_number}{self._tries}"

    def write(self, call: Call) -> None:
        """Let ``call.twiml`` be the document that brings its media stream."""
        begun = call.run_number > 0 or is_briefing(call)  # then it is recorded already, or not at all
        recorded = None if begun else self._recordings.of_call()
        call.twiml = self._connect(call.token, call.run_number, recorded)

    def again(self, token: str, run_number: int) -> str:
        """The document of a run that another request, perhaps another process, has begun."""
        return self._connect(token, run_number, None)

    def _connect(self, token: str, run_number: int, recorded: twiml.Recorded | None) -> str:
        action = self.resume_url(run_number) if self._asks else None
        return twiml.connect_stream(
            twiml.stream_url(self._public_url, token), action=action, recorded=recorded
        )
