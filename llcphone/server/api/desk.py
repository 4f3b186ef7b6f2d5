"""What the API and the console do to calls: one implementation for both, behind the guard of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec
from quart import Response

from llcphone.agent import agents_of
from llcphone.runtime.log_lines import logger
from llcphone.server.api.acts import ACTS
from llcphone.server.api.call_requests import CallRequests
from llcphone.server.api.calls import CallIndex, find_call, view_of, without_record
from llcphone.server.api.errors import ApiError
from llcphone.server.api.models import NewCall
from llcphone.server.api.reading import body_as, read_request

if TYPE_CHECKING:
    from quart import Blueprint

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.phone.phone import Phone
    from llcphone.server.api.call_requests import CallRequest
    from llcphone.server.api.models import CallDetail

_NOT_FOUND = "there is no such call, or it ended long ago and is not in the store"

log = logger("llcphone.server.api")


@attrs.frozen(eq=False)
class Desk:
    """The calls of one phone, and what may be asked for."""

    phone: Phone
    index: CallIndex
    requests: CallRequests

    @classmethod
    def of(cls, phone: Phone) -> Desk:
        """Made once for the API, and once for a console until it is closed."""
        requests = CallRequests(phone.config.outbound.calls_per_minute, phone.shared)
        return cls(phone, CallIndex(phone), requests)

    def close(self) -> None:
        """Remember no more calls."""
        self.index.close()

    async def known(self, call_id: str) -> CallDetail:
        """A call of this phone, or one that the store keeps.

        Raises:
            ApiError: there is none, or the store does not answer.
        """
        if (detail := await find_call(self.index, self.phone.store, call_id)) is None:
            raise ApiError(404, "no_such_call", _NOT_FOUND, "see the list of calls: GET /calls")
        return detail

    def agent_named(self, name: str) -> Agent | None:
        """The agent of this name; None: the phone chooses.

        Raises:
            ApiError: there is none.
        """
        if not name:
            return None
        agents = agents_of(self.phone.agent)
        if name not in agents:
            text, fix = "there is no agent of this name", "use one of: " + ", ".join(agents)
            raise ApiError(422, "unknown_agent", text, fix)
        return agents[name]

    async def place(self, request: CallRequest, asked: NewCall) -> Response:
        """Place a call: 202 with its view."""
        agent = self.agent_named(asked.agent)
        placed = await self.requests.place(
            request,
            lambda: self.phone.order_call(asked.to, agent, context=asked.context, caller_id=asked.caller_id),
        )
        if not placed.answer:  # the call has not changed since
            view = without_record((await self.known(placed.call_id)).masked())
            placed.answer = msgspec.json.encode(view)
            await self.requests.answered(request, placed)
        headers = {"Location": f"/calls/{placed.call_id}"}
        return Response(placed.answer, 202, headers, content_type="application/json")

    async def act(self, name: str, call_id: str, request: CallRequest) -> Response:
        """Do something to a call: 202 with its view."""
        act = ACTS[name]
        asked = None if act.body is None else body_as(act.body, request.body)
        detail = await self.known(call_id)

        def do() -> bytes:
            if (call := self.index.live(call_id)) is None:
                if act.of_ended:
                    return _as_json(detail)
                raise ApiError(409, "call_over", "the call is over", f"see its record: GET /calls/{call_id}")
            if act.needs_talk:
                check_talk(call)
            act.do(call, asked)
            log.info("call acted upon", extra={"call": call_id, "act": name})
            return _as_json(view_of(call))

        answer = self.requests.act(request, call_id, do)
        return Response(answer, 202, content_type="application/json")


def check_talk(call: Call) -> None:
    """Refuse what makes no sense unless caller and agent are talking.

    Raises:
        ApiError: they are not yet, or not for long any more.
    """
    status, activity = call.run.status, call.run.activity
    if status.ending or activity.goodbye or activity.transferring:
        raise ApiError(409, "call_ending", "the call is about to end", "place or await another call")
    if status.started_ms is None:
        text = "nobody is on the line yet"
        raise ApiError(409, "not_talking", text, "wait until the state of the call is talking")


def add_acts(blueprint: Blueprint, desk: Desk) -> None:
    """The routes that place calls and do something to them."""

    @blueprint.post("/calls")
    async def place_call() -> Response:
        request = await read_request()
        return await desk.place(request, body_as(NewCall, request.body))

    for name in ACTS:
        _add_act(blueprint, desk, name)


def _add_act(blueprint: Blueprint, desk: Desk, name: str) -> None:
    @blueprint.post(f"/calls/<call_id>/{name}", endpoint=name)
    async def act(call_id: str) -> Response:
        return await desk.act(name, call_id, await read_request())


def _as_json(detail: CallDetail) -> bytes:
    return msgspec.json.encode(without_record(detail.masked()))
