"""The TwiML that joins a telephone call to us, with the address where Twilio asks what next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

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


@attrs.define(eq=False)
class StreamDocuments:
    """Writes these documents."""

    _config: Config
    _recordings: Recordings
    _journal: bool = attrs.field(kw_only=True)
    """Whether another process can answer."""

    def resume_url(self, run_number: int) -> str:
        """Where Twilio asks what next when the stream of this run has ended."""
        tries = _FIVE_MORE_TRIES if self._journal else _TWO_MORE_TRIES
        return f"{self._config.server.public_url}/resume/{run_number}{tries}"

    def write(self, call: Call) -> None:
        """Let ``call.twiml`` be the document that brings its media stream."""
        begun = call.run_number > 0 or is_briefing(call)  # then it is recorded already, or not at all
        recorded = None if begun else self._recordings.of_call()
        call.twiml = self._connect(call.token, call.run_number, recorded)

    def again(self, token: str, run_number: int) -> str:
        """The document of a run that another request, perhaps another process, has begun."""
        return self._connect(token, run_number, None)

    def _connect(self, token: str, run_number: int, recorded: twiml.Recorded | None) -> str:
        may_continue = self._journal or self._config.transfers.any
        action = self.resume_url(run_number) if may_continue else None
        stream = twiml.stream_url(self._config.server.public_url, token)
        return twiml.connect_stream(stream, action=action, recorded=recorded)
