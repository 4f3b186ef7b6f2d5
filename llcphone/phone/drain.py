"""A phone that stops: no new call, time for the live ones, a good-bye, the end.

until the limit less the good-bye   live calls continue and end by themselves
until the limit                     callers whom no other process resumes hear a good-bye
then                                the calls that are left are ended; their sockets get a moment to close
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.engine.events import EndReason, GoodbyeAsked
from llcphone.wire.leg import CLOSE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.config import Config
    from llcphone.phone.admission import Admission
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.warm_pool import WarmPool

_LOOK_S = 0.5
"""Between two looks at transfers that ring."""
_CLOSING_S = 2.0
"""How long calls may take to close their sockets after the drain limit."""


async def drain(
    calls: LiveCalls,
    admission: Admission,
    warm: WarmPool,
    config: Config,
    limit_s: float,
    *,
    awaited: Callable[[], bool] | None,
) -> None:
    """Returns when the last call has ended, at the latest ``_CLOSING_S`` and a close after the limit.

    ``awaited`` says whether a caller may still come back from a transfer that rings. It is None if another
    process resumes calls: that one takes the caller back, and no caller hears a good-bye.
    """

    async def wait_until_empty() -> None:
        await calls.wait_until_empty()
        while awaited is not None and awaited():
            await trio.sleep(_LOOK_S)
            await calls.wait_until_empty()

    admission.draining = True
    await warm.aclose()
    goodbye_s = config.drain.goodbye_s
    if goodbye_s >= limit_s:
        goodbye_s = 0.0
    with trio.move_on_after(limit_s - goodbye_s):
        await wait_until_empty()
    admission.closing = True
    if goodbye_s and awaited is not None:
        for call in calls.all():
            call.run.step(GoodbyeAsked(EndReason.DRAINED, round(goodbye_s * 1000)))
    with trio.move_on_after(goodbye_s):
        await wait_until_empty()
    for call in calls.all():
        call.end(EndReason.DRAINED)
    with trio.move_on_after(_CLOSING_S + CLOSE_TIMEOUT_S):
        await calls.wait_until_empty()
