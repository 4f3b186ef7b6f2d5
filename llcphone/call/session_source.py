"""Where the model legs of one call come from: the warm pool, or a dial.

The record says how warm the first session was, in a word and in milliseconds:

    pool     taken from the warm pool: connected before anybody called
    hit      made ready for this call before its media stream started
    joined   the stream started while the set-up was still going on, and waited for the rest of it
    cold     the set-up began again, or for the first time, with somebody on the line
    wasted   no media stream ever started

After a warm session that never answered, the call dials: if one idle session was lost on the way, the others
in the pool may be lost too, and with somebody on the line there is no time to try them one by one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.realtime.dialects import Dialect
from llcphone.runtime.log_lines import logger
from llcphone.wire.leg import Leg, Spawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llcphone.call.codec import ModelCodec
    from llcphone.engine.status import CallStatus

log = logger("llcphone.model")


class DialectMemory:
    """One endpoint's dialect question, answered once for the life of the process.

    The first task that needs the answer asks by connecting; others wait meanwhile for that question
    instead of asking again. Only a definite answer is remembered: an endpoint that could not be
    reached has said nothing about its dialect.
    """

    def __init__(self, answer: Dialect | None = None) -> None:
        self.answer = answer
        self._asking: trio.Event | None = None

    def remember(self, dialect: Dialect) -> None:
        """The endpoint has answered; waiting tasks continue."""
        self.answer = dialect
        if self._asking is not None:
            self._asking.set()
            self._asking = None

    async def resolve(self) -> Dialect | None:
        """The answer, waiting for a question in flight; None when the caller should ask."""
        while self.answer is None and self._asking is not None:
            await self._asking.wait()
        return self.answer

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Mark a question as in flight; leaving without an answer lets the next one ask."""
        if self.answer is not None or self._asking is not None:
            yield
            return
        mine = self._asking = trio.Event()
        try:
            yield
        finally:
            mine.set()
            if self._asking is mine:
                self._asking = None


@attrs.define(eq=False)
class UnsupportedMemory:
    """What one endpoint does not understand, by the names of ``realtime.unsupported``.

    It begins with the profile's. What the endpoint refuses is added for the life of the process, so that no
    later call tries it.
    """

    names: frozenset[str] = frozenset()
    _told: set[str] = attrs.field(factory=set, init=False)

    def remember(self, name: str) -> None:
        """The endpoint has refused this; the log says so once."""
        if name not in self.names:
            self.names |= {name}
        if name not in self._told:
            self._told.add(name)
            log.warning("the endpoint does not understand this: it is not sent again", extra={"what": name})


@attrs.frozen
class OpenLeg:
    """A leg that is open, and its own codec; its receiver owns and closes it."""

    leg: Leg
    codec: ModelCodec
    unsupported: UnsupportedMemory
    """Of its endpoint."""


@attrs.frozen
class WarmLeg(OpenLeg):
    """The leg of a session from the warm pool."""

    took_ms: int
    """How long it took to connect and configure it, while no caller waited."""


TakeWarm = Callable[["Dialect | None"], WarmLeg | None]
"""Takes a session out of the warm pool, in that dialect or in any; None when none fits. Synchronous."""
DialModel = Callable[[Dialect, Spawn], Awaitable[OpenLeg]]
"""Opens a model leg in a dialect; the phone passes it in with URL, key and transport bound."""


@attrs.frozen
class EndpointSource:
    """Where one call gets the legs of one endpoint."""

    dial: DialModel
    dialects: DialectMemory
    take_warm: TakeWarm | None = None
    """None: this endpoint has no pool for the call."""


@attrs.define(eq=False)
class SessionSource:
    """Where the model legs of one call come from."""

    endpoints: Sequence[EndpointSource]
    """By the engine's numbers of the endpoints."""
    _cold: bool = attrs.field(default=False, init=False)
    _took_ms: int | None = attrs.field(default=None, init=False)
    """Of the first session, if it came from the pool."""
    _unproven: bool = attrs.field(default=False, init=False)
    """The leg taken last has not said anything."""

    def take_warm(self, call: CallStatus, endpoint: int, dialect: Dialect | None) -> WarmLeg | None:
        """A leg to this endpoint is wanted: one from the pool if there is one, None to dial."""
        take = self.endpoints[endpoint].take_warm
        warm = None if take is None or self._unproven else take(dialect)
        self._unproven = self._unproven or warm is not None
        if call.ready_ms is None:  # the record describes the first session, not its replacements
            self._cold = call.cold
            self._took_ms = None if warm is None else warm.took_ms
        return warm

    def answered(self) -> None:
        """The present leg has said something."""
        self._unproven = False

    def warmth(self, call: CallStatus) -> str:
        """How the call met its session; see above."""
        if call.started_ms is None:
            return "wasted"
        if call.ready_ms is not None and self._took_ms is not None:
            return "pool"
        if self._cold:
            return "cold"
        ready_in_time = call.ready_ms is not None and call.ready_ms <= call.started_ms
        return "hit" if ready_in_time else "joined"

    def saved_ms(self, call: CallStatus) -> int:
        """How much of the set-up the person on the line did not wait for."""
        if call.ready_ms is None or call.started_ms is None or self.warmth(call) == "cold":
            return 0
        took_ms = call.ready_ms - call.born_ms if self._took_ms is None else self._took_ms
        return max(0, took_ms - max(0, call.ready_ms - call.started_ms))
