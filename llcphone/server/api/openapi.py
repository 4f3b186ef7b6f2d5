"""The OpenAPI 3.1 document of the API, made from the types that check its requests and write its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.engine.events import EndReason
from llcphone.server.api.acts import ACTS
from llcphone.server.api.listing import CURSOR, LATEST, LONGEST, MOST, USUAL
from llcphone.server.api.models import (
    CallDetail,
    CallList,
    CallView,
    LegacyCall,
    LegacyReply,
    NewCall,
    Problem,
    PublicUrl,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.server.api.acts import Act

Json = dict[str, Any]

_BODIES = (NewCall, LegacyCall, *{act.body: None for act in ACTS.values() if act.body is not None})
_SHAPES = (*_BODIES, CallView, CallDetail, CallList, LegacyReply, PublicUrl, Problem)
_ERRORS = {
    400: "The body is not JSON.",
    401: "The key is missing or wrong.",
    403: "The key is read-only, or the dial guard refuses this call (see the code). Waiting does not help.",
    404: "There is no such call, or no such approval.",
    405: "The path takes another method.",
    409: "The call is not in a state for that, or the Idempotency-Key was used for another request.",
    413: "The body is too large.",
    422: "A field, parameter or header has an invalid value.",
    429: "A limit is reached; Retry-After says when to try again.",
    502: "The call ended before Twilio placed it.",
    503: "No call is accepted now, this server cannot place any, or its store gives no answer.",
}
_WAITS = {429, 503}
_ALWAYS = (401,)
_OF_PLACING = (400, 403, 409, 413, 422, 429, 503)
_OF_ACTING = (403, 404, 409, 413, 422, 503)


def openapi(*, events: bool, agents: Iterable[str]) -> Json:
    """The document, for these names of agents; ``events``: the event stream is offered."""
    _, schemas = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    schemas["NewCall"]["properties"]["agent"]["enum"] = ["", *agents]
    paths = _calls() | _acts() | _legacy() | _document()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llcphone",
            "version": "1",
            "description": "Places telephone calls that an AI agent holds, shows them, and acts upon them.",
        },
        "security": [{"key": []}],
        "paths": paths | (_events() if events else {}),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "api.key; for GET also api.read_key",
                }
            },
            "responses": {f"E{status}": _error(status) for status in _ERRORS},
        },
    }


# -- paths ------------------------------------------------------------------------------------


def _calls() -> Json:
    placed = _answer("The call has begun.", CallView)
    placed["headers"] = {"Location": {"description": "The call.", "schema": {"type": "string"}}}
    placed["links"] = {
        "it": {"operationId": "getCall", "parameters": {"call_id": "$response.body#/id"}},
        "end": {"operationId": "hangUpCall", "parameters": {"call_id": "$response.body#/id"}},
    }
    numbers = _switch("numbers", "Complete telephone numbers.")
    words = _switch("words", "Also the transcript, if records.transcript is on.")
    return {
        "/calls": {
            "post": _places("placeCall", "Place a call.", NewCall, {"202": placed}),
            "get": _operation(
                "listCalls",
                "Calls: live ones first, then those that ended, each the newest first.",
                _ok("A page of calls.", CallList),
                (422, 503),
                [*_of_list(), numbers],
            ),
        },
        "/calls/{call_id}": {
            "parameters": [_call_id()],
            "get": _operation(
                "getCall",
                "A call, with its record.",
                _ok("It.", CallDetail),
                (404, 422, 503),
                [numbers, words],
            ),
        },
    }


def _acts() -> Json:
    return {
        f"/calls/{{call_id}}/{name}": {"parameters": [_call_id()], "post": _act(act)}
        for name, act in ACTS.items()
    }


def _act(act: Act) -> Json:
    errors = {*_OF_ACTING, *act.errors, *((400,) if act.body is not None else ())}
    answer = {"202": _answer("The call as it is now.", CallView)}
    return _with_key(_operation(act.operation, act.summary, answer, tuple(errors)), act.body)


def _of_list() -> list[Json]:
    number = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
    text = {"type": "string", "maxLength": LONGEST}
    at = {"type": "number", "minimum": 0, "maximum": LATEST}
    reasons = [reason.value for reason in EndReason]
    return [
        _parameter("limit", number, "How many."),
        _parameter("cursor", {"type": "string", "pattern": CURSOR}, "`next` of the page before."),
        _parameter("agent", text, "Only calls of the agent of this name."),
        _parameter("direction", {"type": "string", "enum": ["inbound", "outbound"]}, "Only such calls."),
        _parameter("outcome", {"type": "string", "enum": reasons}, "Only calls that ended for this reason."),
        _parameter("from", at, "Only calls that ended then or later; Unix time."),
        _parameter("to", at, "Only calls that ended before; Unix time."),
    ]


def _legacy() -> Json:
    tools = {"type": "array", "items": {"type": "object"}}
    rings = _ok("The call is placed.", LegacyReply)
    outbound = _places("outboundCall", "Place a call, as llc-phone 3 does.", LegacyCall, rings)
    outbound["responses"]["502"] = {"$ref": "#/components/responses/E502"}
    return {
        "/outbound-call": {"post": outbound},
        "/tools": {"get": _operation("listTools", "The agent's tools.", _ok("Schemas.", tools))},
        "/public-url": {"get": _operation("publicUrl", "Where Twilio reaches us.", _ok("It.", PublicUrl))},
    }


def _document() -> Json:
    return {"/openapi.json": {"get": _operation("openapi", "This.", _ok("This.", {"type": "object"}))}}


def _events() -> Json:
    stream = {
        "description": "Server-sent events, one JSON object each, until the client disconnects.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
    only = _parameter("call", {"type": "string"}, "Of this call only.")
    words = _switch("words", "What was said too.")
    what = "Events of calls, as they happen."
    return {"/logs": {"get": _operation("events", what, {"200": stream}, (422, 429), [words, only])}}


# -- parts ------------------------------------------------------------------------------------


def _operation(
    name: str, summary: str, answers: Json, errors: tuple[int, ...] = (), parameters: list[Json] | None = None
) -> Json:
    refused = {
        str(status): {"$ref": f"#/components/responses/E{status}"} for status in sorted({*_ALWAYS, *errors})
    }
    operation = {"operationId": name, "summary": summary, "responses": answers | refused}
    return operation | ({"parameters": parameters} if parameters else {})


def _places(name: str, summary: str, body: type[msgspec.Struct], answers: Json) -> Json:
    """An operation that places a call."""
    return _with_key(_operation(name, summary, answers, _OF_PLACING), body)


def _with_key(operation: Json, body: type[msgspec.Struct] | None) -> Json:
    """An operation that does something, at most once for each key."""
    key = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    what = "Names this request. The same request within a day does nothing more, and gets the same answer."
    header = _parameter("Idempotency-Key", key, what) | {"in": "header"}
    operation |= {"parameters": [header]}
    if body is not None:
        content = {"application/json": {"schema": _ref(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _switch(name: str, description: str) -> Json:
    return _parameter(name, {"type": "string", "enum": ["0", "1"], "default": "0"}, description)


def _call_id() -> Json:
    return {"name": "call_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _ok(description: str, shape: type[msgspec.Struct] | Json) -> Json:
    return {"200": _answer(description, shape)}


def _answer(description: str, shape: type[msgspec.Struct] | Json) -> Json:
    schema = shape if isinstance(shape, dict) else _ref(shape)
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(status: int) -> Json:
    content = {"application/problem+json": {"schema": _ref(Problem)}}
    error: Json = {"description": _ERRORS[status], "content": content}
    if status == 413:  # the listener reads no further, and answers without a body
        del error["content"]
    if status in _WAITS:
        waits = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        error["headers"] = {"Retry-After": waits}
    return error


def _ref(shape: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
