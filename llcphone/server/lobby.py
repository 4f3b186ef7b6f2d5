"""The lobby: sockets that have not proven themselves, and which of them gives way.

Every accepted socket waits here until it has sent a whole request (a place that *waits*) and
stays until that request is answered; a media stream leaves as soon as its signature and its
token were right, so streams are never counted: behind a proxy all of them come from one address.

When there are too many, the place that has waited longest is put out and the newcomer let in.
An honest client sends its request in one piece with the first packet, a slow one is by nature
the oldest: so slow sockets cannot keep the door shut, not even from the address of our own proxy.
"""

from __future__ import annotations

import attrs
import trio


@attrs.define(eq=False)
class Place:
    """One socket in the lobby. ``scope`` is everything done for it; cancelling it closes it."""

    address: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    waits: bool = True
    """Still owes us bytes of its request."""
    put_out: bool = False


@attrs.define(eq=False)
class Lobby:
    """At most ``total`` places in all, at most ``per_address`` that wait from one address."""

    total: int
    per_address: int
    put_out: int = attrs.field(default=0, init=False)
    turned_away: int = attrs.field(default=0, init=False)
    _places: dict[Place, None] = attrs.field(factory=dict, init=False)  # in order of arrival

    def __len__(self) -> int:
        return len(self._places)

    def enter(self, address: str) -> Place | None:
        """A place for a newcomer; None when every place is taken by a request being answered."""
        waiting = [place for place in self._places if place.waits]
        neighbours = [place for place in waiting if place.address == address]
        if len(neighbours) >= self.per_address:
            self._put_out(neighbours[0])
        elif len(self._places) >= self.total:
            if not waiting:
                self.turned_away += 1
                return None
            self._put_out(waiting[0])
        place = Place(address)
        self._places[place] = None
        return place

    def leave(self, place: Place) -> None:
        """Free the place; harmless when it is no longer held."""
        self._places.pop(place, None)

    def send_home(self) -> None:
        """Put out everybody who still owes a request: the door is closing."""
        for place in [place for place in self._places if place.waits]:
            self._put_out(place)

    def _put_out(self, place: Place) -> None:
        self.put_out += 1
        place.put_out = True
        self.leave(place)
        place.scope.cancel(reason="the lobby is full")
