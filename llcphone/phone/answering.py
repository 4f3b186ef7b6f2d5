"""Answering calls that ring us: who is let in, and the TwiML that each gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.call.call import Call
from llcphone.phone.admission import FULL_ON_ALL_NODES, NO_MODEL
from llcphone.phone.runs import need_public_url
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml
from llcphone.twilio.forms import is_over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.config import Config
    from llcphone.phone.admission import Admission
    from llcphone.phone.agents import AgentChooser
    from llcphone.phone.all_nodes import AllNodes
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.moved_calls import MovedCalls
    from llcphone.phone.overload import Overload
    from llcphone.phone.runs import CallRuns
    from llcphone.phone.transfers.transfers import Transfers

log = logger("llcphone.phone")


@attrs.frozen(eq=False, kw_only=True)
class Answering:
    """Answers the voice webhooks of a phone."""

    config: Config
    calls: LiveCalls
    runs: CallRuns
    moved_calls: MovedCalls
    admission: Admission
    agents: AgentChooser
    overload: Overload
    transfers: Transfers
    all_nodes: AllNodes
    speech: twiml.Speech

    def answer(self, form: Mapping[str, str]) -> str:
        """The call is born here, unless it is known already or is not let in; returns the TwiML."""
        if is_over(form):
            return twiml.nothing()
        if (known := self.calls.newest_run(form.get("CallSid", ""))) is not None:
            return self.moved_calls.document(known)
        if back := self.moved_calls.back(form):
            return back
        if closed := self._closed(form):
            return self._turned_away(form, closed[0])
        need_public_url(self.config)
        agent = self.agents.choose(form)
        call = Call.of_webhook(form, self.config.server.node)
        self.runs.begin(call, agent)
        return call.twiml

    async def take(self, form: Mapping[str, str]) -> str:
        """The same, once there is a place for a new call among all nodes."""
        call_sid = form.get("CallSid", "")
        known = is_over(form) or self.knows(call_sid)
        if not self.all_nodes.counts_inbound or known or self._closed(form):
            return self.answer(form)
        if not await self.all_nodes.take(call_sid):
            return self._turned_away(form, FULL_ON_ALL_NODES)
        try:
            return self.answer(form)
        finally:
            self.all_nodes.not_born(call_sid)

    def knows(self, call_sid: str) -> bool:
        """Whether this process has this telephone call, or had its stream a moment ago."""
        return self.calls.newest_run(call_sid) is not None or self.moved_calls.remembers(call_sid)

    def _closed(self, form: Mapping[str, str]) -> list[str]:
        """Why this call is not let in."""
        closed = self.admission.reasons()
        if closed == [NO_MODEL] and self.agents.choose(form).stand_in:
            return []  # its menu of keys needs no model
        return closed

    def _turned_away(self, form: Mapping[str, str], why: str) -> str:
        """The fallback, for a call that is not let in."""
        self.admission.turned_away[why] += 1
        log.warning("call not admitted", extra={"live": len(self.calls), "why": why})
        fallback = self.overload.another_node(form) or self.transfers.instead_of_busy(form)
        return fallback or self.overload.busy(form, self.speech)
