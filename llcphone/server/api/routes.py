"""The API that places calls and tells of them: for a campaign layer, under one key.

    POST /calls                 ring somebody: 202 with the call
    GET  /calls                 live calls, and the last thousand that ended
    GET  /calls/{id}            one of them, or one that the store keeps, with its record
    POST /calls/{id}/hangup     end it once the agent's last word was heard
    GET  /logs                  what happens in calls, as server-sent events
    GET  /openapi.json          all of this for machines
    POST /outbound-call, GET /tools, GET /public-url    the original's (`api_legacy`)

Whoever has the key spends money on calls, so without ``api.key`` none of this exists, and no route
can forget to ask for it: the blueprint does, before each. Numbers leave masked, words not at all,
unless they are asked for.
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
from llcphone.runtime.log_lines import logger
from llcphone.runtime.rare_log import SeldomLog
from llcphone.server.api import legacy
from llcphone.server.api.calls import Board, without_record
from llcphone.server.api.errors import ApiError, json_response, of_http
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
from llcphone.server.api.orders import Desk, Order
from llcphone.server.api.stored_calls import stored_call
from llcphone.server.authentication import has_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quart_trio import QuartTrio

    from llcphone.agent import Agent
    from llcphone.phone.ports import PhonePort

STREAM_LIMIT_S = 3600.0
"""Longest event stream; its client connects again, as every client of such streams does."""
BEAT_S = 10.0
"""An event stream says something at least so often, so that a peer who left is noticed."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_NOT_FOUND = "there is no such call, or it ended long ago and is not in the store"

log = logger("llcphone.server.api")
Body = TypeVar("Body", bound=msgspec.Struct)


def add_api(app: QuartTrio, phone: PhonePort) -> None:
    """Offer the API of this phone; the caller has seen that there is a key."""
    blueprint = Blueprint("api", __name__)
    board, desk = Board(phone), Desk(phone.config.outbound.calls_per_minute)
    _guard(blueprint, phone.config.api.key)
    _add_calls(blueprint, phone, board, desk)
    _add_legacy(blueprint, phone, board, desk)
    if phone.config.api.events:
        _add_events(blueprint, board)

    @lru_cache(1)
    def document(agents: tuple[str, ...]) -> bytes:
        return msgspec.json.encode(openapi(events=phone.config.api.events, agents=agents))

    @blueprint.get("/openapi.json")
    async def openapi_json() -> Response:
        return Response(document(tuple(agents_of(phone.agent))), content_type="application/json")

    app.register_blueprint(blueprint)


def is_api_path(path: str) -> bool:
    """Whether the API answers here, so that its refusals are the API's too."""
    first = path.removeprefix("/").partition("/")[0]
    return first in {"calls", "outbound-call", "tools", "public-url", "logs", "openapi.json"}


def _guard(blueprint: Blueprint, key: str) -> None:
    seldom = SeldomLog(log)

    @blueprint.before_request
    async def ask_for_the_key() -> None:
        given = request.headers.get("Authorization", "")
        if not has_key(key, given):
            seldom.warning("API request refused: wrong key" if given else "API request refused: no key")
            raise ApiError(
                401, "unauthorized", "the key is missing or wrong", "send Authorization: Bearer <api.key>"
            )

    @blueprint.after_request
    async def keep_out_of_caches(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(ApiError)
    async def refuse(error: ApiError) -> Response:
        return error.response()

    @blueprint.errorhandler(HTTPException)
    async def refuse_http(error: HTTPException) -> Response:
        return of_http(error)


# -- calls ------------------------------------------------------------------------------------


def _add_calls(blueprint: Blueprint, phone: PhonePort, board: Board, desk: Desk) -> None:
    @blueprint.post("/calls")
    async def place() -> Response:
        order, asked = await _read(NewCall)
        agent = _agent_named(phone, asked.agent)
        placed = desk.place(
            order,
            lambda: phone.place_call(asked.to, agent, context=asked.context, caller_id=asked.caller_id),
        )
        if not placed.answer:  # nothing was awaited since: the call is as it was born
            view = without_record((await _known(phone, board, placed.call_id)).masked())
            placed.answer = msgspec.json.encode(view)
        headers = {"Location": f"/calls/{placed.call_id}"}
        return Response(placed.answer, 202, headers, content_type="application/json")

    @blueprint.get("/calls")
    async def listing() -> Response:
        views = board.newest(_limit())
        numbers = _flag("numbers")
        return json_response(CallList([view if numbers else view.masked() for view in views]))

    @blueprint.get("/calls/<call_id>")
    async def one(call_id: str) -> Response:
        numbers, words = _flag("numbers"), _flag("words")
        detail = await _known(phone, board, call_id)
        detail = detail if numbers else detail.masked()
        if detail.record is not None and not words:
            detail = msgspec.structs.replace(detail, record={**detail.record, "transcript": ()})
        return json_response(detail)

    @blueprint.post("/calls/<call_id>/hangup")
    async def hang_up(call_id: str) -> Response:
        detail = await _known(phone, board, call_id)
        if (call := board.live(call_id)) is not None:
            call.hang_up()
        return json_response(without_record(detail.masked()), 202)


def _agent_named(phone: PhonePort, name: str) -> Agent | None:
    """The agent of this name; None is the phone's own choice."""
    if not name:
        return None
    agents = agents_of(phone.agent)
    if name not in agents:
        raise ApiError(
            422, "unknown_agent", "there is no agent of this name", "use one of: " + ", ".join(agents)
        )
    return agents[name]


async def _known(phone: PhonePort, board: Board, call_id: str) -> CallDetail:
    """A call of this phone, or one that the store keeps."""
    if (detail := board.find(call_id) or await stored_call(phone.store, call_id)) is None:
        raise ApiError(404, "no_such_call", _NOT_FOUND, "list the calls: GET /calls")
    return detail


# -- the original's ---------------------------------------------------------------------------


def _add_legacy(blueprint: Blueprint, phone: PhonePort, board: Board, desk: Desk) -> None:
    @blueprint.post("/outbound-call")
    async def outbound_call() -> Response:
        order, asked = await _read(LegacyCall)
        agent = legacy.agent_for(phone, asked)
        context = legacy.context_of(asked, phone.config.company)
        placed = desk.place(order, lambda: phone.place_call(asked.to, agent, context=context))
        answer = await legacy.reply_to(asked, placed, board)
        return Response(answer, content_type="application/json")

    @blueprint.get("/tools")
    async def tools() -> Response:
        return json_response(legacy.tools_of(phone))

    @blueprint.get("/public-url")
    async def public_url() -> Response:
        return json_response(PublicUrl(phone.config.server.public_url))


# -- events -----------------------------------------------------------------------------------


def _add_events(blueprint: Blueprint, board: Board) -> None:
    @blueprint.get("/logs")
    async def logs() -> Response:
        words, only = _flag("words"), request.args.get("call", "")
        if not board.has_room:
            text = "as many event streams are open as may be"
            raise ApiError(429, "too_many_streams", text, "close one of them", retry_after_s=5)
        if request.method == "HEAD":
            return Response("", content_type="text/event-stream")
        if (exchange := request.scope.get("state", {}).get("llcphone.exchange")) is not None:
            exchange.extend(STREAM_LIMIT_S + BEAT_S)
        headers = {"X-Accel-Buffering": "no"}  # else nginx would collect events before it passes them on
        response = Response(_events(board, words, only), 200, headers, content_type="text/event-stream")
        response.timeout = None
        return response


async def _events(board: Board, words: bool, only: str) -> AsyncIterator[bytes]:
    """Server-sent events until the reader leaves, is too slow, or an hour is over."""
    if not board.has_room:  # another took the last place since the request was let in
        return
    now = trio.current_time()
    until, beat = now + STREAM_LIMIT_S, now + BEAT_S
    with board.listen() as events:
        line = b": events follow\n\n"
        while now < until:
            if line:
                yield line
                beat = now + BEAT_S
            line = b": still here\n\n"
            with trio.move_on_at(beat):
                try:
                    line = _as_line(await events.receive(), words, only)
                except trio.EndOfChannel:
                    return
            now = trio.current_time()


def _as_line(event: CallEvent, words: bool, only: str) -> bytes:
    """An event as it goes over the wire; nothing of another call than the only one."""
    if only and event.call != only:
        return b""
    return b"data: " + msgspec.json.encode(event if words else event.wordless()) + b"\n\n"


# -- reading requests -------------------------------------------------------------------------


async def _read(shape: type[Body]) -> tuple[Order, Body]:
    """The request's body by its shape, and what makes it the same request as another."""
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
        raise ApiError(400, "not_json", "the body is no JSON", "send one JSON object in UTF-8") from None
    return Order(request.path, body, key or ""), asked


def _flag(name: str) -> bool:
    given = request.args.getlist(name) or ["0"]
    if given not in (["0"], ["1"]):
        raise ApiError(422, "bad_parameter", f"{name} is neither 0 nor 1", f"write ?{name}=1 or leave it out")
    return given == ["1"]


def _limit() -> int:
    given = request.args.getlist("limit") or ["100"]
    if len(given) != 1 or not re.fullmatch(r"[0-9]{1,4}", given[0]) or not 1 <= int(given[0]) <= 1000:
        raise ApiError(422, "bad_parameter", "limit is no number from 1 to 1000", "write ?limit=100")
    return int(given[0])
