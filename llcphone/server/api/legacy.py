"""The original's HTTP interface, so that campaign layers written for it go on.

    POST /outbound-call     its fields in, ``success, call_sid, to, scenario`` out
    GET  /tools             the schemas of the agent's tools
    GET  /public-url        where Twilio reaches this server

Its reply carries the CallSid, so it waits for it; Twilio is asked when the model is ready. Should that
take too long, the answer still says that the call goes on: whoever heard "failed" would ring twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import trio

from llcphone.agent import Agent, agents_of
from llcphone.server.api.errors import ApiError
from llcphone.server.api.models import LegacyCall, LegacyReply

if TYPE_CHECKING:
    from typing import Any

    from llcphone.config.modes import CompanyConfig
    from llcphone.phone.ports import PhonePort
    from llcphone.server.api.calls import Board
    from llcphone.server.api.orders import Placed

CALL_SID_LIMIT_S = 10.0
"""Longest wait for Twilio's name of the call; the whole exchange is limited to 15 s."""


def context_of(order: LegacyCall, company: CompanyConfig) -> str:
    """The original's fields as the context of a call, in the company's language; none that is not given."""
    when = " ".join(filter(None, [order.appointment_date, order.appointment_time]))
    facts = {
        "scenario": order.scenario,
        "caller_name": order.caller_name,
        "company_name": order.company_name,
        "appointment": when,
        "purpose": order.purpose,
        "prospect_context": order.prospect_context,
        "custom_instructions": order.custom_instructions,
    }
    lines = [
        company.sentence(f"context_{name}").format(fact=fact.strip())
        for name, fact in facts.items()
        if fact.strip()
    ]
    return "\n".join([company.sentence("context"), *lines]) if lines else ""


def agent_for(phone: PhonePort, order: LegacyCall) -> Agent | None:
    """The agent whose name is the scenario's; None: the phone's own choice.

    Raises:
        ApiError: the agent needs facts that were not given.
    """
    agent = agents_of(phone.agent).get(order.scenario)
    missing = [name for name in agent.needs if not getattr(order, name)] if agent is not None else []
    if missing:
        text = f"a call of the scenario {order.scenario} needs {' and '.join(missing)}"
        raise ApiError(422, "missing_facts", text, "give them beside the scenario")
    return agent


async def reply_to(order: LegacyCall, placed: Placed, board: Board) -> bytes:
    """The answer to an order that has placed a call; one that is complete is kept with it.

    Raises:
        ApiError: the call ended before Twilio had it.
    """
    if placed.answer:
        return placed.answer
    call_sid = ""
    if (call := board.live(placed.call_id)) is not None:
        with trio.move_on_after(CALL_SID_LIMIT_S):
            call_sid = await board.call_sid(call)
    detail = board.find(placed.call_id)
    if detail is not None:
        call_sid = detail.call_sid or ""
        if not call_sid and detail.state == "ended":
            text = f"the call ended before Twilio placed it: {detail.reason}"
            raise ApiError(502, "not_placed", text, f"see the record: GET /calls/{placed.call_id}")
    reply = LegacyReply(True, call_sid, order.to, order.scenario, placed.call_id)
    answer = msgspec.json.encode(reply)
    if call_sid:
        placed.answer = answer
    return answer


def tools_of(phone: PhonePort) -> list[dict[str, Any]]:
    """The tools of whoever speaks in a call that names no agent."""
    agent = phone.agent
    if not isinstance(agent, Agent):
        agent = agent({"From": "", "To": "", "Direction": "outbound-api"})
    return agent.full_tools()
