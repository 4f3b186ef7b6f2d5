"""What a phone counts together with the other nodes, when ``[shared]`` has a database.

Each limit is checked in this process first, then among all. Everything that calls tell is synchronous and
only queued; what has to be asked before a call begins is asked by the webhook's request, by the API's, or in
the dial task, each of which may wait. Without a database nothing here waits or does anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.shared.places import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.call.call import Call
    from llcphone.phone.calls import LiveCalls
    from llcphone.shared.shared import Shared


@attrs.define(eq=False)
class AllNodes:
    """The limits of all nodes, for the calls of this one."""

    _calls: LiveCalls
    shared: Shared | None = None
    """None: this process counts alone."""

    # -- inbound ------------------------------------------------------------------------------------

    @property
    def counts_inbound(self) -> bool:
        """Whether inbound calls have a limit among all nodes."""
        return self.shared is not None and self.shared.max_calls > 0

    async def take(self, call_sid: str) -> bool:
        """Whether there is a place for this inbound call; it is taken then."""
        return self.shared is None or not self.counts_inbound or await self.shared.take_place(call_sid)

    def not_born(self, call_sid: str) -> None:
        """No call has come of a place that was taken."""
        if self.shared is not None and self.counts_inbound and not self._calls.runs_of(call_sid):
            self.shared.beat.release(call_sid)

    def born(self, call: Call) -> None:
        """A run begins; one that nobody was asked for, such as a resumed one, counts too."""
        if self._is_counted(call) and self.shared is not None and not self.shared.beat.has(call.call_sid):
            self.shared.beat.hold(Place(call.call_sid))

    def ended(self, call: Call) -> None:
        """A run has its record."""
        if self._is_counted(call):
            self.not_born(call.call_sid)

    def _is_counted(self, call: Call) -> bool:
        return self.counts_inbound and call.direction != "outbound" and bool(call.call_sid)

    # -- outbound -----------------------------------------------------------------------------------

    @property
    def turn(self) -> Callable[[], Awaitable[None]] | None:
        """Waits until the next create may be sent, at the pace of all."""
        return None if self.shared is None else self.shared.turn

    async def reserve(self, call: Call) -> None:
        """Let this outbound call be placed, unless it was let already.

        Raises:
            DialRefused: a limit of all nodes is reached.
            StoreUnavailable: whether it is, is not known.
        """
        if self.shared is not None and not self.shared.beat.has(call.call_id):
            await self.shared.admit_call(call.call_id, call.dialled)

    async def admit_text(self, to: str) -> None:
        """Let a text message be sent to a caller.

        Raises:
            DialRefused, StoreUnavailable: as `reserve`.
        """
        if self.shared is not None:
            await self.shared.admit_text(to)

    def over(self, call_id: str) -> None:
        """An outbound call has its record, or was never placed."""
        if self.shared is not None and self.shared.beat.has(call_id):
            self.shared.beat.release(call_id)

    def goes_on(self, call_sid: str, lasts_s: float) -> None:
        """An outbound call outlives its run: it counts until it is over, for so long at most."""
        if self.shared is not None and call_sid:
            self.shared.beat.hold(Place(call_sid, outbound=True, lasts_s=lasts_s))

    def freed(self, call_sid: str) -> None:
        """That call is over, whichever process had it; one that is not known does no harm."""
        if self.shared is not None and call_sid:
            self.shared.beat.release(call_sid)
