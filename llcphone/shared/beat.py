"""The one task by which a process is there: it beats, and writes what its calls have changed.

Everything that calls tell it is synchronous and only queued; no call waits for the database. What the others
have is read with each beat. While the database is away the beat is late: that is logged once, what is queued
waits, and what was read last goes on to hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger
from llcphone.shared import nodes, places, spend
from llcphone.shared.nodes import BEAT_S, LEASE_S, SILENT_S, Node, SeenNode, owner_of
from llcphone.store.database import NotDone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from llcphone.shared.places import Place
    from llcphone.store.database import Database

log = logger("llcphone.shared")

_LIMIT_S = 2.0
"""Longest beat."""
_GAP_S = 2.5
"""Beats further apart are not steady."""
_SOON_S = 0.2
"""What a call changes waits so long for more: its end, and a moment later Twilio's word about it."""


@attrs.define(eq=False)
class _News:
    """What is to be written."""

    places: dict[str, Place | None] = attrs.field(factory=dict)
    """By id; None: the call is over."""
    due_at: float = NEVER
    spent_usd: dict[str, float] = attrs.field(factory=dict)
    """By day; written with the next beat."""


@attrs.frozen
class _Seen:
    """What a beat has found."""

    nodes: Sequence[SeenNode]
    spent_usd: tuple[str, float]
    owner: SeenNode | None = None
    """Another process that has taken our name."""


class Beat:
    """Of one process."""

    def __init__(self, place: Database, node: Node) -> None:
        self.node = node
        self.seen: Sequence[SeenNode] = ()
        """All processes, at the last beat."""
        self.owner: SeenNode | None = None
        """Another process that has taken our name meanwhile."""
        self.seen_at = -math.inf
        """When `seen` was read, by Trio's clock."""
        self.steady_since = math.inf
        """Since when our beats have come in time: while they do not, other processes seem silent, too."""
        self.trouble = ""
        """Why the last beat failed; empty: it did not."""
        self.look: Callable[[], tuple[int, str]] = lambda: (0, node.state)
        """How many calls are live, and our state."""
        self._place = place
        self._held: dict[str, Place] = {}
        """Places that hold as long as we beat."""
        self._news = _News()
        self._sum = ("", 0.0)
        """Of the day of which something was spent last."""
        self._next_at = NOW
        self._limiter = trio.CapacityLimiter(1)
        self._background = BackgroundWriter(
            self._write, self._due, Faults(log), failed="a beat failed", pauses_s=(BEAT_S,), flush_s=_LIMIT_S
        )

    async def run(self) -> None:
        """Beat until cancelled, then write the rest."""
        async with self._background.opened("shared limits writer"):
            await trio.sleep_forever()

    # -- what calls tell: synchronous --------------------------------------------------------------

    def hold(self, place: Place) -> None:
        """A call counts from now on."""
        self.held(place)
        self._change(place.id, place)

    def held(self, place: Place) -> None:
        """The same of a place that is in the database already."""
        self._news.places.pop(place.id, None)
        if place.lasts_s is None:
            self._held[place.id] = place

    def release(self, id_: str) -> None:
        """A call is over; one that has no place does no harm."""
        self._held.pop(id_, None)
        self._change(id_, None)

    def _change(self, id_: str, place: Place | None) -> None:
        self._news.places[id_] = place
        self._news.due_at = min(self._news.due_at, trio.current_time() + _SOON_S)
        self._background.news()

    def has(self, id_: str) -> bool:
        """Whether this call has a place by us."""
        return id_ in self._held

    def spend(self, day: str, usd: float) -> None:
        """Calls of ours have cost this more."""
        self._news.spent_usd[day] = self._news.spent_usd.get(day, 0.0) + usd

    def spent_usd(self, day: str) -> float:
        """What the calls of all have cost on this day, as far as it is known here."""
        known_day, known_usd = self._sum
        return (known_usd if day == known_day else 0.0) + self._news.spent_usd.get(day, 0.0)

    @property
    def steady(self) -> bool:
        """Whether the other processes' beats can be judged by what was seen last."""
        fresh = trio.current_time() - self.seen_at <= _GAP_S
        return fresh and self.seen_at - self.steady_since >= SILENT_S

    @property
    def alive(self) -> int:
        """How many processes there were at the last beat, ours included."""
        others = [each for each in self.seen if each.life != self.node.life and each.silent_s < LEASE_S]
        return 1 + len(others)

    # -- writing -----------------------------------------------------------------------------------

    def _due(self) -> float:
        if self._background.leaving:
            return NOW if self._news.places or self._news.spent_usd else NEVER
        return min(self._next_at, self._news.due_at)

    async def _write(self) -> bool:
        news, self._news = self._news, _News()
        live, state = self.look()
        self.node = attrs.evolve(self.node, live=live, state=state)
        held = list(self._held.values())
        try:
            seen = await self._place.attempt(
                lambda db: self._beat(db, self.node, news, held), limit_s=_LIMIT_S, limiter=self._limiter
            )
        except NotDone as exc:
            self._put_back(news)
            self._failed(exc.error)
            return False
        self._found(seen)
        return True

    def _beat(self, db: Connection, node: Node, news: _News, held: Sequence[Place]) -> _Seen:
        there = nodes.beat(db, node)
        seen = nodes.seen(db)
        owner = None
        if not there and (owner := owner_of(seen, node)) is None:
            nodes.register(db, node)  # it was taken for dead
            places.hold(db, held, life=node.life)
        if gone := [id_ for id_, place in news.places.items() if place is None]:
            places.release(db, gone, life=node.life)
        places.hold(db, [place for place in news.places.values() if place is not None], life=node.life)
        for day, usd in news.spent_usd.items():
            spend.add(db, day, usd)
        day = spend.today()
        return _Seen(seen, (day, spend.sum_of(db, day)), owner)

    def _put_back(self, news: _News) -> None:
        self._news.places = news.places | self._news.places
        self._news.due_at = NOW if self._news.places else NEVER
        for day, usd in news.spent_usd.items():
            self.spend(day, usd)

    def _found(self, seen: _Seen) -> None:
        if self.trouble:
            log.info("the shared limits can be reached again")
        self.trouble = ""
        now = trio.current_time()
        if now - self.seen_at > _GAP_S:
            self.steady_since = now
        self.seen_at, self._next_at = now, now + BEAT_S
        self.seen, self._sum = seen.nodes, seen.spent_usd
        if seen.owner is not None and self.owner is None:
            fix = "give each process a server.node of its own, and stop one of them"
            log.error("another process has this node's name", extra={"node": self.node.name, "fix": fix})
        self.owner = seen.owner

    def _failed(self, error: str) -> None:
        if not self.trouble:
            what = "the shared limits cannot be reached: outbound calls are refused, inbound ones are let in"
            log.error(what, extra={"error": error})
        self.trouble, self.seen_at = error, -math.inf
