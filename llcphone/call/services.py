"""What a call is given by whoever owns it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs

from llcphone.config.tools import ToolsConfig
from llcphone.engine.notes import Note

if TYPE_CHECKING:
    from llcphone.call.dialects import DialectMemory
    from llcphone.call.leaving import Switchboard
    from llcphone.call.model_leg import DialModel
    from llcphone.call.record import CallRecord
    from llcphone.call.session_source import TakeWarm
    from llcphone.engine.call import CallEngine
    from llcphone.engine.commands import Command
    from llcphone.engine.events import EndReason, Event
    from llcphone.wire.poller import Poller

Observer = Callable[[Note], None]
StartTask = Callable[..., None]


class Decider(Protocol):
    """The engine, or what stands before it."""

    def handle(self, event: Event, now_ms: int) -> list[Command]: ...
    def hear(self, payload: bytes, now_ms: int) -> bytes | None: ...


class Tape(Decider, Protocol):
    """An engine that is being recorded."""

    def close(self) -> None: ...


Taping = Callable[[str, "CallEngine"], Tape]
"""Puts a recorder before the engine of the call with this id."""


@attrs.frozen
class CallServices:
    """What a call is given by whoever owns it; it knows neither phone nor server."""

    dial_model: DialModel
    dialects: DialectMemory
    on_record: Callable[[CallRecord], None]
    wall_clock: Callable[[], float]
    start_detached: StartTask
    """Starts a task that outlives the call."""
    dial: Callable[[], None] | None = None
    """Asks the carrier to ring the callee; None for calls that ring us."""
    take_warm: TakeWarm | None = None
    """Asked before a model leg is dialled; None: there is no pool for this call."""
    tool_timeout_s: float = 15.0
    tools: ToolsConfig = attrs.field(factory=ToolsConfig)
    close_timeout_s: float = 1.0
    transcript: bool = False
    observe: Observer | None = None
    held: Callable[[str, int], None] | None = None
    """Told of code of the user's that held the event loop: its name, and for how many ms."""
    on_over: Callable[[EndReason], None] | None = None
    """Told why the call has ended before its sockets are closed."""
    switchboard: Switchboard | None = None
    """Sends callers elsewhere; None: nobody can."""
    poller: Poller | None = None
    """Who reads the sockets of many calls at once; None: each reader waits for its own."""
    tape: Taping | None = None
    """None: the call is not recorded."""
