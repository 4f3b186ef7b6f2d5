"""A phone that stops: no new call, time for the live ones, a good-bye, the end.

until the limit less the good-bye   live calls, born ones included, go on and end by themselves; callers
                                    who were away on a transfer come back to their agent
until the limit                     who is not resumed by another process hears a good-bye
then                                whoever is still there is ended; sockets get a moment to close
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.engine.events import EndReason, GoodbyeAsked

if TYPE_CHECKING:
    from llcphone.phone.phone import Phone

_CLOSING_S = 2.0
"""What calls get to close their sockets once the drain limit has passed."""


async def drain(phone: Phone, limit_s: float) -> None:
    """Returns when the last call has ended, at the latest ``_CLOSING_S`` and a close after the limit."""
    phone.draining = True
    if phone.warm is not None:
        await phone.warm.aclose()
    goodbye_s = phone.config.drain.goodbye_s
    if goodbye_s >= limit_s:
        goodbye_s = 0.0
    with trio.move_on_after(limit_s - goodbye_s):
        await phone.wait_until_empty()
    phone.closing = True
    if goodbye_s and not (phone.resumption is not None and phone.resumption.goes_on(EndReason.DRAINED)):
        for call in phone.calls():
            call.run.step(GoodbyeAsked(EndReason.DRAINED, round(goodbye_s * 1000)))
    with trio.move_on_after(goodbye_s):
        await phone.wait_until_empty()
    for call in phone.calls():
        call.end(EndReason.DRAINED)
    with trio.move_on_after(_CLOSING_S + phone.config.call.close_timeout_s):
        await phone.wait_until_empty()
