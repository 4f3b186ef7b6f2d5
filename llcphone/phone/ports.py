"""What those who watch a phone ask of it: metrics, traces, the server room, and stand-ins in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.breaker import CircuitBreaker
    from llcphone.phone.day_budget import DayBudget
    from llcphone.phone.loop_monitor import LoopMonitor
    from llcphone.phone.phone import OnNote
    from llcphone.phone.warm_pool import WarmPool


class Watched(Protocol):
    """What is asked of the phone (`llcphone.phone.phone.Phone`)."""

    @property
    def config(self) -> Config: ...
    @property
    def draining(self) -> bool: ...
    @property
    def loop_monitor(self) -> LoopMonitor: ...
    @property
    def breaker(self) -> CircuitBreaker: ...
    @property
    def day_budget(self) -> DayBudget: ...
    @property
    def warm(self) -> WarmPool | None: ...
    @property
    def observers(self) -> list[OnNote]: ...
    @property
    def on_end(self) -> list[Callable[[Call], None]]: ...
    def calls(self) -> list[Call]: ...
    def ready(self) -> list[str]: ...
