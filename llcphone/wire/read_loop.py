"""Reading a leg to its end: through the hub where there is one, else by the reader's own waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from llcphone.wire.websocket_leg import WebSocketLeg

if TYPE_CHECKING:
    from llcphone.wire.leg import Leg, Take
    from llcphone.wire.poller import Hub


async def read_all(leg: Leg, take: Take, hub: Hub | None) -> NoReturn:
    """Give every message of a leg to ``take``, in order, until the leg ends.

    Raises:
        LegClosed: the leg has ended, and everything received before was given.
        Exception: whatever ``take`` raised.
    """
    while True:
        for message in await leg.receive():
            take(message)
        if hub is not None and isinstance(leg, WebSocketLeg):
            await leg.lend(hub, take)
