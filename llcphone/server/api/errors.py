"""How the API refuses: a status, a stable code, one line that says why, one that says how to fix it.

The codes of refused calls are the guard's own (`llcphone.dial_guard.guard.WHY`). No text holds a number or
a key; what a client sent is only ever named by its field.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from quart import Response

from llcphone.errors import ConfigError, DialRefused, LLCPhoneError, NotAdmitted
from llcphone.server.api.models import ErrorBody, ErrorReply

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException

_SHORT_WAIT_S = 10
"""Asked of whoever meets a limit that a call's end frees: nobody knows when that is."""

_LATER = frozenset({"too_many_now", "daily_limit", "rate_global", "rate_number"})
"""Refusals that end by themselves: 429. The others are about the call itself: 403."""

FIXES = {
    "caller_id_not_ours": "leave caller_id out, or add the number to outbound.caller_ids",
    "not_e164": "write +, the country code and the number, digits only",
    "impossible_number": "check the number; outbound.allow_prefixes admits ranges too new to be known",
    "own_number": "ring another number than our own",
    "premium": "ring another number",
    "shared_cost": "ring another number",
    "unreachable_type": "ring another number, or change outbound.refuse_types",
    "country_not_allowed": "add the country to outbound.allow_countries if it may be called",
    "do_not_call": "do not call this number",
    "do_not_call_unreadable": "correct the file; until then nobody is called",
    "no_time_zones": "install tzdata on the server, or empty outbound.quiet_hours",
    "quiet_hours": "ask again when the quiet hours are over there",
    "too_many_now": "ask again when a call has ended",
    "daily_limit": "ask again after Retry-After, or raise outbound.max_per_day",
    "rate_global": "ask again after Retry-After, or raise outbound.calls_per_minute",
    "rate_number": "ask again after Retry-After",
}
"""Code of the guard to what the client can do."""

_HTTP_FIXES = defaultdict(
    lambda: "see /openapi.json",
    {
        404: "see /openapi.json for what there is",
        405: "use a method that the Allow header names",
        413: "send at most 65536 bytes",
        500: "look into the server's log",
    },
)


class ApiError(LLCPhoneError):
    """Answered as JSON; raised by the API's routes only."""

    def __init__(
        self, status: int, code: str, message: str, fix: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.body = ErrorBody(code, message, fix)
        self.headers = {} if retry_after_s is None else {"Retry-After": str(max(1, retry_after_s))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> Response:
        """The answer."""
        return json_response(ErrorReply(self.body), self.status, self.headers)


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer of the API."""
    data = msgspec.json.encode(content)
    return Response(data, status, headers, content_type="application/json")


def refusal(error: DialRefused | NotAdmitted | ConfigError) -> ApiError:
    """Why a call was not placed, as an answer."""
    match error:
        case DialRefused(code=code, why=why, retry_after_s=wait_s):
            later = code in _LATER
            retry = wait_s if wait_s is not None or not later else _SHORT_WAIT_S
            return ApiError(429 if later else 403, code, why, FIXES[code], retry_after_s=retry)
        case NotAdmitted(reason=reason):
            draining = reason == "draining"
            fix = "ask another server" if draining else "ask again when a call has ended"
            text = f"no call is taken now: {reason}"
            return ApiError(503, "not_admitted", text, fix, retry_after_s=_SHORT_WAIT_S)
        case ConfigError(key=key, why=why):
            text = f"this server is not set up to place calls: {key}"
            return ApiError(503, "not_configured", text, f"{key}: {why}")


def of_http(error: HTTPException) -> Response:
    """What the HTTP stack refused, in the API's own form."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    response = ApiError(status, code, f"{error.name}.", _HTTP_FIXES[status]).response()
    headers = dict(error.get_headers())
    if "Allow" in headers:
        response.headers["Allow"] = headers["Allow"]
    return response
