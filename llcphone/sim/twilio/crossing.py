"""A call from the account to its own number: two calls, each of which hears what the other says."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim.twilio.call import CallOver, SimCall
from llcphone.sim.twilio.mouth import Mouth
from llcphone.sim.twilio.playout import SAMPLES_PER_MS

if TYPE_CHECKING:
    from llcphone.sim.twilio.steps import Callee, RingOut


@attrs.define
class CrossedMouth(Mouth):
    """Says what is heard at the other end."""

    other: SimCall | None = None
    _at: int | None = None
    """Up to which sample of the other call's time it has been said."""

    def _next_payload(self, frame: int) -> str:
        size = self.frame_ms * SAMPLES_PER_MS
        if self.other is None or self.other.over:
            return super()._next_payload(frame)
        begin = self.other.log.now - size if self._at is None else self._at
        self._at = begin + size
        audio = self.other.playout.between(begin, begin + size)
        if not audio.strip(b"\xff"):
            return super()._next_payload(frame)
        return base64.b64encode(audio).decode()


async def ring_own_number(call: SimCall, other: SimCall, step: RingOut) -> Callee:
    """Ring until the call that arrives is answered; the callee as it turned out."""
    for mouth, hears in ((call.mouth, other), (other.mouth, call)):
        assert isinstance(mouth, CrossedMouth)
        mouth.other = hears
    call.in_background(_end_together, call, other, name="sim end of both calls")
    outcome = "no-answer"
    with trio.move_on_after(step.timeout_s):
        try:
            await other.picked_up()
            outcome = "answers"
        except CallOver:
            outcome = "busy"
    if outcome == "no-answer":
        other.hang_up()
    return attrs.evolve(step.callee, outcome=outcome, ring_s=0.0)


async def _end_together(one: SimCall, other: SimCall) -> None:
    async with trio.open_nursery() as nursery:

        async def until_over(call: SimCall) -> None:
            await call.ended()
            nursery.cancel_scope.cancel()

        nursery.start_soon(until_over, one)
        nursery.start_soon(until_over, other)
    one.hang_up()
    other.hang_up()
