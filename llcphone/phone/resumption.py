"""Call resumption: what is written to the journal, and how a call continues in another run or process.

Every document for Twilio contains ``<Connect action=".../resume/<run_number>/<node>">`` (without the node if
``server.node`` is ""). When the media stream of that run has ended for any reason, Twilio requests this
address. A proxy brings the request to that node, and to another only if the node does not serve it. The
process that gets the request answers:

    the call is over (Twilio says so, or memory or journal has the reason)    nothing: Twilio hangs up
    it is not over, and no process has claimed it                             a new stream: the call continues
    another request has just claimed it                                       the same new stream
    it is not over, and this process is about to end                          ask any other node

Memory holds what happened a moment ago, because Twilio's request may come before the journal is written. So
a call that ended in this process is recognised here; the journal is for the other processes.
A call continues in a new run with a record of its own, which names the run before (``resumed_from``).

Caller and dialled number are not in the journal: Twilio sends them again.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call import node_names
from llcphone.call.call import Call, state_and_cost
from llcphone.engine.events import EndReason
from llcphone.engine.resumed import Owed
from llcphone.errors import StoreUnavailable
from llcphone.phone.journal_entries import RESUMABLE, Closing, JournalEntry, resumed_of
from llcphone.runtime.log_lines import logger
from llcphone.store.journal import MOST_RUNS, CallRow, hash_of
from llcphone.twilio import twiml
from llcphone.twilio.forms import in_progress
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.agent import Agent
    from llcphone.engine.note import Note
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.moved_calls import MovedCalls
    from llcphone.phone.runs import CallRuns, StreamDocuments
    from llcphone.store.journal_writer import JournalWriter

log = logger("llcphone.journal")

_bounded = partial(BoundedDict, 2_000)
"""Ended calls that are remembered without the journal."""
_ASK_AGAIN_S = 1
"""Between two questions to a process that is about to go, until its successor answers, or to a journal that
cannot be reached."""
_ASK_FOR_S = 30.0
"""How long Twilio is made to ask again while the journal cannot be reached; then the call ends."""


@attrs.define(eq=False)
class CallResumption:
    """Between the phone and its journal."""

    _writer: JournalWriter
    _calls: LiveCalls
    _runs: CallRuns
    _documents: StreamDocuments
    _moved_calls: MovedCalls
    _node: str
    """``server.node``."""
    _life: str
    """Of this process among those that share limits; "": it shares none."""
    _agent_named: Callable[[str, Mapping[str, str]], Agent]
    """The agent that had a call, or the one that the phone chooses for such a call."""
    _kept: dict[Call, JournalEntry] = attrs.field(factory=dict, init=False)
    _claimed: dict[Call, CallRow] = attrs.field(factory=dict, init=False)
    _ended: BoundedDict[str, tuple[EndReason, CallRow]] = attrs.field(factory=_bounded, init=False)
    """Calls that ended here and were not resumed, by CallSid."""
    _unsure: BoundedDict[str, float] = attrs.field(factory=_bounded, init=False)
    """When the journal could first not say what becomes of a call, by CallSid."""

    # -- events of calls: synchronous -------------------------------------------------------

    def born(self, call: Call) -> None:
        """A run of a call begins: a new call's, one that was claimed, or one that continues from memory."""
        last = self._ended.pop(call.call_sid, None)
        claimed = self._claimed.pop(call, None)
        if claimed is None:
            row = CallRow(
                id=call.call_id,
                call_sid=call.call_sid,
                run=call.call_id,
                salt=secrets.token_hex(16),
                token_hash=hash_of(call.token),
                run_number=call.run_number,
                direction=call.direction,
                agent=call.run.agent.name,
                context=call.context,
                born_at=call.first_born_at,
                touched_at=call.born_at,
                planned=call.run_number - (0 if last is None else last[1].faults),
                life=self._life,
            )
            if last is not None:
                self._writer.ends(Closing(last[1]))
        else:
            row = attrs.evolve(claimed, run_number=call.run_number, run=call.call_id, life=self._life)
        kept = self._kept[call] = JournalEntry(call, row, born=claimed is not None)
        self._writer.begins(kept)

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls: what was heard of one has changed."""
        if (kept := self._kept.get(call)) is not None:
            self._writer.news(kept)

    def recorded(self, call: Call) -> None:
        """A run has its record."""
        # Without a word of the engine it failed, or the process ends: neither ends the telephone call.
        self.ended(call, call.run.status.ended or EndReason.FAILED)

    def ended(self, call: Call, reason: EndReason) -> None:
        """The engine has ended it; its sockets are still open."""
        if (kept := self._kept.pop(call, None)) is None:
            return
        if reason not in RESUMABLE:
            kept.over = reason.value
        kept.handed_over = reason is EndReason.DRAINED
        kept.elsewhere = reason is EndReason.TRANSFERRED
        self._remember(call.call_sid, reason, kept.birth)
        self._writer.ends(kept)

    def is_over(self, call_sid: str) -> None:
        """The telephone call has ended elsewhere: after a transfer, or a message."""
        self._writer.is_over(call_sid, EndReason.TRANSFERRED.value)

    # -- Twilio asks ----------------------------------------------------------------------------

    async def come_back(
        self, form: Mapping[str, str], run_number: int, news: str, *, speak: bool = True
    ) -> str:
        """A caller who had left is back, with this news for the model; empty: their call is not known."""
        try:
            return await self._resume(form, run_number, news=news, speak=speak) or ""
        except StoreUnavailable:
            return ""

    async def after_stream(self, form: Mapping[str, str], run_number: int, node: str) -> str:
        """The stream of this run of that node has ended: the TwiML that says what next."""
        call_sid = form.get("CallSid", "")
        if not in_progress(form):
            here = self._calls.newest_run(call_sid)
            if here is not None and here.run_number == run_number and here.run.status.started_ms is None:
                here.end(EndReason.CALLER_HUNG_UP)  # its stream will never start
            self._writer.is_over(call_sid, "ended at Twilio")
            return twiml.nothing()
        if not 0 <= run_number < MOST_RUNS:
            return twiml.nothing()
        here = self._calls.newest_run(call_sid)
        if here is not None and here.run_number == run_number:
            here.end(EndReason.PHONE_LOST)  # Twilio knows it before we do
            here = self._calls.newest_run(call_sid)
        if here is not None and here.run_number > run_number:
            return self._moved_calls.document(here)  # asked twice, or moved here meanwhile
        reason = self._reason(call_sid)
        if reason is EndReason.DRAINED:  # this process is about to end: another one continues the call
            url = self._documents.resume_url(run_number, node="")
            if not node:
                return twiml.ask_again(url, after_s=_ASK_AGAIN_S)
            await self._writer.flush()
            return twiml.go_to(url)
        if reason is not None and reason not in RESUMABLE:
            return twiml.nothing()
        try:
            answer = await self._resume(form, run_number)
        except StoreUnavailable:
            return self._ask_later(call_sid, run_number)
        self._unsure.pop(call_sid, None)
        return answer or twiml.nothing()

    async def let_go(self, form: Mapping[str, str], run_number: int) -> bool:
        """Whether another process may go on with a call whose stream has ended; then all of it is written."""
        call_sid = form.get("CallSid", "")
        here = self._calls.newest_run(call_sid)
        if here is not None and here.run_number == run_number and in_progress(form):
            here.end(EndReason.PHONE_LOST)  # Twilio knows it before we do
            here = self._calls.newest_run(call_sid)
        reason = self._reason(call_sid)
        if here is not None or (reason is not None and reason not in RESUMABLE):
            return False
        await self._writer.flush()
        return True

    def _ask_later(self, call_sid: str, run_number: int) -> str:
        """The journal cannot say whether the call continues: Twilio keeps it for a while, and asks again."""
        now = trio.current_time()
        since = self._unsure.setdefault(call_sid, now)
        if now - since < _ASK_FOR_S:
            return twiml.ask_again(self._documents.resume_url(run_number, self._node), after_s=_ASK_AGAIN_S)
        self._unsure.pop(call_sid, None)
        log.error("call not resumed: the journal cannot be reached")
        return twiml.nothing()

    async def _resume(
        self, form: Mapping[str, str], run_number: int, *, news: str = "", speak: bool = True
    ) -> str | None:
        await self._writer.flush()
        call = Call.of_webhook(form, self._node)
        claim = await self._writer.claim(
            call.call_sid, run_number, call.call_id, planned=bool(news), life=self._life
        )
        if claim is None:
            log.info("call not resumed: it is over, unknown, or was resumed too often")
            return None
        if not claim.won:
            theirs = claim.row
            token = self._writer.journal.token(theirs, theirs.run_number, theirs.run)
            return self._documents.again(token, theirs.run_number, node_names.node_of(theirs.run))
        row = claim.row
        self._claimed[call] = row
        call.token = self._writer.journal.token(row, run_number + 1, call.call_id)
        call.run_number, call.resumed_from = run_number + 1, row.run
        call.first_born_at = row.born_at
        call.lasted_s = max(0.0, call.born_at - row.born_at)
        call.state, call.spent_usd = state_and_cost(row.state)
        fields = {"call": call.call_id, "from": call.resumed_from, "run_number": call.run_number}
        log.info("call resumed", extra=fields)
        agent = self._agent_named(row.agent, form)
        resumed = resumed_of(claim)
        if news:
            resumed = attrs.evolve(resumed, owed=Owed.NOTHING, news=news, speak=speak)
        self._runs.resume(call, agent, resumed, context=row.context)
        return call.twiml

    def _reason(self, call_sid: str) -> EndReason | None:
        return self._ended[call_sid][0] if call_sid in self._ended else None

    def _remember(self, call_sid: str, reason: EndReason, row: CallRow) -> None:
        if call_sid:
            self._ended[call_sid] = reason, row
