"""One call is one nursery.

``CallRun.run`` opens it when the call is born and leaves it when the engine says ``EndCall``, when
it is cancelled from outside, or when something in it raises; on every way out both sockets are
closed (bounded), tools are cancelled, and one record leaves by ``on_record``, synchronously.

``step`` is the only door into the engine. It is synchronous, so Trio cannot switch tasks inside it:
one event and all it causes is atomic, without locks. It is not re-entrant either: what arises while
it obeys (a leg lost by a failed send) is queued and handled after the present event's commands.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from llcphone.call.log_context import current_call
from llcphone.call.model_legs import ModelLegs
from llcphone.call.phone_leg import read_phone
from llcphone.call.record import make_record
from llcphone.call.session_source import Warmth
from llcphone.call.supervisor import Alarm, supervise
from llcphone.call.tools import ToolRunner, run_hook
from llcphone.engine import commands
from llcphone.engine.call import CallEngine
from llcphone.engine.events import Born, EndAsked, EndReason, Event, HangUpAsked, PhoneLegLost, StreamJoined
from llcphone.engine.notes import Note
from llcphone.errors import JoinRefused
from llcphone.realtime.dialects import append_audio
from llcphone.runtime.containment import contained, kinds_of
from llcphone.runtime.log_lines import logger
from llcphone.twilio.media import Clear, MediaEncoder, StreamStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.agent import Agent
    from llcphone.call.services import CallServices, Decider
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.resumed import Resumed
    from llcphone.engine.status import CallStatus, SpokenLine
    from llcphone.tools.call_handle import CallHandle
    from llcphone.wire.leg import Leg


class CallRun:
    """The tasks and sockets of one call."""

    def __init__(
        self,
        setup: CallSetup,
        *,
        agent: Agent,
        identity: Mapping[str, str],
        handle: CallHandle,
        services: CallServices,
    ) -> None:
        self.agent = agent
        self.handle = handle
        self.engine = CallEngine(setup)
        self._tape = None if services.tape is None else services.tape(identity["call_id"], self.engine)
        self._decider: Decider = self._tape or self.engine
        self.setup = setup
        self.alarm = Alarm()
        self.log = logger("llcphone.call", call=identity["call_id"])
        self.dialects = services.dialects
        self.dial_model = services.dial_model
        self.warmth = Warmth(services.take_warm)
        self.close_timeout_s = services.close_timeout_s
        self.wall_clock = services.wall_clock
        self.poller = services.poller
        self.switchboard = services.switchboard
        self.bad_messages = 0
        self._services = services
        self.tools = ToolRunner(self, services)
        self._identity = dict(identity)
        self._nursery: trio.Nursery | None = None
        self._joined = trio.Event()
        self._clock: Callable[[], float] = trio.current_time
        """Trio's clock without the way to it, for the line that runs fifty times a second."""
        self._phone: Leg | None = None
        self._to_phone: MediaEncoder | None = None
        self.models = ModelLegs(self)
        self._waiting: deque[Event] = deque((Born(),))
        self._stepping = False
        self._fault: BaseException | None = None
        self._over = False
        self._obey: dict[type, Callable[[Any], None]] = {
            commands.SendModel: self.models.send,
            commands.ConnectModel: self.models.connect,
            commands.ConnectStandby: self.models.stand_by,
            commands.SendStandby: self.models.send_standby,
            commands.SwitchModel: self.models.switch,
            commands.CloseModel: self.models.close,
            commands.RememberDialect: lambda command: self.dialects.remember(command.dialect),
            commands.Dial: self._dial,
            commands.RunTool: self.tools.start,
            commands.RunHook: self._run_hook,
            commands.EndCall: self._end,
        }

    # -- the nursery ------------------------------------------------------------------------

    async def run(self) -> None:
        """Live from birth to record. Only cancellation and interrupts leave here."""
        born_at, began = self._services.wall_clock(), trio.current_time()
        self._clock = trio.lowlevel.current_clock().current_time
        current_call.set(self._identity["call_id"])
        try:
            with contained() as failure:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(read_phone, self, name="twilio reader")
                    nursery.start_soon(supervise, self, name="supervisor")
                    self._drain_waiting()
            if failure.error is not None:  # our bug, or the user's hook: this call only
                self._fault = self._fault or failure.error
                self._log_fault(failure.error)
        finally:
            self._over = True
            for close in (self._close_unread_phone, self._close_tape):
                with contained() as failure:
                    close()
                if failure.error is not None:
                    self._log_fault(failure.error)
            self._leave_record(born_at, trio.current_time() - began)

    def _leave_record(self, born_at: float, duration_s: float) -> None:
        reason = EndReason.FAILED if self._fault is not None else self.engine.ended
        write = partial(
            make_record,
            identity={**self._identity, "call_sid": self.handle.call_sid},
            reason=reason or EndReason.CANCELLED,
            born_at=born_at,
            duration_s=duration_s,
            bad_messages=self.bad_messages,
            warmth=self.warmth,
            transcript=self._services.transcript,
            tools=self.tools.done,
        )
        with contained() as failure:
            record = write(self.engine)
        if failure.error is not None:  # a fault may leave the engine in any state: then one without details
            self._log_fault(failure.error)
            record = write(CallEngine(self.setup))
        self._services.on_record(record)

    @property
    def phone_leg(self) -> Leg | None:
        """The media stream's leg, once one has joined."""
        return self._phone

    def _close_unread_phone(self) -> None:
        """A leg that joined in the very moment the call ended still belongs to us."""
        if self._phone is not None:
            self._phone.abort()

    def _close_tape(self) -> None:
        if self._tape is not None:
            self._tape.close()

    def _log_fault(self, fault: BaseException) -> None:
        # Types and places only: an exception's text may hold what the caller said.
        self.log.error("call failed", extra={"errors": kinds_of(fault)})
        self.log.debug("call failed here", exc_info=fault)

    # -- the one door into the engine -------------------------------------------------------

    def step(self, event: Event) -> None:
        """One event and all it causes; after the end, nothing."""
        if self._over or self._fault is not None:
            return
        self._waiting.append(event)
        if not self._stepping and self._nursery is not None:
            self._drain_waiting()

    def hear(self, payload: bytes) -> None:
        """The step of a caller's frame: straight from one kernel buffer to the other."""
        try:
            audio = self._decider.hear(payload, round(self._clock() * 1000))
            if audio is not None and (model := self.models.present) is not None:
                model.send_nowait(append_audio(audio))
        except Exception as exc:
            self._break(exc)

    def _drain_waiting(self) -> None:
        self._stepping = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                if asked := self._decider.handle(event, _now_ms()):
                    self._obey_all(asked)
        except Exception as exc:  # a fault in the engine ends the call, whichever task met it
            self._break(exc)
        finally:
            self._stepping = False
        self.alarm.set(self.engine.next_deadline_ms)

    def _obey_all(self, asked: list[commands.Command]) -> None:
        """Obey in order; neighbours for the phone leave in one kernel send."""
        phone: list[bytes] = []
        for command in asked:
            if isinstance(command, commands.SendPhone):
                if isinstance(command.message, Clear):
                    self._clear(phone)
                elif self._to_phone is not None:
                    phone.append(self._to_phone.encode(command.message))
            elif isinstance(command, Note):
                self._note(command)
            else:
                if phone:
                    self._flush_phone(phone)
                self._obey[type(command)](command)
        self._flush_phone(phone)

    def _break(self, exc: Exception) -> None:
        self._waiting.clear()
        if self._fault is None and self._nursery is not None:
            self._fault = exc
            self._log_fault(exc)
            self._nursery.cancel_scope.cancel(reason="fault")

    # -- obeying ----------------------------------------------------------------------------

    def _flush_phone(self, messages: list[bytes]) -> None:
        if messages and self._phone is not None:
            self._phone.send_many_nowait(messages, media=True)
        messages.clear()

    def _clear(self, messages: list[bytes]) -> None:
        self._flush_phone(messages)
        if self._phone is not None and self._to_phone is not None:
            self._phone.drop_media_nowait()
            self._phone.send_nowait(self._to_phone.clear())

    def _dial(self, command: commands.Dial) -> None:
        if self._services.dial is not None:
            self._services.dial()

    def _run_hook(self, command: commands.RunHook) -> None:
        hook = self.agent.start_hook if command.name == "start" else self.agent.digit_hook
        if hook is not None:
            self.spawn(run_hook, self, command, name=f"hook {command.name}")

    def _note(self, note: Note) -> None:
        if self._services.observe is not None:
            self._services.observe(note)

    def _end(self, command: commands.EndCall) -> None:
        if self._services.on_over is not None:
            self._services.on_over(command.reason)
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel(reason=command.reason.value)

    # -- what the tasks tell ----------------------------------------------------------------

    def spawn(self, function: Callable[..., Any], *args: Any, name: str) -> None:
        """Start a task of this call."""
        if self._nursery is None:
            raise JoinRefused("the call has no nursery yet")
        outside = current_call.set(self._identity["call_id"])  # a webhook's task may be the one that steps
        self._nursery.start_soon(function, *args, name=name)
        current_call.reset(outside)

    # -- what others may know ---------------------------------------------------------------

    @property
    def status(self) -> CallStatus:
        """The call at this moment."""
        return self.engine.status()

    def lines(self) -> tuple[SpokenLine, ...]:
        """The conversation as it is heard at this moment."""
        return self.engine.lines(_now_ms())

    def kept(self) -> Resumed:
        """What another run of this call must know if this one ended here."""
        return self.engine.kept(_now_ms())

    # -- joining ----------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The call has ended."""
        return self._over or self.engine.ended is not None

    def join(self, leg: Leg) -> None:
        """Take the media stream's leg. Synchronous; from here on the call closes it.

        Raises:
            JoinRefused: a stream joined already, or the call is over.
        """
        if self._phone is not None or self.over:
            raise JoinRefused("this call takes no media stream now")
        self._phone = leg
        self._joined.set()
        self.step(StreamJoined())

    async def phone_joined(self) -> Leg:
        """Wait for the media stream."""
        await self._joined.wait()
        leg = self._phone
        assert leg is not None
        leg.attach(self.spawn, lambda end: self.step(PhoneLegLost(end.code)))
        return leg

    def stream_known(self, event: StreamStarted) -> None:
        """From now on messages for the phone can be written; an outbound call may learn its CallSid here."""
        self._to_phone = MediaEncoder(event.stream_sid)
        self.handle.call_sid = self.handle.call_sid or event.call_sid

    def hang_up(self) -> None:
        """End the call once the agent's last word was heard."""
        self.step(HangUpAsked())

    def end(self, reason: EndReason) -> None:
        """End the call now."""
        self.step(EndAsked(reason))


def _now_ms() -> int:
    return round(trio.current_time() * 1000)
