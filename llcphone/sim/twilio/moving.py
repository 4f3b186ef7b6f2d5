"""A call that is updated: its old media stream stops before its next webhook is asked, or after.

Twilio does not document the order; the two use different connections, so a server may see either
(``CallFaults.stop_late_s``). From the update on the old stream hears nothing, but its socket stays open until
the ``stop``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio.stream import Ending

if TYPE_CHECKING:
    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.stream import MediaStream


async def carry(call: SimCall, stream: MediaStream) -> None:
    """Run the stream until it has ended, or the call continues without it."""
    if call.faults.stop_late_s is None:
        await stream.run(call.mouth)
        return
    over = call.stream_over = trio.Event()
    call.in_background(_run, call, stream, over, name="sim stream")
    await over.wait()


async def _run(call: SimCall, stream: MediaStream, over: trio.Event) -> None:
    await stream.run(call.mouth)
    over.set()


def stop_left_stream(call: SimCall, after_s: float = 0.0) -> None:
    """Stop the stream that the call has left, this much later."""
    stream, call.left_stream = call.left_stream, None
    if stream is not None:
        call.in_background(_stop, stream, after_s, name="sim late stop")


async def _stop(stream: MediaStream, after_s: float) -> None:
    await trio.sleep(after_s)
    stream.finish(Ending.STOP)
