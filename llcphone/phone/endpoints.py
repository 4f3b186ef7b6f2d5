"""All endpoints of the model: which of them give sessions, as seen from all calls.

New calls begin at the first endpoint whose circuit breaker is closed. A breaker that is open asks its
endpoint every few seconds, so calls come back by themselves. Live calls are told whenever that changes, so
that one that loses its session tries the healthy ones first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.phone.breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.call.endpoint import Endpoint
    from llcphone.config.breaker import BreakerConfig
    from llcphone.engine.note import Note


class Endpoints:
    """The endpoints of ``config.endpoints``, by number, each with its circuit breaker."""

    def __init__(self, config: BreakerConfig, endpoints: Sequence[Endpoint]) -> None:
        """Take the settings of the breakers, and the endpoints by number."""
        self.all = tuple(endpoints)
        several = len(self.all) > 1
        self.breakers = tuple(
            CircuitBreaker(config, each.ask, number=number, several=several, changed=self._changed)
            for number, each in enumerate(self.all)
        )
        self._news = trio.Event()

    @property
    def first(self) -> Endpoint:
        """That of ``[realtime]``."""
        return self.all[0]

    @property
    def is_open(self) -> bool:
        """No endpoint gives sessions: new calls are not let in."""
        return all(each.is_open for each in self.breakers)

    @property
    def times_opened(self) -> int:
        """How often a breaker opened."""
        return sum(each.times_opened for each in self.breakers)

    @property
    def down(self) -> tuple[int, ...]:
        """Numbers of the endpoints that give no sessions."""
        return tuple(number for number, each in enumerate(self.breakers) if each.is_open)

    @property
    def troubles(self) -> dict[str, str]:
        """What is in the way of new calls: nothing while one endpoint gives sessions."""
        troubles = [trouble for each in self.all if (trouble := each.trouble)]
        return {"model endpoint": troubles[0]} if len(troubles) == len(self.all) else {}

    def ask_for(self, agents: Iterable[Agent]) -> None:
        """Ask for the settings of these agents instead."""
        agents = list(agents)
        for each in self.all:
            each.ask_for(agents)

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls: something happened in one."""
        for each in self.breakers:
            each.noted(call, note)

    def ended(self, call: Call) -> None:
        """A call has its record."""
        for each in self.breakers:
            each.ended(call)

    async def keep_asking(self) -> None:
        """Ask each endpoint, as ``Endpoint.keep_asking``."""
        async with trio.open_nursery() as nursery:
            for each in self.all:
                nursery.start_soon(each.keep_asking, name=f"dialect question {each.number}")

    async def keep_breakers(self) -> None:
        """Let open breakers ask their endpoints; until cancelled."""
        async with trio.open_nursery() as nursery:
            for number, each in enumerate(self.breakers):
                nursery.start_soon(each.run, name=f"breaker {number}")

    async def keep_telling(self, live: Callable[[], Iterable[Call]]) -> None:
        """Tell live calls which endpoints give no sessions, whenever that changes; until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            for call in live():
                call.endpoints_down(self.down)

    def _changed(self) -> None:
        self._news.set()
