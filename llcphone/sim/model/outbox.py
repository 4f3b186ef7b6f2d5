"""Outgoing events of a session: its dialect, and the faults that end what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.model.dialect import flatten
from llcphone.sim.model.outgoing import Outgoing
from llcphone.sim.model.schema import Dialect
from llcphone.sim.model.xai import spell

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.model.faults import Faults
    from llcphone.sim.model.profile import Profile

Json = dict[str, Any]


@attrs.define(eq=False)
class Outbox(Outgoing):
    """Translates events into the dialect of the session."""

    faults: Faults
    dialect: Dialect = attrs.field(kw_only=True)
    profile: Profile = attrs.field(kw_only=True)
    _deltas: int = attrs.field(default=0, init=False)

    def send(self, event: Json) -> None:
        """Send a GA-shaped event in the session's dialect."""
        full: Json = {"type": event["type"], "event_id": self.event_id()} | event
        if "response" in full and not self.profile.metadata:
            full["response"] = full["response"] | {"metadata": None}
        wire: Json | None = flatten(full) if self.dialect is Dialect.FLAT else full
        if self.dialect is Dialect.XAI:
            wire = spell(full)
        if wire is not None and event["type"] not in self.profile.unsent:
            self.put(wire)
        if event["type"] == "response.output_audio.delta":
            self._deltas += 1
            self._fault_after_delta()

    async def fault_timers(self) -> None:
        """Faults that come by the clock. A task of the session."""
        faults = self.faults
        async with trio.open_nursery() as nursery:
            for delay_s, action in (
                (faults.stall_after_s, self.link.stall),
                (faults.reset_after_s, self.link.reset),
                (faults.close_after_s, self._close),
            ):
                if delay_s is not None:
                    nursery.start_soon(_later, delay_s, action, name="sim model fault timer")

    def _fault_after_delta(self) -> None:
        """Queued behind the delta, so it has left when the fault strikes."""
        if self._deltas == self.faults.stall_after_deltas:
            self.link.then(self.link.stall)
        if self._deltas == self.faults.reset_after_deltas:
            self.link.then(self.link.reset)
        if self._deltas == self.faults.close_after_deltas:
            self._close()

    def _close(self) -> None:
        self.link.close(self.faults.close_with)


async def _later(delay_s: float, action: Callable[[], None]) -> None:
    await trio.sleep(delay_s)
    action()
