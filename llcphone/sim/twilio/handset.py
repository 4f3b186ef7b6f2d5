"""A telephone in the hand of somebody outside, such as a page in a browser.

    handset = Handset(send=socket.send_nowait)
    call = await twilio.ring(handset=handset)
    handset.hear(frame)        # 20 ms from the microphone
    handset.confirm("m1")      # the audio before this mark has been heard

Everything else of the call is as for any simulated caller: signed webhook, TwiML, a signed stream, the same
strictness. The holder receives JSON texts: Twilio's ``media``, ``mark`` and ``clear`` as the server under
test sent them, and between them ``{"event": "carrier", "what": ...}``: what a caller hears of the network
itself, and the questions that a person answers, such as whether a telephone that rings is picked up.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.twilio.remote_ear import RemoteEar
from llcphone.sim.twilio.remote_mouth import FRAME_BYTES, RemoteMouth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.sim.twilio.record import CallLog

DIAL_CHOICES = {"answered": "completed", "busy": "busy", "no-answer": "no-answer"}
"""What the party that ``<Dial>`` rings may do, and its ``DialCallStatus``."""


@attrs.define(eq=False)
class Handset:
    """One telephone: it holds one call at a time."""

    send: Callable[[str], None]
    """Takes each JSON text for the holder; synchronous."""
    names: Mapping[str, str] = attrs.field(factory=dict)
    """Who is reached at which number, for the holder to read."""
    log: CallLog | None = None
    """Of the call it holds, or held last."""
    mouth: RemoteMouth | None = None
    ear: RemoteEar | None = None
    _answer: str = ""
    _answered: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    @property
    def busy(self) -> bool:
        """It holds a call that is not over."""
        return self.log is not None and self.log.record.ended_by is None

    # ---- the holder ----------------------------------------------------------------------------------

    def hear(self, audio: bytes) -> None:
        """A frame of the holder's voice: 20 ms of µ-law. Without a call it is lost.

        Raises:
            ValueError: it is of another length.
        """
        if len(audio) != FRAME_BYTES:
            raise ValueError(f"a frame has {FRAME_BYTES} bytes")
        if self.busy and self.mouth is not None:
            self.mouth.hear_nowait(audio)

    def confirm(self, mark: str) -> None:
        """The holder has heard all audio before this mark, or dropped it after a ``clear``."""
        if self.log is not None and self.ear is not None and self.ear.confirm(mark, self.log.now):
            self.log.changed.unpark_all()

    def answer(self, choice: str) -> None:
        """The holder answers the question that waits; without one, nothing happens."""
        self._answer = choice
        self._answered.unpark_all()

    # ---- for the simulator's own parts ---------------------------------------------------------------

    def take_up(self, log: CallLog, comfort_noise: bool, keep_audio: bool) -> tuple[RemoteMouth, RemoteEar]:
        """A call begins here; its mouth and its ear.

        Raises:
            RuntimeError: the telephone holds another call.
        """
        if self.busy:
            raise RuntimeError("this handset holds another call")
        log.on_show = self.show
        self.log = log
        self.mouth = RemoteMouth(log, FRAME_BYTES // 8, comfort_noise)
        self.ear = RemoteEar(keep_audio)
        self.show("state", call=log.record.call_sid, state="ringing", why="")
        return self.mouth, self.ear

    def show(self, what: str, **fields: Any) -> None:
        """Something the holder hears or sees of the network."""
        self.send(json.dumps({"event": "carrier", "what": what, **fields}))

    def relay(self, message: str) -> None:
        """A message of the server, as it came."""
        self.send(message)

    def hear_other(self, payload: str) -> None:
        """A frame of somebody else in the same conference, as base64."""
        if self.log is not None and self.ear is not None:
            self.ear.play(base64.b64decode(payload), self.log.now)
            self.send(json.dumps({"event": "media", "media": {"payload": payload}}))

    async def ring(self, call_sid: str, from_: str, to: str, limit_s: float) -> str:
        """Ring, for a call placed by REST: ``accept``, ``decline``, ``machine``, or "" if nobody answers."""
        fields = {"call": call_sid, "from": from_, "to": to}
        return await self._ask(("accept", "decline", "machine"), limit_s, "ring", **fields)

    async def dial(self, number: str, limit_s: float) -> str:
        """The party that ``<Dial>`` rings is played by the holder; its ``DialCallStatus``."""
        choice = await self._ask(tuple(DIAL_CHOICES), limit_s, "dial", to=number, name=self._name(number))
        return DIAL_CHOICES.get(choice, "no-answer")

    async def talk(self, number: str, limit_s: float) -> None:
        """Until the dialled party, played by the holder, hangs up."""
        await self._ask(("over",), limit_s, "dial", to=number, name=self._name(number))

    def _name(self, number: str) -> str:
        return self.names.get(number, "")

    async def _ask(self, choices: tuple[str, ...], limit_s: float, what: str, **fields: str) -> str:
        """Show a question and wait for an answer to it; "" when none comes in time."""
        self._answer = ""
        self.show(what, **fields, choices=choices)
        with trio.move_on_after(limit_s):
            while self._answer not in choices:
                await self._answered.park()
        return self._answer if self._answer in choices else ""
