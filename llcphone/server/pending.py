"""Connections that are not authenticated yet, and which of them is closed when there are too many.

Every accepted socket is pending until it is authenticated (by Twilio's signature, by the API's key, or as a
media stream with a valid token) or closed. An authenticated connection leaves at once and is not counted:
behind a proxy all connections come from one address, whether they are honest or not.

When the limit is reached, a new connection replaces one of the address that has most of them. The order is:
one whose answer is sent, then the one that has been sending its request for longest, then one that is being
answered. So no newcomer is turned away, and a flood from one address replaces its own connections first.
Slow sockets cannot block the port, not even from the address of our own proxy: an honest client sends its
request in one piece with the first packet, so the oldest unfinished one is slow.

Requests without authentication cost time as well as sockets: `Allowance` limits how many are answered.
"""

from __future__ import annotations

from enum import IntEnum

import attrs
import trio


class Stage(IntEnum):
    """How far a connection is; the lowest is evicted first."""

    ANSWERED = 0
    """Our answer is sent; the client only has to read it."""
    READING = 1
    """The request has not arrived completely."""
    BEING_ANSWERED = 2


@attrs.define(eq=False)
class PendingConnection:
    """One socket that is not authenticated. Cancelling ``scope`` ends all its work and closes it."""

    address: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    stage: Stage = Stage.READING
    evicted: bool = False


@attrs.define(eq=False)
class PendingConnections:
    """At most ``total`` connections."""

    total: int
    _by_address: dict[str, dict[PendingConnection, None]] = attrs.field(factory=dict, init=False)
    """Each address's connections in order of arrival."""
    _count: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    def add(self, address: str) -> PendingConnection:
        """Count a new connection; evicts another one if the limit is reached."""
        if self._count >= self.total:
            crowded = max(self._by_address, key=lambda each: len(self._by_address[each]) + (each == address))
            self._evict(min(self._by_address[crowded], key=lambda connection: connection.stage))
        connection = PendingConnection(address)
        self._by_address.setdefault(address, {})[connection] = None
        self._count += 1
        return connection

    def remove(self, connection: PendingConnection) -> None:
        """Count this connection no longer; harmless when it is removed already."""
        same_address = self._by_address.get(connection.address, {})
        if connection in same_address:
            del same_address[connection]
            self._count -= 1
            if not same_address:
                del self._by_address[connection.address]

    def evict_all(self) -> None:
        """Close all connections whose request has not arrived: the port closes."""
        connections = [each for same_address in self._by_address.values() for each in same_address]
        for connection in connections:
            if connection.stage is Stage.READING:
                self._evict(connection)

    def _evict(self, connection: PendingConnection) -> None:
        connection.evicted = True
        self.remove(connection)
        connection.scope.cancel(reason="too many pending connections")


@attrs.define(eq=False)
class Allowance:
    """How many unauthenticated requests are answered: ``per_s`` on average, at most ``burst`` at once.

    Each costs the HTTP stack one to two milliseconds, in which no audio moves. A refusal by the listener
    costs a tenth of that. Authenticated requests do not need it.
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
