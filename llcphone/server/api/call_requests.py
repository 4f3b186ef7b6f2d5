"""Requests that do something: each does it once only, and those for new calls are limited in a minute.

An ``Idempotency-Key`` names a request. A request that placed a call, or did something to one, is remembered
under its key for a day, so a client that lost our answer repeats the request, and no number is dialled twice.
A refused request did nothing and is not remembered: its key may be used again. What is done is synchronous,
so two requests with one key cannot both do it.

Nodes that share a database claim a key there before they place a call. What is done to a call is done in the
call's own process, and is remembered there only.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.dial_guard.guard import Window
from llcphone.errors import ConfigError, DialRefused, NotAdmitted, StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.server.api.errors import ApiError, refusal, store_unavailable
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.call.call import Call
    from llcphone.shared.shared import Shared

log = logger("llcphone.server.api")

KEPT_S = 86_400
_PENDING_S = 5
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

    @property
    def hashed_key(self) -> str:
        """The key as nodes share it."""
        return hashlib.sha256(self.key.encode()).hexdigest()


@attrs.define(eq=False)
class Placed:
    """A call, and the request that placed it or did something to it."""

    call_id: str
    fingerprint: bytes = attrs.field(repr=False)
    at_s: float
    answer: bytes = attrs.field(default=b"", repr=False)
    """What was answered; empty until that is known."""

    def check(self, request: CallRequest) -> Placed:
        """It itself.

        Raises:
            ApiError: it was another request.
        """
        if self.fingerprint != request.fingerprint:
            text = "this Idempotency-Key was used for another request"
            raise ApiError(409, "idempotency_conflict", text, "use a new key for a new request")
        return self


REQUESTS_PER_CALL = 2
"""Requests allowed per call of ``outbound.calls_per_minute``: each refused one may be corrected once."""


class CallRequests:
    """Does once what each request asks for."""

    def __init__(self, calls_per_minute: int, shared: Shared | None = None) -> None:
        self._shared = shared
        self._minute = Window(REQUESTS_PER_CALL * calls_per_minute, 60_000)
        self._placed: BoundedDict[str, Placed] = BoundedDict(KEPT)

    async def place(self, request: CallRequest, place_call: Callable[[], Awaitable[Call]]) -> Placed:
        """Place the call, unless this request has placed it already; alone, it waits for nothing of its own.

        Raises:
            ApiError: the key was used for another request, or the call is refused.
        """
        if (known := self._known(request)) is not None:
            return known
        if self._shared is None or not request.key:
            return self._remember(request, await self._place(place_call))
        if (known := await self._claim(request, self._shared)) is not None:
            return known
        try:
            call_id = await self._place(place_call)
        except BaseException:
            with trio.CancelScope(shield=True):  # bounded by the database's own deadline
                await self._shared.forget(request.hashed_key)
            raise
        return self._remember(request, call_id)

    async def answered(self, request: CallRequest, placed: Placed) -> None:
        """The request that placed this call has its answer, which other nodes give from now on, too."""
        if self._shared is not None and request.key:
            await self._shared.answered(request.hashed_key, placed.call_id, placed.answer.decode())

    async def _claim(self, request: CallRequest, shared: Shared) -> Placed | None:
        """What a node has answered to this request, in a day; None: nobody has got it but we."""
        try:
            found = await shared.claim(request.hashed_key, request.fingerprint.hex())
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if found is None:
            return None
        placed = Placed(found.call, bytes.fromhex(found.fingerprint), trio.current_time())
        placed.check(request).answer = found.answer.encode()
        if not found.answer:
            text = "a request with this Idempotency-Key is at work, or its node ended while it was"
            fix = (
                "ask again after Retry-After; if that does not help, see GET /calls before you use a new key"
            )
            raise ApiError(409, "idempotency_pending", text, fix, retry_after_s=_PENDING_S)
        return placed

    async def _place(self, place_call: Callable[[], Awaitable[Call]]) -> str:
        self._count(round(trio.current_time() * 1000))
        try:
            call = await place_call()
        except (DialRefused, NotAdmitted, ConfigError) as error:
            raise refusal(error) from None
        log.info("call placed over the API", extra={"call": call.call_id})
        return call.call_id

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
        return None if known is None else known.check(request)

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
