"""Reading a leg to its end: through the poller where there is one, else by the reader's own waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from llcphone.wire.websocket_leg import WebSocketLeg

if TYPE_CHECKING:
    from llcphone.wire.leg import Leg, OnMessage
    from llcphone.wire.poller import Poller


async def read_all(leg: Leg, on_message: OnMessage, poller: Poller | None) -> NoReturn:
    """Give every message of a leg to ``on_message``, in order, until the leg ends.

    Raises:
        LegClosed: the leg has ended, and everything received before was given.
        Exception: whatever ``on_message`` raised.
    """
    while True:
        for message in await leg.receive():
            on_message(message)
        if poller is not None and isinstance(leg, WebSocketLeg):
            await leg.poll_with(poller, on_message)
