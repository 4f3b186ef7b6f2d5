"""The HTTP API that places and shows calls, for campaign software, under a key.

    POST /calls                 place a call: 202 with the call
    GET  /calls                 live calls, and those that ended (`listing`)
    GET  /calls/{id}            one of them, or one that the store keeps, with its record
    POST /calls/{id}/…          do something to it (`acts`)
    GET  /logs                  events of this process's calls, as server-sent events
    GET  /openapi.json          the OpenAPI document
    POST /outbound-call, GET /tools, GET /public-url    as llc-phone 3 has them (`legacy`)

A client with ``api.key`` can spend money on calls; one with ``api.read_key`` is read-only. Without a key
none of these routes exists, and the blueprint checks the key before each of them. Telephone numbers are
masked and transcripts left out unless the request asks for them.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec
import trio
from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from llcphone.agent import agents_of
from llcphone.call.node_names import node_of
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.api import legacy
from llcphone.server.api.desk import Desk, add_acts
from llcphone.server.api.errors import ApiError, json_response, of_http, problem_response
from llcphone.server.api.listing import list_calls, read_list_request
from llcphone.server.api.models import (
    CallEvent,
    LegacyCall,
    PublicUrl,
)
from llcphone.server.api.openapi import openapi
from llcphone.server.api.other_nodes import PASSED_ON, OtherNodes
from llcphone.server.api.reading import body_as, read_request
from llcphone.server.authentication import has_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quart_trio import QuartTrio

    from llcphone.config.api import ApiConfig
    from llcphone.phone.phone import Phone
    from llcphone.server.api.calls import CallIndex

STREAM_LIMIT_S = 3600.0
"""Longest event stream; its client connects again, as clients of such streams do."""
KEEPALIVE_S = 10.0
"""Longest silence of an event stream: a comment is sent, so a client that left is noticed."""


_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})

log = logger("llcphone.server.api")


def add_api(app: QuartTrio, phone: Phone) -> None:
    """Offer the API of this phone; the caller has checked that there is a key."""
    blueprint = Blueprint("api", __name__)
    desk = Desk.of(phone)
    _require_key(blueprint, phone.config.api)
    _ask_other_nodes(blueprint, OtherNodes(phone))
    add_acts(blueprint, desk)
    _add_calls(blueprint, desk)
    _add_legacy(blueprint, desk)
    if phone.config.api.events:
        _add_events(blueprint, desk)

    @lru_cache(1)
    def document(agents: tuple[str, ...]) -> bytes:
        return msgspec.json.encode(openapi(events=phone.config.api.events, agents=agents))

    @blueprint.get("/openapi.json")
    async def openapi_json() -> Response:
        return Response(document(tuple(agents_of(phone.agent))), content_type="application/json")

    app.register_blueprint(blueprint)


def is_api_path(path: str) -> bool:
    """Whether the API answers here, so that errors have the API's form."""
    first = path.removeprefix("/").partition("/")[0]
    return first in {"calls", "outbound-call", "tools", "public-url", "logs", "openapi.json"}


def _require_key(blueprint: Blueprint, api: ApiConfig) -> None:
    seldom = SeldomLog(log)

    @blueprint.before_request
    async def check_key() -> None:
        given = request.headers.get("Authorization", "")
        if has_key(api.read_key, given):
            if request.method not in _LOOKS:
                text = "this key (api.read_key) is read-only"
                raise ApiError(403, "read_only", text, "send Authorization: Bearer <api.key>")
        elif not has_key(api.key, given):
            seldom.warning("API request refused: wrong key" if given else "API request refused: no key")
            raise ApiError(
                401, "unauthorized", "the key is missing or wrong", "send Authorization: Bearer <api.key>"
            )

    @blueprint.after_request
    async def forbid_caching(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(ApiError)
    async def api_error(error: ApiError) -> Response:
        return problem_response(error, legacy=request.path == "/outbound-call")

    @blueprint.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> Response:
        return of_http(error)


def _ask_other_nodes(blueprint: Blueprint, others: OtherNodes) -> None:
    @blueprint.before_request
    async def of_another_node() -> Response | None:
        call_id = (request.view_args or {}).get("call_id", "")
        return await others.answer(call_id) if others.has(call_id) else None


# -- calls ------------------------------------------------------------------------------------


def _add_calls(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.get("/calls")
    async def listing() -> Response:
        numbers, asked = _flag("numbers"), read_list_request(request.args)
        found = await list_calls(desk.index, desk.phone.store, asked)
        return json_response(found if numbers else found.masked())

    @blueprint.get("/calls/<call_id>")
    async def one(call_id: str) -> Response:
        numbers, words = _flag("numbers"), _flag("words")
        detail = await desk.known(call_id)
        detail = detail if numbers else detail.masked()
        return json_response(detail if words else detail.wordless())


# -- routes of llc-phone 3 --------------------------------------------------------------------


def _add_legacy(blueprint: Blueprint, desk: Desk) -> None:
    phone = desk.phone

    @blueprint.post("/outbound-call")
    async def outbound_call() -> Response:
        call_request = await read_request()
        asked = body_as(LegacyCall, call_request.body)
        agent = legacy.agent_for(phone, asked)
        context = legacy.context_of(asked, phone.config.company)
        order = partial(phone.order_call, asked.to, agent, context=context)
        placed = await desk.requests.place(call_request, order)
        answer = await legacy.reply_to(asked, placed, desk.index)
        if placed.answer:
            await desk.requests.answered(call_request, placed)
        return Response(answer, content_type="application/json")

    @blueprint.get("/tools")
    async def tools() -> Response:
        return json_response(legacy.tools_of(phone))

    @blueprint.get("/public-url")
    async def public_url() -> Response:
        return json_response(PublicUrl(phone.config.server.public_url))


# -- events -----------------------------------------------------------------------------------


def _add_events(blueprint: Blueprint, desk: Desk) -> None:
    index, node = desk.index, desk.phone.config.server.node

    @blueprint.get("/logs")
    async def logs() -> Response:
        words, only = _flag("words"), request.args.get("call", "")
        if node and (theirs := node_of(only)) and theirs != node:
            text = f"this is node {node}, and the call is of node {theirs}"
            fix = "ask that node at its own address: llcphone status --nodes shows it"
            raise ApiError(422, "other_node", text, fix)
        if not index.has_room:
            text = "too many event streams are open"
            raise ApiError(429, "too_many_streams", text, "close one of them", retry_after_s=5)
        if request.method == "HEAD":
            return Response("", content_type="text/event-stream")
        if (exchange := request.scope.get("state", {}).get("llcphone.exchange")) is not None:
            exchange.extend(STREAM_LIMIT_S + KEEPALIVE_S)
        headers = {"X-Accel-Buffering": "no"}  # or nginx would buffer the events
        headers |= {PASSED_ON: node} if node else {}
        response = Response(_events(index, words, only), 200, headers, content_type="text/event-stream")
        response.timeout = None
        return response


async def _events(index: CallIndex, words: bool, only: str) -> AsyncIterator[bytes]:
    """Server-sent events until the reader leaves, is too slow, or an hour is over."""
    if not index.has_room:  # another request has taken the last place
        return
    now = trio.current_time()
    until, keepalive = now + STREAM_LIMIT_S, now + KEEPALIVE_S
    with index.listen() as events:
        line = b": events follow\n\n"
        while now < until:
            if line:
                yield line
                keepalive = now + KEEPALIVE_S
            line = b": still here\n\n"
            with trio.move_on_at(keepalive):
                try:
                    line = _as_line(await events.receive(), words, only)
                except trio.EndOfChannel:
                    return
            now = trio.current_time()


def _as_line(event: CallEvent, words: bool, only: str) -> bytes:
    """An event as it is sent; empty if the client asked for another call only."""
    if only and event.call != only:
        return b""
    return b"data: " + msgspec.json.encode(event if words else event.wordless()) + b"\n\n"


# -- parameters --------------------------------------------------------------------------------


def _flag(name: str) -> bool:
    given = request.args.getlist(name) or ["0"]
    if given not in (["0"], ["1"]):
        raise ApiError(422, "bad_parameter", f"{name} is neither 0 nor 1", f"write ?{name}=1 or leave it out")
    return given == ["1"]
