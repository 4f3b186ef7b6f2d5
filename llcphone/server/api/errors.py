"""The API's errors: RFC 9457 problem details, with a stable ``code`` and how to fix it (``fix``).

The codes of refused calls are the dial guard's (`llcphone.dial_guard.guard.WHY`). No text holds a number or a
key; a client's own values are only ever named by their field.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from quart import Response

from llcphone.errors import ConfigError, DialRefused, LLCPhoneError, NotAdmitted, StoreUnavailable
from llcphone.server.api.models import Problem

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException

_SHORT_WAIT_S = 10
"""Retry-After of what ends at a time that is not known: with a call, or when the store answers again."""

_LATER = frozenset({"too_many_now", "too_many_on_all_nodes", "daily_limit", "rate_global", "rate_number"})
"""Refusals that end with time: 429. The others are about the call itself: 403."""

_HTTP_FIXES = defaultdict(
    lambda: "see /openapi.json",
    {
        404: "see /openapi.json for the routes",
        405: "use a method that the Allow header names",
        413: "send at most 65536 bytes",
        500: "see the server's log",
    },
)


class ApiError(LLCPhoneError):
    """Answered as a problem; raised by the API's routes only."""

    def __init__(
        self, status: int, code: str, detail: str, fix: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        title = code.replace("_", " ").capitalize()
        self.problem = Problem(f"urn:llcphone:problem:{code}", title, status, detail, code, fix)
        self.headers = {} if retry_after_s is None else {"Retry-After": str(max(1, retry_after_s))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def problem_response(error: ApiError, *, legacy: bool = False) -> Response:
    """The answer; ``legacy`` adds what clients of llc-phone 3 read."""
    problem = error.problem
    if legacy:
        problem = msgspec.structs.replace(problem, success=False, error=problem.detail)
    return _problem(problem, error.headers)


def _problem(problem: Problem, headers: dict[str, str]) -> Response:
    data = msgspec.json.encode(problem)
    return Response(data, problem.status, headers, content_type="application/problem+json")


def json_response(content: object, status: int = 200) -> Response:
    """An answer of the API that is no error."""
    return Response(msgspec.json.encode(content), status, content_type="application/json")


def refusal(error: DialRefused | NotAdmitted | ConfigError) -> ApiError:
    """Why a call was not placed, as an answer."""
    match error:
        case DialRefused(code=code, why=why, fix=fix, retry_after_s=wait_s):
            later = code in _LATER
            retry = wait_s if wait_s is not None or not later else _SHORT_WAIT_S
            return ApiError(429 if later else 403, code, why, fix, retry_after_s=retry)
        case NotAdmitted(reason=reason, fix=fix):
            text = f"no call is accepted now: {reason}"
            return ApiError(503, "not_admitted", text, fix, retry_after_s=_SHORT_WAIT_S)
        case ConfigError(key=key, why=why, fix=fix):
            text = f"this server is not configured for that: {key} {why}"
            return ApiError(503, "not_configured", text, fix)


def store_unavailable(error: StoreUnavailable) -> ApiError:
    """The database does not answer, so what was asked for is unknown."""
    fix = "ask again after Retry-After, or see llcphone doctor"
    return ApiError(503, "store_unavailable", f"{error}.", fix, retry_after_s=_SHORT_WAIT_S)


def of_http(error: HTTPException) -> Response:
    """An error of the HTTP stack in the API's form; its type is the status alone, as RFC 9457 has it."""
    status, allow = error.code or 500, dict(error.get_headers()).get("Allow")
    code = error.name.lower().replace(" ", "_")
    problem = Problem("about:blank", error.name, status, f"{error.name}.", code, _HTTP_FIXES[status])
    return _problem(problem, {"Allow": allow} if allow else {})
