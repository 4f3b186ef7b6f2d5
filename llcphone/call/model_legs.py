"""The sockets to the model: the one that is spoken to, and during a renewal its successor.

Each is a task of its own (``openai reader``) and belongs to one *generation*. Which of them is the
present one, only the engine decides: with ``ConnectModel`` the next, with ``SwitchModel`` the successor
that stands by. Everything here is synchronous, for it is part of a step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call.model_leg import read_model
from llcphone.realtime.dialects import append_audio, encode
from llcphone.realtime.messages import AppendAudio

if TYPE_CHECKING:
    from llcphone.call.run import CallRun
    from llcphone.engine import commands
    from llcphone.realtime.dialects import Dialect
    from llcphone.wire.leg import Leg


@attrs.define(eq=False)
class _Open:
    """A leg that is being opened or read."""

    scope: trio.CancelScope
    leg: Leg | None = None
    dialect: Dialect | None = None


class ModelLegs:
    """The model legs of one call."""

    def __init__(self, call: CallRun) -> None:
        self._call = call
        self._open: dict[int, _Open] = {}
        self._generation = 0
        self._dialect: Dialect | None = None
        self.present: Leg | None = None
        """Where the caller's frames go; None while no leg is open."""

    # -- obeying ----------------------------------------------------------------------------

    def connect(self, command: commands.ConnectModel) -> None:
        """Open the leg that is spoken to from now on."""
        self._present(command.generation)
        self._read(command)

    def close(self, command: commands.CloseModel) -> None:
        """Close a leg, open or still connecting."""
        if (opened := self._open.pop(command.generation, None)) is not None:
            opened.scope.cancel(reason="replaced")
        if command.generation == self._generation:
            self.present = None

    def stand_by(self, command: commands.ConnectStandby) -> None:
        """Open the successor's leg; nothing is sent to it but ``SendStandby``."""
        self._read(command)

    def send_standby(self, command: commands.SendStandby) -> None:
        """To the successor."""
        opened = self._open.get(command.generation)
        if opened is not None and opened.leg is not None and opened.dialect is not None:
            opened.leg.send_nowait(encode(command.message, opened.dialect))

    def switch(self, command: commands.SwitchModel) -> None:
        """The successor is the present leg from now on; the one before it is closed."""
        if (former := self._open.pop(self._generation, None)) is not None:
            former.scope.cancel(reason="renewed")
        self._present(command.generation)

    def send(self, command: commands.SendModel) -> None:
        """To the present leg; without one it goes nowhere."""
        if self.present is not None and self._dialect is not None:
            message = command.message
            if isinstance(message, AppendAudio):
                self.present.send_nowait(append_audio(message.payload))
            else:
                self.present.send_nowait(encode(message, self._dialect))

    # -- what the readers tell --------------------------------------------------------------

    def connected(self, generation: int, leg: Leg, dialect: Dialect) -> None:
        """The leg of this generation is open, unless it was closed meanwhile."""
        if (opened := self._open.get(generation)) is not None:
            opened.leg, opened.dialect = leg, dialect
            if generation == self._generation:
                self._present(generation)
            self.keepalive()

    def gone(self, leg: Leg) -> None:
        """This leg takes nothing any more."""
        for opened in self._open.values():
            if opened.leg is leg:
                opened.leg = None
        if self.present is leg:
            self.present = None

    def keepalive(self) -> None:
        """Ping the legs that are due."""
        now = trio.current_time()
        legs = [opened.leg for opened in self._open.values() if opened.leg is not None]
        self._call.alarm.ping_at(min((leg.keepalive_nowait(now) for leg in legs), default=math.inf))

    # -- small parts ------------------------------------------------------------------------

    def _present(self, generation: int) -> None:
        self._generation = generation
        opened = self._open.get(generation)
        self.present, self._dialect = (None, None) if opened is None else (opened.leg, opened.dialect)

    def _read(self, command: commands.ConnectModel | commands.ConnectStandby) -> None:
        opened = self._open[command.generation] = _Open(trio.CancelScope())

        async def read() -> None:
            with opened.scope:
                await read_model(self._call, command)
            self._open.pop(command.generation, None)

        self._call.spawn(read, name="openai reader")
