"""The HTTP interface of llc-phone 3 (the predecessor), for campaign software written for it.

    POST /outbound-call     its fields in; ``success, call_sid, to, scenario`` out
    GET  /tools             the schemas of the agent's tools
    GET  /public-url        where Twilio reaches this server

The reply carries the CallSid, so it waits until Twilio has created the call; that happens when the model is
ready. If that takes too long, the reply has an empty CallSid but still reports success: the call continues,
and a client that reads a failure would place it again.

Errors are the API's problem details. On ``POST /outbound-call`` they also have ``success`` (false) and
``error`` (the text), as clients of the predecessor read those.
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

    from llcphone.config.company import CompanyConfig
    from llcphone.phone.phone import Phone
    from llcphone.server.api.call_requests import Placed
    from llcphone.server.api.calls import CallIndex

CALL_SID_LIMIT_S = 10.0
"""Longest wait for Twilio's name of the call; the whole exchange is limited to 15 s."""


def context_of(request: LegacyCall, company: CompanyConfig) -> str:
    """The given fields as the context of a call, in the company's language."""
    when = " ".join(filter(None, [request.appointment_date, request.appointment_time]))
    facts = {
        "scenario": request.scenario,
        "caller_name": request.caller_name,
        "company_name": request.company_name,
        "appointment": when,
        "purpose": request.purpose,
        "prospect_context": request.prospect_context,
        "custom_instructions": request.custom_instructions,
    }
    lines = [
        company.sentence(f"context_{name}").format(fact=fact.strip())
        for name, fact in facts.items()
        if fact.strip()
    ]
    return "\n".join([company.sentence("context"), *lines]) if lines else ""


def agent_for(phone: Phone, request: LegacyCall) -> Agent | None:
    """The agent of the scenario's name; None: the phone chooses.

    Raises:
        ApiError: the agent needs facts that were not given.
    """
    agent = agents_of(phone.agent).get(request.scenario)
    missing = [name for name in agent.needs if not getattr(request, name)] if agent is not None else []
    if missing:
        text = f"a call of the scenario {request.scenario} needs {' and '.join(missing)}"
        raise ApiError(422, "missing_facts", text, "send them with the scenario")
    return agent


async def reply_to(request: LegacyCall, placed: Placed, index: CallIndex) -> bytes:
    """The answer to a request that has placed a call; a complete one is kept for repetitions.

    Raises:
        ApiError: the call ended before Twilio had it.
    """
    if placed.answer:
        return placed.answer
    call_sid = ""
    if (call := index.live(placed.call_id)) is not None:
        with trio.move_on_after(CALL_SID_LIMIT_S):
            call_sid = await index.call_sid(call)
    detail = index.find(placed.call_id)
    if detail is not None:
        call_sid = detail.call_sid or ""
        if not call_sid and detail.state == "ended":
            text = f"the call ended before Twilio placed it: {detail.reason}"
            raise ApiError(502, "not_placed", text, f"see the record: GET /calls/{placed.call_id}")
    reply = LegacyReply(True, call_sid, request.to, request.scenario, placed.call_id)
    answer = msgspec.json.encode(reply)
    if call_sid:
        placed.answer = answer
    return answer


def tools_of(phone: Phone) -> list[dict[str, Any]]:
    """The tools of the agent that speaks in a call that names none."""
    agent = phone.agent
    if not isinstance(agent, Agent):
        agent = agent({"From": "", "To": "", "Direction": "outbound-api"})
    return agent.full_tools()
