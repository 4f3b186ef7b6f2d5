"""One run of a call is one nursery.

``CallRun.run`` opens it when the call is born and leaves it when the engine says ``EndCall``, when
it is cancelled from outside, or when something in it raises. In each case both sockets are
closed (bounded), tools are cancelled, and one record leaves by ``on_record``, synchronously.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from llcphone.call.core import CallCore
from llcphone.call.log_context import current_call
from llcphone.call.model_legs import ModelLegs
from llcphone.call.phone_leg import PhoneLeg
from llcphone.call.record import CallRecord
from llcphone.call.tools import ToolRunner
from llcphone.engine import commands
from llcphone.engine.call import CallEngine
from llcphone.engine.events import Tick
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.call.services import CallServices
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.resumed import Resumed
    from llcphone.engine.status import CallActivity, CallStatus, SpokenLine
    from llcphone.tools.call_handle import CallHandle
    from llcphone.wire.leg import Leg


class CallRun:
    """The tasks and sockets of one run of a call."""

    def __init__(self, setup: CallSetup, *, agent: Agent, handle: CallHandle, services: CallServices) -> None:
        self.setup = setup
        self.config = services.config
        self.agent = agent
        self._handle = handle
        self._services = services
        self._core = core = CallCore(setup, handle.call_id, services)
        self._phone = PhoneLeg(core, handle)
        self._models = models = ModelLegs(core)
        self._tools = ToolRunner(core, agent, handle)
        self._born = (0.0, 0.0)
        """Of the wall clock, and of Trio's."""
        self.join, self.step, self.spawn = self._phone.join, core.step, core.spawn
        self.approvals = self._tools.approvals
        core.obey(
            {
                commands.SendModel: models.send,
                commands.ConnectModel: models.connect,
                commands.ConnectStandby: models.stand_by,
                commands.SendStandby: models.send_standby,
                commands.SwitchModel: models.switch,
                commands.CloseModel: models.close,
                commands.RememberDialect: self._remember_dialect,
                commands.RememberUnsupported: models.remember_unsupported,
                commands.Dial: self._dial,
                commands.RunTool: self._tools.start,
                commands.RunHook: self._tools.start_hook,
                commands.EndCall: self._end,
            }
        )

    async def run(self) -> None:
        """Live from birth to record. Only cancellation and interrupts leave here."""
        core, self._born = self._core, (self._services.wall_clock(), trio.current_time())
        current_call.set(self._handle.call_id)
        try:
            with contained() as failure:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._phone.read, name="twilio reader")
                    nursery.start_soon(self._keep_deadlines, name="deadlines")
                    core.begin(nursery)
            if failure.error is not None:  # our bug, or the user's hook: this call only
                core.failed(failure.error)
        finally:
            core.finished = True
            for close in (self._abort_phone, core.close_tape, core.close_recording):
                with contained() as failure:
                    close()
                if failure.error is not None:
                    core.log_fault(failure.error)
            self._leave_record()

    async def _keep_deadlines(self) -> None:
        """Sleep until the engine's next deadline, or until a ping of the model legs is due; then step."""
        while True:
            await self._core.alarm.sleep()
            self._models.keepalive()
            self._core.step(Tick())

    def _abort_phone(self) -> None:
        """A leg that joined in the very moment the call ended still belongs to us."""
        if self.phone_leg is not None:
            self.phone_leg.abort()

    def _leave_record(self) -> None:
        with contained() as failure:
            record = self._record(self._core.engine)
        if failure.error is not None:  # a fault may leave the engine in any state: then one without details
            self._core.log_fault(failure.error)
            record = self._record(CallEngine(self.setup))
        self._services.on_record(record)

    def _record(self, engine: CallEngine) -> CallRecord:
        call, sessions, status = self._handle, self._services.sessions, engine.status()
        born_at, born_s = self._born
        figures = engine.report()
        if not self._services.config.records.transcript:
            del figures["transcript"]
        return CallRecord(
            call_id=call.call_id,
            call_sid=call.call_sid,
            direction=call.direction,
            agent=self.agent.name,
            reason=self._core.reason,
            born_at=born_at,
            duration_s=round(trio.current_time() - born_s, 3),
            warm=sessions.warmth(status),
            warm_saved_ms=sessions.saved_ms(status),
            tools=self._tools.report(),
            bad_messages=self._core.bad_messages,
            **figures,
        )

    # -- obeying ----------------------------------------------------------------------------

    def _remember_dialect(self, command: commands.RememberDialect) -> None:
        self._services.sessions.endpoints[command.endpoint].dialects.remember(command.dialect)

    def _dial(self, command: commands.Dial) -> None:
        if self._services.dial is not None:
            self._services.dial()

    def _end(self, command: commands.EndCall) -> None:
        self._core.close_recording()
        if self._services.on_over is not None:
            self._services.on_over(command.reason)
        self._core.cancel(command.reason.value)

    # -- for the call's owner ---------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The call has ended."""
        return self._core.over

    @property
    def status(self) -> CallStatus:
        """The call at this moment."""
        return self._core.engine.status()

    @property
    def activity(self) -> CallActivity:
        """What an onlooker sees of it beside the status."""
        return self._core.engine.activity()

    def lines(self, last: int | None = None, *, skip: int = 0) -> tuple[SpokenLine, ...]:
        """The conversation as it is heard at this moment, or its last lines, without ``skip`` at the end."""
        return self._core.engine.lines(self._core.now_ms(), last, skip=skip)

    def turns(self, last: int, *, skip: int = 0) -> tuple[dict[str, Any], ...]:
        """The agent's last turns, as in the record, without ``skip`` at the end."""
        return self._core.engine.turns(last, skip=skip)

    def record_so_far(self) -> CallRecord:
        """What the record would be if the call ended now."""
        return self._record(self._core.engine)

    def kept(self) -> Resumed:
        """What another run of this call must know if this one ended here."""
        return self._core.engine.kept(self._core.now_ms())

    @property
    def phone_leg(self) -> Leg | None:
        """The media stream's leg, once one has joined."""
        return self._core.phone.leg
