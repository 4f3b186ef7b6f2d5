"""The HTTP API that places and shows calls, for campaign software, under one key.

    POST /calls                 place a call: 202 with the call
    GET  /calls                 live calls, and the last thousand that ended
    GET  /calls/{id}            one of them, or one that the store keeps, with its record
    POST /calls/{id}/hangup     end it once the agent's last word was heard
    GET  /logs                  events of calls, as server-sent events
    GET  /openapi.json          the OpenAPI document
    POST /outbound-call, GET /tools, GET /public-url    as llc-phone 3 has them (`legacy`)

A client with the key can spend money on calls. So without ``api.key`` none of these routes exists, and the
blueprint checks the key before each of them. Telephone numbers are masked and transcripts left out
unless the request asks for them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
import trio
from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from llcphone.agent import agents_of
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.api import legacy
from llcphone.server.api.call_requests import CallRequest, CallRequests
from llcphone.server.api.calls import CallIndex, stored_call, without_record
from llcphone.server.api.errors import ApiError, json_response, of_http, problem_response
from llcphone.server.api.models import (
    BODY_LIMIT,
    CallDetail,
    CallEvent,
    CallList,
    LegacyCall,
    NewCall,
    PublicUrl,
)
from llcphone.server.api.openapi import openapi
from llcphone.server.authentication import has_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quart_trio import QuartTrio

    from llcphone.agent import Agent
    from llcphone.phone.phone import Phone

STREAM_LIMIT_S = 3600.0
"""Longest event stream; its client connects again, as clients of such streams do."""
KEEPALIVE_S = 10.0
"""Longest silence of an event stream: a comment is sent, so a client that left is noticed."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_NOT_FOUND = "there is no such call, or it ended long ago and is not in the store"

log = logger("llcphone.server.api")
Body = TypeVar("Body", bound=msgspec.Struct)


def add_api(app: QuartTrio, phone: Phone) -> None:
    """Offer the API of this phone; the caller has checked that there is a key."""
    blueprint = Blueprint("api", __name__)
    index, requests = CallIndex(phone), CallRequests(phone.config.outbound.calls_per_minute)
    _require_key(blueprint, phone.config.api.key)
    _add_calls(blueprint, phone, index, requests)
    _add_legacy(blueprint, phone, index, requests)
    if phone.config.api.events:
        _add_events(blueprint, index)

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


def _require_key(blueprint: Blueprint, key: str) -> None:
    seldom = SeldomLog(log)

    @blueprint.before_request
    async def check_key() -> None:
        given = request.headers.get("Authorization", "")
        if not has_key(key, given):
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


# -- calls ------------------------------------------------------------------------------------


def _add_calls(blueprint: Blueprint, phone: Phone, index: CallIndex, requests: CallRequests) -> None:
    @blueprint.post("/calls")
    async def place() -> Response:
        call_request, asked = await _read(NewCall)
        agent = _agent_named(phone, asked.agent)
        placed = requests.place(
            call_request,
            lambda: phone.place_call(asked.to, agent, context=asked.context, caller_id=asked.caller_id),
        )
        if not placed.answer:  # the call has not changed since
            view = without_record((await _known(phone, index, placed.call_id)).masked())
            placed.answer = msgspec.json.encode(view)
        headers = {"Location": f"/calls/{placed.call_id}"}
        return Response(placed.answer, 202, headers, content_type="application/json")

    @blueprint.get("/calls")
    async def listing() -> Response:
        views = index.newest(_limit())
        numbers = _flag("numbers")
        return json_response(CallList([view if numbers else view.masked() for view in views]))

    @blueprint.get("/calls/<call_id>")
    async def one(call_id: str) -> Response:
        numbers, words = _flag("numbers"), _flag("words")
        detail = await _known(phone, index, call_id)
        detail = detail if numbers else detail.masked()
        if detail.record is not None and not words:
            detail = msgspec.structs.replace(detail, record={**detail.record, "transcript": ()})
        return json_response(detail)

    @blueprint.post("/calls/<call_id>/hangup")
    async def hang_up(call_id: str) -> Response:
        detail = await _known(phone, index, call_id)
        if (call := index.live(call_id)) is not None:
            call.hang_up()
        return json_response(without_record(detail.masked()), 202)


def _agent_named(phone: Phone, name: str) -> Agent | None:
    """The agent of this name; None: the phone chooses."""
    if not name:
        return None
    agents = agents_of(phone.agent)
    if name not in agents:
        raise ApiError(
            422, "unknown_agent", "there is no agent of this name", "use one of: " + ", ".join(agents)
        )
    return agents[name]


async def _known(phone: Phone, index: CallIndex, call_id: str) -> CallDetail:
    """A call of this phone, or one that the store keeps."""
    if (detail := index.find(call_id) or await stored_call(phone.store, call_id)) is None:
        raise ApiError(404, "no_such_call", _NOT_FOUND, "see the list of calls: GET /calls")
    return detail


# -- routes of llc-phone 3 --------------------------------------------------------------------


def _add_legacy(blueprint: Blueprint, phone: Phone, index: CallIndex, requests: CallRequests) -> None:
    @blueprint.post("/outbound-call")
    async def outbound_call() -> Response:
        call_request, asked = await _read(LegacyCall)
        agent = legacy.agent_for(phone, asked)
        context = legacy.context_of(asked, phone.config.company)
        placed = requests.place(call_request, lambda: phone.place_call(asked.to, agent, context=context))
        answer = await legacy.reply_to(asked, placed, index)
        return Response(answer, content_type="application/json")

    @blueprint.get("/tools")
    async def tools() -> Response:
        return json_response(legacy.tools_of(phone))

    @blueprint.get("/public-url")
    async def public_url() -> Response:
        return json_response(PublicUrl(phone.config.server.public_url))


# -- events -----------------------------------------------------------------------------------


def _add_events(blueprint: Blueprint, index: CallIndex) -> None:
    @blueprint.get("/logs")
    async def logs() -> Response:
        words, only = _flag("words"), request.args.get("call", "")
        if not index.has_room:
            text = "too many event streams are open"
            raise ApiError(429, "too_many_streams", text, "close one of them", retry_after_s=5)
        if request.method == "HEAD":
            return Response("", content_type="text/event-stream")
        if (exchange := request.scope.get("state", {}).get("llcphone.exchange")) is not None:
            exchange.extend(STREAM_LIMIT_S + KEEPALIVE_S)
        headers = {"X-Accel-Buffering": "no"}  # or nginx would buffer the events
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


# -- reading requests -------------------------------------------------------------------------


async def _read(shape: type[Body]) -> tuple[CallRequest, Body]:
    """The request's body as this type, and what identifies the request."""
    body = cast("bytes", await request.get_data())
    if len(body) > BODY_LIMIT:
        raise ApiError(413, "too_large", "the body is too large", f"send at most {BODY_LIMIT} bytes")
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        text = "Idempotency-Key is not 1 to 128 printable ASCII characters without spaces"
        raise ApiError(422, "bad_header", text, "use a UUID, for instance")
    try:
        asked = msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(422, "bad_field", str(error), "see /openapi.json for the fields") from None
    except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
        raise ApiError(400, "not_json", "the body is not JSON", "send one JSON object in UTF-8") from None
    return CallRequest(request.path, body, key or ""), asked


def _flag(name: str) -> bool:
    given = request.args.getlist(name) or ["0"]
    if given not in (["0"], ["1"]):
        raise ApiError(422, "bad_parameter", f"{name} is neither 0 nor 1", f"write ?{name}=1 or leave it out")
    return given == ["1"]


def _limit() -> int:
    given = request.args.getlist("limit") or ["100"]
    if len(given) != 1 or not re.fullmatch(r"[0-9]{1,4}", given[0]) or not 1 <= int(given[0]) <= 1000:
        raise ApiError(422, "bad_parameter", "limit is not a number from 1 to 1000", "write ?limit=100")
    return int(given[0])
