"""What those who watch a phone ask of it: metrics, traces, the server room, and stand-ins in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.breaker import Breaker
    from llcphone.call.handle import Call
    from llcphone.config import Config
    from llcphone.phone import OnNote
    from llcphone.pulse import Pulse
    from llcphone.spending import Spending
    from llcphone.warm import WarmPool


class Watched(Protocol):
    """What is asked of the phone (`llcphone.phone.Phone`)."""

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
