"""A call that is updated: its old media stream stops before its next webhook is asked, or after.

Which of the two Twilio does is not documented; they use different connections, so a server may see either.
From the update on nobody listens at the old stream, though its socket stays open until the ``stop``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim.phone.stream import Ending

if TYPE_CHECKING:
    from llcphone.sim.phone.call import SimCall
    from llcphone.sim.phone.stream import MediaStream


@attrs.define(eq=False)
class Moving:
    """The late ``stop`` of one call's streams (``CallFaults.stop_late_s``)."""

    _over: trio.Event = attrs.field(factory=trio.Event)
    """The present stream has ended, or the call goes on without it."""
    _left: MediaStream | None = None

    async def carry(self, call: SimCall, stream: MediaStream) -> None:
        """Let the stream live until it has ended, or the call goes on without it."""
        if call.faults.stop_late_s is None:
            await stream.run(call.mouth)
            return
        self._over = trio.Event()
        call.in_background(self._run, call, stream, self._over, name="sim stream")
        await self._over.wait()

    @staticmethod
    async def _run(call: SimCall, stream: MediaStream, over: trio.Event) -> None:
        await stream.run(call.mouth)
        over.set()

    def leave(self, call: SimCall, stream: MediaStream) -> None:
        """The call is updated: it goes on at once, and the stream is stopped when somebody says so."""
        self._left = stream
        stream.leave(call.mouth)
        self._over.set()

    def stop_old(self, call: SimCall, after_s: float = 0.0) -> None:
        """Stop the stream that the call has left, so much later."""
        if (stream := self._left) is not None:
            self._left = None
            call.in_background(_stop, stream, after_s, name="sim late stop")


async def _stop(stream: MediaStream, after_s: float) -> None:
    await trio.sleep(after_s)
    stream.finish(Ending.STOP)
