"""What those who watch a phone ask of it: metrics, traces, the server room, and stand-ins in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.breaker import Breaker
    from llcphone.phone.day_budget import Spending
    from llcphone.phone.loop_monitor import Pulse
    from llcphone.phone.phone import OnNote
    from llcphone.phone.warm_pool import WarmPool


class Watched(Protocol):
    """What is asked of the phone (`llcphone.phone.phone.Phone`)."""

    @property
    def config(self) -> Config: ...
    @property
    def draining(self) -> bool: ...
    @property
    def pulse(self) -> Pulse: ...
    @property
    def breaker(self) -> Breaker: ...
    @property
    def spending(self) -> Spending: ...
    @property
    def warm(self) -> WarmPool | None: ...
    @property
    def observers(self) -> list[OnNote]: ...
    @property
    def on_end(self) -> list[Callable[[Call], None]]: ...
    def calls(self) -> list[Call]: ...
    def ready(self) -> list[str]: ...
