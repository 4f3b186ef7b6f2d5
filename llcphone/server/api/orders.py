"""The desk that takes orders for calls: each only once, and not too many in a minute.

An ``Idempotency-Key`` names an order. What placed a call is remembered under it for a day, so a client
that lost our answer asks again without ringing anybody twice. What was refused placed nothing and is
not remembered: the same key may be used again when the limit is over. Placing is synchronous, so two
requests with one key cannot both place a call.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.dial_guard.guard import Window
from llcphone.errors import ConfigError, DialRefused, NotAdmitted
from llcphone.runtime.log_lines import logger
from llcphone.server.api.errors import ApiError, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.call import Call

log = logger("llcphone.server.api")

KEPT_S = 86_400
KEPT = 10_000
"""Orders remembered; beyond, the oldest is forgotten before its day is over."""


@attrs.frozen
class Order:
    """A request for a call, as far as it can be repeated."""

    path: str
    body: bytes = attrs.field(repr=False)
    key: str = ""

    @property
    def fingerprint(self) -> bytes:
        """Two requests with one key must have one of these."""
        return hashlib.sha256(self.path.encode() + b"\0" + self.body).digest()


@attrs.define(eq=False)
class Placed:
    """A call that an order has placed."""

    call_id: str
    fingerprint: bytes = attrs.field(repr=False)
    at_s: float
    answer: bytes = attrs.field(default=b"", repr=False)
    """What was answered; empty until that is known."""


REQUESTS_PER_CALL = 2
"""Requests allowed per call of ``outbound.calls_per_minute``: each refused one may be corrected once."""


class Desk:
    """Takes orders."""

    def __init__(self, calls_per_minute: int) -> None:
        self._minute = Window(REQUESTS_PER_CALL * calls_per_minute, 60_000)
        self._placed: OrderedDict[str, Placed] = OrderedDict()

    def place(self, order: Order, place_call: Callable[[], Call]) -> Placed:
        """Place the call, unless this very order has placed it. Synchronous.

        Raises:
            ApiError: the key was used for another order, or the call is refused.
        """
        now_s = trio.current_time()
        self._forget(now_s)
        known = self._placed.get(order.key) if order.key else None
        if known is not None:
            if known.fingerprint != order.fingerprint:
                text = "this Idempotency-Key was used for another request"
                raise ApiError(409, "idempotency_conflict", text, "use a new key for a new call")
            return known
        self._count(round(now_s * 1000))
        try:
            call = place_call()
        except (DialRefused, NotAdmitted, ConfigError) as error:
            raise refusal(error) from None
        log.info("call placed over the API", extra={"call": call.call_id})
        placed = Placed(call.call_id, order.fingerprint, now_s)
        if order.key:
            self._placed[order.key] = placed
        return placed

    def _count(self, now_ms: int) -> None:
        if wait_ms := self._minute.wait_ms(now_ms):
            text = "as many calls were asked for in a minute as may be (outbound.calls_per_minute)"
            wait_s = math.ceil(wait_ms / 1000)
            raise ApiError(429, "api_rate", text, "ask again after Retry-After", retry_after_s=wait_s)
        self._minute.count(now_ms)

    def _forget(self, now_s: float) -> None:
        while self._placed:
            oldest = next(iter(self._placed.values()))
            if len(self._placed) <= KEPT and oldest.at_s > now_s - KEPT_S:
                return
            self._placed.popitem(last=False)
