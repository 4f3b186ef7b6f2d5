"""The legs to the model: the present one, and during a renewal its successor.

Each is a task of its own (``openai reader``) and has a *leg number*. Which of them is the
present one, only the engine decides: with ``ConnectModel`` the next, with ``SwitchModel`` the successor
that is ready as a replacement. Everything here is synchronous, because it is part of a step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from llcphone.call.model_leg import ModelLeg

if TYPE_CHECKING:
    from llcphone.call.codec import ModelCodec
    from llcphone.call.core import CallCore
    from llcphone.engine import commands
    from llcphone.realtime.messages import ModelMessage
    from llcphone.wire.leg import Leg


class ModelLegs:
    """The model legs of one call; sets ``core.model``, where the caller's frames go."""

    def __init__(self, core: CallCore) -> None:
        self._core = core
        self._legs: dict[int, ModelLeg] = {}
        """Those that are being opened or read, by leg number."""
        self._leg_number = 0

    # -- obeying ----------------------------------------------------------------------------

    def connect(self, command: commands.ConnectModel) -> None:
        """Open the leg that is the present one from now on."""
        self._leg_number = command.leg_number
        self._start(command)
        self._choose()

    def close(self, command: commands.CloseModel) -> None:
        """Close a leg, open or still connecting."""
        self._close(command.leg_number, "replaced")
        self._choose()

    def stand_by(self, command: commands.ConnectStandby) -> None:
        """Open the successor's leg; only ``SendStandby`` sends to it."""
        self._start(command)

    def send_standby(self, command: commands.SendStandby) -> None:
        """Send to the successor."""
        leg = self._legs.get(command.leg_number)
        if leg is not None and leg.leg is not None and leg.codec is not None:
            _send(leg.leg, leg.codec, command.message)

    def switch(self, command: commands.SwitchModel) -> None:
        """Let the successor be the present leg from now on, and close the one before."""
        self._close(self._leg_number, "renewed")
        self._leg_number = command.leg_number
        self._choose()

    def send(self, command: commands.SendModel) -> None:
        """Send to the present leg; without one the message is dropped."""
        present, codec = self._core.model, self._core.codec
        if present is not None and codec is not None:
            _send(present, codec, command.message)

    def remember_unsupported(self, command: commands.RememberUnsupported) -> None:
        """The endpoint of a leg does not understand something: later calls will not try it."""
        leg = self._legs.get(command.leg_number)
        if leg is not None and leg.unsupported is not None:
            leg.unsupported.remember(command.name)

    # -- the legs ---------------------------------------------------------------------------

    def keepalive(self) -> None:
        """Ping the legs that are due."""
        now = trio.current_time()
        legs = [each.leg for each in self._legs.values() if each.leg is not None]
        self._core.alarm.ping_at(min((leg.keepalive_nowait(now) for leg in legs), default=math.inf))

    def _changed(self) -> None:
        """A leg is open, or no longer."""
        self._choose()
        self.keepalive()

    def _choose(self) -> None:
        """Let the caller's frames go to the present leg, if it is open."""
        present = self._legs.get(self._leg_number)
        leg, codec = (None, None) if present is None else (present.leg, present.codec)
        self._core.model, self._core.codec = leg, codec

    def _start(self, command: commands.ConnectModel | commands.ConnectStandby) -> None:
        leg = self._legs[command.leg_number] = ModelLeg(command.leg_number, self._core, self._changed)

        async def read() -> None:
            await leg.run(command.endpoint, command.dialect, command.after_ms)
            self._legs.pop(command.leg_number, None)

        self._core.spawn(read, name="openai reader")

    def _close(self, leg_number: int, reason: str) -> None:
        if (leg := self._legs.pop(leg_number, None)) is not None:
            leg.close(reason)


def _send(leg: Leg, codec: ModelCodec, message: ModelMessage) -> None:
    """Send what this leg's API has a form for."""
    if (payload := codec.encode(message)) is not None:
        leg.send_nowait(payload)
