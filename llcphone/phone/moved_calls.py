"""Calls that were moved back to this phone by REST or by ``<Redirect>``: they continue with their history.

Twilio ends the media stream of such a call and requests the voice webhook again. The two events use different
connections and come in either order, so neither alone shows what happened to the telephone call:

    webhook first   the old stream is still there: Twilio gets another document, whose stream takes over
    stop first      the run ended as if the caller had hung up: the webhook's "in-progress" corrects that

The webhook alone does not change a live call, because it may be a repetition. The call's run ends when its
stream ends or when the new stream comes. What the caller heard is kept in memory for a few minutes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.engine.events import EndReason
from llcphone.runtime.log_lines import logger
from llcphone.twilio.forms import in_progress
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.engine.resumed import Resumed
    from llcphone.phone.runs import CallRuns, StreamDocuments
    from llcphone.phone.transfers.registry import TransferRegistry

log = logger("llcphone.phone")

_KEPT_S = 300.0
"""How long a call may be elsewhere after its stream has stopped: hear a sentence, or ring a colleague."""
_MOST_KEPT = 500

_STREAM_ENDED = frozenset(
    {
        EndReason.CALLER_HUNG_UP,
        EndReason.PHONE_LOST,
        EndReason.STREAM_DEAD,
        EndReason.START_TIMEOUT,
        EndReason.NEVER_JOINED,
        EndReason.FAILED,
    }
)
"""Ends of a run that no party decided: the telephone call continues if Twilio says so."""


@attrs.frozen
class _Left:
    """What the next run of a call continues from."""

    following: Call
    agent: Agent
    resumed: Resumed
    context: str
    until: float


@attrs.define(eq=False)
class MovedCalls:
    """The calls of one phone whose media stream may be followed by another."""

    _runs: CallRuns
    _documents: StreamDocuments
    _transfers: TransferRegistry
    _following: dict[Call, Call] = attrs.field(factory=dict, init=False)
    """Live runs, and the run that begins when another stream comes."""
    _asked: dict[str, Call] = attrs.field(factory=dict, init=False)
    """Tokens of those other streams, and the run they end."""
    _left: BoundedDict[str, _Left] = attrs.field(factory=lambda: BoundedDict(_MOST_KEPT), init=False)
    """Runs whose stream has ended, by CallSid."""

    # -- Twilio asks -----------------------------------------------------------------------------

    def document(self, call: Call) -> str:
        """The TwiML that joins this live call: another stream takes over from one that has joined."""
        if call.run.phone_leg is None:
            return call.twiml
        if (following := self._following.get(call)) is None:
            following = self._following[call] = call.following()
            self._documents.write(following)
            self._asked[following.token] = call
        return following.twiml

    def back(self, form: Mapping[str, str]) -> str:
        """The TwiML that lets a call go on whose stream has just ended; empty: it is none."""
        left = self._left.get(form.get("CallSid", ""))
        if left is None or not in_progress(form):
            return ""
        del self._left[left.following.call_sid]
        if trio.current_time() > left.until:
            return ""
        return self._begin(left).twiml

    def remembers(self, call_sid: str) -> bool:
        """Whether the stream of this call has ended here, and the call may still go on."""
        left = self._left.get(call_sid)
        return left is not None and trio.current_time() <= left.until

    # -- streams ---------------------------------------------------------------------------------

    def expects(self, token: str) -> bool:
        """Whether a stream with this token would take over a live call."""
        call = self._asked.get(token)
        return call is not None and not call.run.over

    def take_over(self, token: str) -> None:
        """The stream with this token is there: the run it follows ends, and its own begins."""
        if (call := self._asked.get(token)) is not None:
            call.end(EndReason.PHONE_LOST)

    # -- events of calls --------------------------------------------------------------------

    def over(self, call: Call, reason: EndReason) -> None:
        """The engine has ended a run; its sockets are still open."""
        following = self._following.pop(call, None)
        if following is not None:
            self._asked.pop(following.token, None)
        if reason not in _STREAM_ENDED or not call.call_sid or self._transfers.leaves(call):
            return
        left = _Left(
            following or call.following(),
            call.run.agent,
            call.run.kept(),
            call.context,
            trio.current_time() + _KEPT_S,
        )
        if following is not None:
            self._begin(left)
            return
        self._left[call.call_sid] = left
        self._forget_old()

    def ended(self, call: Call) -> None:
        """A run has its record."""
        if call in self._following:  # it ended by a fault, so its engine has not said it
            self.over(call, EndReason.FAILED)

    def _forget_old(self) -> None:
        now = trio.current_time()
        while self._left and next(iter(self._left.values())).until <= now:
            self._left.popitem(last=False)

    def _begin(self, left: _Left) -> Call:
        call = left.following
        call.born_at = time.time()
        log.info("call moved here continues", extra={"call": call.call_id, "from": call.resumed_from})
        self._runs.resume(call, left.agent, left.resumed, context=left.context)
        return call
