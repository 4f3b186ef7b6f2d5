"""The core of one call: its engine, the queue of events before it, and how its commands are obeyed.

``step`` is the only way into the engine. It is synchronous, so Trio cannot switch tasks inside it:
one event and all it causes is atomic, without locks. It is not re-entrant either: what arises while
it obeys (a leg lost by a failed send) is queued and handled after the present event's commands.

The tasks of a call know this file; ``run.py``, which starts them, is above them.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import trio

from llcphone.call.log_context import current_call
from llcphone.engine.call import CallEngine
from llcphone.engine.commands import SendPhone
from llcphone.engine.events import Born, EndReason
from llcphone.engine.note import Note
from llcphone.errors import JoinRefused, LegClosed
from llcphone.runtime.containment import kinds_of
from llcphone.runtime.log_lines import logger
from llcphone.twilio.media import Clear, MediaEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.call.codec import ModelCodec
    from llcphone.call.services import CallServices, EngineLike, Recording
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.commands import Command
    from llcphone.engine.events import Event
    from llcphone.twilio.media import PhoneMessage
    from llcphone.wire.leg import Leg


class Alarm:
    """When the deadline task wakes next: a cancel scope whose deadline every step moves, so nothing polls."""

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._engine_s = math.inf
        self._ping_s = math.inf

    def set(self, deadline_ms: int | None) -> None:
        """The engine's next deadline has moved."""
        at_s = math.inf if deadline_ms is None else deadline_ms / 1000
        if at_s != self._engine_s:
            self._engine_s = at_s
            self._move()

    def ping_at(self, at_s: float) -> None:
        """The keepalive of the model legs is due at this time."""
        self._ping_s = at_s
        self._move()

    async def sleep(self) -> None:
        """Wait until the alarm rings."""
        with trio.CancelScope(deadline=min(self._engine_s, self._ping_s)) as scope:
            self._scope = scope
            await trio.sleep_forever()
        self._scope = None

    def _move(self) -> None:
        if self._scope is not None:
            self._scope.deadline = min(self._engine_s, self._ping_s)


class PhoneWriter:
    """Writes to the phone's leg; messages that follow each other in one step leave in one kernel send."""

    def __init__(self, recording: Recording | None = None) -> None:
        self._recording = recording
        self.leg: Leg | None = None
        self.waiting: list[bytes] = []
        """Messages of the present step that have not been sent."""
        self._encoder: MediaEncoder | None = None

    def stream_started(self, stream_sid: str) -> None:
        """From now on messages can be written."""
        self._encoder = MediaEncoder(stream_sid)

    def write(self, message: PhoneMessage) -> None:
        """Let a message wait for ``flush``. ``Clear`` is sent at once, and drops unsent media."""
        if self._recording is not None:
            self._recording.sent(message)
        if isinstance(message, Clear):
            if self.waiting:
                self.flush()
            if self.leg is not None and self._encoder is not None:
                self.leg.drop_media_nowait()
                self.leg.send_nowait(self._encoder.clear())
        elif self._encoder is not None:
            self.waiting.append(self._encoder.encode(message))

    def flush(self) -> None:
        """Send what waits."""
        if self.leg is not None:
            self.leg.send_many_nowait(self.waiting, media=True)
        self.waiting.clear()


class CallCore:
    """One call's engine, and what its tasks share."""

    def __init__(self, setup: CallSetup, call_id: str, services: CallServices) -> None:
        self.services = services
        self.engine = CallEngine(setup)
        self.log = logger("llcphone.call", call=call_id)
        self.alarm = Alarm()
        self.phone = PhoneWriter(services.recording)
        self.model: Leg | None = None
        """Where the caller's frames go; None while no model leg is open."""
        self.codec: ModelCodec | None = None
        """How that leg is written."""
        self.bad_messages = 0
        self.fault: BaseException | None = None
        """What broke the call."""
        self.finished = False
        """No step does anything any more."""
        self._call_id = call_id
        self._tape = None if services.tape is None else services.tape(call_id, self.engine)
        self._decider: EngineLike = self._tape or self.engine
        self._obey: dict[type, Callable[[Any], None]] = {}
        self._nursery: trio.Nursery | None = None
        self._clock: Callable[[], float] = trio.current_time
        """The clock's own method: a shorter way than ``trio.current_time``, for every caller frame."""
        self._waiting: deque[Event] = deque((Born(),))
        self._stepping = False

    def obey(self, handlers: Mapping[type, Callable[[Any], None]]) -> None:
        """Say what each kind of command calls."""
        self._obey.update(handlers)

    def begin(self, nursery: trio.Nursery) -> None:
        """The call's nursery is open: handle the birth, and what came meanwhile."""
        self._nursery = nursery
        self._clock = trio.lowlevel.current_clock().current_time
        self._drain_waiting()

    # -- stepping ---------------------------------------------------------------------------

    def step(self, event: Event) -> None:
        """Handle one event and all it causes; after the end, nothing."""
        if self.finished or self.fault is not None:
            return
        self._waiting.append(event)
        if not self._stepping and self._nursery is not None:
            self._drain_waiting()

    def hear(self, payload: bytes) -> None:
        """The step of a caller's frame: straight from one kernel buffer to the other."""
        try:
            audio = self._decider.hear(payload, round(self._clock() * 1000))
            if audio is not None and self.model is not None and (codec := self.codec) is not None:
                self.model.send_nowait(codec.append_prefix + audio + codec.append_end)
        except Exception as exc:
            self._break(exc)

    def model_alive(self, leg: Leg) -> None:
        """A model leg said something that decides nothing; only the present one's life counts."""
        if leg is self.model:
            self._decider.model_alive(round(self._clock() * 1000))

    def now_ms(self) -> int:
        """The call's clock."""
        return round(self._clock() * 1000)

    def _drain_waiting(self) -> None:
        self._stepping = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                if asked := self._decider.handle(event, round(self._clock() * 1000)):
                    self._obey_all(asked)
        except Exception as exc:  # a fault in the engine ends the call, in whichever task it happened
            self._break(exc)
        finally:
            self._stepping = False
        self.alarm.set(self.engine.next_deadline_ms)

    def _obey_all(self, asked: list[Command]) -> None:
        """Obey in order; messages for the phone that follow each other are sent together."""
        phone = self.phone
        for command in asked:
            if isinstance(command, SendPhone):
                phone.write(command.message)
            elif isinstance(command, Note):
                self.observe(command)
            else:
                if phone.waiting:
                    phone.flush()
                self._obey[type(command)](command)
        if phone.waiting:
            phone.flush()

    def _break(self, exc: Exception) -> None:
        self._waiting.clear()
        if self.fault is None and self._nursery is not None:
            self.failed(exc)
            self._nursery.cancel_scope.cancel(reason="fault")

    def observe(self, note: Note) -> None:
        """Report to the call's owner what may be worth knowing."""
        if self.services.observe is not None:
            self.services.observe(note)

    # -- tasks ------------------------------------------------------------------------------

    def spawn(self, function: Callable[..., Any], *args: Any, name: str) -> None:
        """Start a task of this call."""
        if self._nursery is None:
            raise JoinRefused("the call has no nursery yet", "join the stream once the call runs")
        outside = current_call.set(self._call_id)  # a webhook's task may be the one that steps
        self._nursery.start_soon(function, *args, name=name)
        current_call.reset(outside)

    # -- the end ----------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The call has ended."""
        return self.finished or self.engine.ended is not None

    @property
    def reason(self) -> EndReason:
        """Why it has ended."""
        return EndReason.FAILED if self.fault is not None else self.engine.ended or EndReason.CANCELLED

    def cancel(self, reason: str) -> None:
        """End all tasks of the call."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel(reason=reason)

    def failed(self, fault: BaseException) -> None:
        """Something raised that ends the call as failed. The first one counts."""
        self.fault = self.fault or fault
        self.log_fault(fault)

    def log_fault(self, fault: BaseException) -> None:
        """Log types and places only: an exception's text may hold what the caller said."""
        self.log.error("call failed", extra={"errors": kinds_of(fault)})
        self.log.debug("call failed here", exc_info=fault)

    def close_tape(self) -> None:
        """End the tape of this call, if there is one."""
        if self._tape is not None:
            self._tape.close()

    def close_recording(self) -> None:
        """Nothing that follows is heard."""
        if self.services.recording is not None:
            self.services.recording.close()


MOST_BAD_IN_ROW = 10
"""Messages of a leg that cannot be read are counted and skipped; this many in a row end it."""
_PROTOCOL_ERROR = 1002


class BadMessageCount:
    """The unreadable messages of one leg."""

    def __init__(self, core: CallCore) -> None:
        self._core = core
        self.in_row = 0
        """The reader resets it after each message that it could read."""

    def one_more(self) -> None:
        """Count one; raises ``LegClosed`` when there are too many in a row."""
        self._core.bad_messages += 1
        self.in_row += 1
        if self.in_row >= MOST_BAD_IN_ROW:
            raise LegClosed(_PROTOCOL_ERROR, "unreadable messages") from None
