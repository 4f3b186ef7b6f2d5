"""Placing calls: what is asked for, whether it is let through, and the run that dials.

``place`` is synchronous and knows the limits of this process; those of all nodes are asked in the dial task.
``order`` asks them first, for whoever can wait and wants to know at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.agent import Agent
from llcphone.call.call import Call
from llcphone.dial_guard.guard import DialRequest
from llcphone.dtmf import check_keys
from llcphone.errors import NotAdmitted, StoreUnavailable
from llcphone.validation.arguments import need
from llcphone.validation.phone_numbers import respelt

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.phone.agents import AgentChooser
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.runs import CallRuns

LIMITS_UNKNOWN = "the database of [shared] does not answer, so the limits of all nodes are not known"
_FIX = "try again later; llcphone doctor examines the database"


@attrs.frozen(kw_only=True)
class Order:
    """What ``place_call`` takes."""

    to: str = attrs.field(repr=False)
    agent: Agent | None
    context: str = attrs.field(repr=False)
    caller_id: str = attrs.field(repr=False)
    send_digits: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        texts = {
            "to": self.to,
            "context": self.context,
            "caller_id": self.caller_id,
            "send_digits": self.send_digits,
        }
        for name, text in texts.items():
            need(text, str, f"place_call: {name}", "a text")
        need(self.agent, (Agent, type(None)), "place_call: agent", "an Agent, or None for the phone's own")
        if self.send_digits:
            check_keys(self.send_digits)


@attrs.frozen(eq=False)
class Ordering:
    """Places the calls of a phone."""

    _config: Config
    _runs: CallRuns
    _agents: AgentChooser

    def place(self, order: Order) -> Call:
        """Begin the call."""
        call, dialler = self._call(order)
        self._begin(call, dialler, order)
        return call

    async def order(self, order: Order) -> Call:
        """Begin the call once the limits of all nodes allow it."""
        call, dialler = self._call(order)
        dialler.check(DialRequest(to=call.dialled, from_=call.caller))
        try:
            await dialler.reserve(call)
        except StoreUnavailable:
            raise NotAdmitted(LIMITS_UNKNOWN, _FIX) from None
        try:
            self._runs.need_dialler()  # it may have begun to drain meanwhile
            self._begin(call, dialler, order)
        except BaseException:
            dialler.unreserve(call)
            raise
        return call

    def check(self, to: str, caller_id: str) -> None:
        """Return if ``place`` would dial this number now."""
        dialler = self._runs.need_dialler()
        dialler.check(DialRequest(to=to, from_=caller_id or dialler.guard.usual_caller_id))

    def _call(self, order: Order) -> tuple[Call, Dialler]:
        dialler = self._runs.need_dialler()
        call = Call(
            caller=order.caller_id or dialler.guard.usual_caller_id,
            dialled=respelt(order.to),
            direction="outbound",
            node=self._config.server.node,
        )
        call.first_digits = order.send_digits
        return call, dialler

    def _begin(self, call: Call, dialler: Dialler, order: Order) -> None:
        form = {"From": call.caller, "To": call.dialled, "Direction": "outbound-api"}
        agent = order.agent or self._agents.choose(form)
        self._runs.begin(call, agent, dialler=dialler, context=order.context)
