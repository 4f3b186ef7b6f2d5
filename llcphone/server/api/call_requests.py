"""Requests that do something: each does it once only, and those for new calls are limited in a minute.

An ``Idempotency-Key`` names a request. A request that placed a call, or did something to one, is remembered
under its key for a day, so a client that lost our answer repeats the request, and no number is dialled twice.
A refused request did nothing and is not remembered: its key may be used again. What is done is synchronous,
so two requests with one key cannot both do it.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.dial_guard.guard import Window
from llcphone.errors import ConfigError, DialRefused, NotAdmitted
from llcphone.runtime.log_lines import logger
from llcphone.server.api.errors import ApiError, refusal
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.call import Call

log = logger("llcphone.server.api")

KEPT_S = 86_400
KEPT = 10_000
"""Requests remembered; beyond, the oldest is forgotten before its day is over."""


@attrs.frozen
class CallRequest:
    """A request that does something: what makes it the same when it is repeated."""

    path: str
    body: bytes = attrs.field(repr=False)
    key: str = ""

    @property
    def fingerprint(self) -> bytes:
        """Equal for two requests with one key; anything else is a conflict."""
        return hashlib.sha256(self.path.encode() + b"\0" + self.body).digest()


@attrs.define(eq=False)
class Placed:
    """A call, and the request that placed it or did something to it."""

    call_id: str
    fingerprint: bytes = attrs.field(repr=False)
    at_s: float
    answer: bytes = attrs.field(default=b"", repr=False)
    """What was answered; empty until that is known."""


REQUESTS_PER_CALL = 2
"""Requests allowed per call of ``outbound.calls_per_minute``: each refused one may be corrected once."""


class CallRequests:
    """Does once what each request asks for."""

    def __init__(self, calls_per_minute: int) -> None:
        self._minute = Window(REQUESTS_PER_CALL * calls_per_minute, 60_000)
        self._placed: BoundedDict[str, Placed] = BoundedDict(KEPT)

    def place(self, request: CallRequest, place_call: Callable[[], Call]) -> Placed:
        """Place the call, unless this request has placed it already. Synchronous.

        Raises:
            ApiError: the key was used for another request, or the call is refused.
        """
        if (known := self._known(request)) is not None:
            return known
        self._count(round(trio.current_time() * 1000))
        try:
            call = place_call()
        except (DialRefused, NotAdmitted, ConfigError) as error:
            raise refusal(error) from None
        log.info("call placed over the API", extra={"call": call.call_id})
        return self._remember(request, call.call_id)

    def act(self, request: CallRequest, call_id: str, act: Callable[[], bytes]) -> bytes:
        """Do something to a call, unless this request has done it already; what is answered. Synchronous.

        Raises:
            ApiError: the key was used for another request, or ``act`` refuses it.
        """
        if (known := self._known(request)) is not None:
            return known.answer
        answer = act()
        self._remember(request, call_id).answer = answer
        return answer

    def _known(self, request: CallRequest) -> Placed | None:
        """What this request has done already."""
        self._forget(trio.current_time())
        known = self._placed.get(request.key) if request.key else None
        if known is not None and known.fingerprint != request.fingerprint:
            text = "this Idempotency-Key was used for another request"
            raise ApiError(409, "idempotency_conflict", text, "use a new key for a new request")
        return known

    def _remember(self, request: CallRequest, call_id: str) -> Placed:
        placed = Placed(call_id, request.fingerprint, trio.current_time())
        if request.key:
            self._placed[request.key] = placed
        return placed

    def _count(self, now_ms: int) -> None:
        if wait_ms := self._minute.wait_ms(now_ms):
            text = "too many calls were requested in one minute (outbound.calls_per_minute)"
            wait_s = math.ceil(wait_ms / 1000)
            raise ApiError(429, "api_rate", text, "try again after Retry-After", retry_after_s=wait_s)
        self._minute.count(now_ms)

    def _forget(self, now_s: float) -> None:
        while self._placed and next(iter(self._placed.values())).at_s <= now_s - KEPT_S:
            self._placed.popitem(last=False)
