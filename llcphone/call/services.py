"""What a call gets from its owner. A call knows neither phone nor server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs

from llcphone.engine.note import Note

if TYPE_CHECKING:
    from llcphone.call.record import CallRecord
    from llcphone.call.session_source import SessionSource
    from llcphone.config import Config
    from llcphone.engine.call import CallEngine
    from llcphone.engine.commands import Command
    from llcphone.engine.events import EndReason, Event
    from llcphone.twilio.media import PhoneMessage
    from llcphone.wire.poller import Poller

Observer = Callable[[Note], None]
StartTask = Callable[..., None]


class EngineLike(Protocol):
    """The engine, or a recorder in front of it."""

    def handle(self, event: Event, now_ms: int) -> list[Command]: ...
    def hear(self, payload: bytes, now_ms: int) -> bytes | None: ...
    def model_alive(self, now_ms: int) -> None: ...


class Tape(EngineLike, Protocol):
    """An engine that is being recorded."""

    def close(self) -> None: ...


class Recording(Protocol):
    """Takes what the stream carries, to write it down elsewhere."""

    def tap(self, on_message: Callable[[bytes], None]) -> Callable[[bytes], None]: ...
    def sent(self, message: PhoneMessage) -> None: ...
    def close(self) -> None: ...


Taping = Callable[[str, "CallEngine"], Tape]
"""Puts a recorder in front of the engine of the call with this id."""


@attrs.frozen(kw_only=True)
class CallServices:
    """What a call gets from its owner."""

    config: Config
    """With the agent's own settings."""
    sessions: SessionSource
    """Where its model legs come from."""
    on_record: Callable[[CallRecord], None]
    wall_clock: Callable[[], float]
    start_detached: StartTask
    """Starts a task that outlives the call."""
    dial: Callable[[], None] | None = None
    """Asks the carrier to ring the callee; None for calls that ring us."""
    observe: Observer | None = None
    on_loop_held: Callable[[str, int], None] | None = None
    """Called with the name of user code that blocked the event loop, and for how many ms."""
    on_over: Callable[[EndReason], None] | None = None
    """Called with the reason when the call has ended, before its sockets are closed."""
    poller: Poller | None = None
    """Reads the sockets of many calls at once; None: each reader waits for its own."""
    tape: Taping | None = None
    """None: its events and decisions are not kept."""
    recording: Recording | None = None
    """None: its sound is not recorded."""
