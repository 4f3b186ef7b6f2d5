"""The lobby: sockets that have not proven themselves, and which of them gives way.

Every accepted socket waits here until it has proven itself (a signature, the API's key, a media stream with a
token) or is closed. Whoever is proven leaves at once and is never counted: behind a proxy all come from one
address, honest callers and strangers alike.

When every place is taken, a newcomer gets the place of somebody from the address that holds most of them: of
one whose answer is out, else of the one that has owed its request longest, else of one that is being
answered. So nobody is ever turned away, an address takes places from itself first, and even from the address
of our own proxy slow sockets cannot keep the door shut: an honest client sends its request in one piece with
the first packet, a slow one is by nature the oldest.

What nobody has proven costs time as well as a place: `Allowance` is how much of it strangers get.
"""

from __future__ import annotations

from enum import IntEnum

import attrs
import trio


class Stage(IntEnum):
    """Where a socket stands; the lowest gives way first."""

    ANSWERED = 0
    """Our answer is out; it only has to read it."""
    OWES = 1
    """Owes us bytes of its request."""
    BEING_ANSWERED = 2


@attrs.define(eq=False)
class Place:
    """One socket in the lobby. ``scope`` is everything done for it; cancelling it closes it."""

    address: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    stage: Stage = Stage.OWES
    put_out: bool = False


@attrs.define(eq=False)
class Lobby:
    """At most ``total`` places."""

    total: int
    put_out: int = attrs.field(default=0, init=False)
    _held: dict[str, dict[Place, None]] = attrs.field(factory=dict, init=False)
    """Places by address, each in order of arrival."""
    _count: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str) -> Place:
        """A place for a newcomer."""
        if self._count >= self.total:
            crowded = max(self._held, key=lambda each: len(self._held[each]) + (each == address))
            self._put_out(min(self._held[crowded], key=lambda place: place.stage))
        place = Place(address)
        self._held.setdefault(address, {})[place] = None
        self._count += 1
        return place

    def leave(self, place: Place) -> None:
        """Free the place; harmless when it is no longer held."""
        neighbours = self._held.get(place.address, {})
        if place in neighbours:
            del neighbours[place]
            self._count -= 1
            if not neighbours:
                del self._held[place.address]

    def send_home(self) -> None:
        """Put out everybody who still owes a request: the door is closing."""
        everybody = [place for places in self._held.values() for place in places]
        for place in everybody:
            if place.stage is Stage.OWES:
                self._put_out(place)

    def _put_out(self, place: Place) -> None:
        self.put_out += 1
        place.put_out = True
        self.leave(place)
        place.scope.cancel(reason="the lobby is full")


@attrs.define(eq=False)
class Allowance:
    """Requests that nobody has signed: so many a second on average, at most ``burst`` at once.

    Each costs the HTTP stack one to two milliseconds, in which no frame of any call goes on; a refusal by the
    door costs a tenth of that. Nothing of an honest caller depends on it.
    """

    per_s: float = 20.0
    burst: float = 40.0
    _left: float = attrs.field(init=False)
    _at_s: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self.burst

    def take(self, now_s: float) -> bool:
        """Whether one more may be answered now."""
        self._left = min(self.burst, self._left + self.per_s * (now_s - self._at_s))
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
