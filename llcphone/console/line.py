"""The line sockets: a page in a browser is a telephone of the simulated Twilio.

Each socket is one telephone, the first that is free: line 1 is the caller, or whoever is rung, and line 2 the
colleague of a transfer. A page that leaves hangs up. This module is imported only where there is a browser
telephone, as it needs the simulators.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeAlias

import attrs
import msgspec
import trio

from llcphone.console.delay_line import DelayLine
from llcphone.console.spoken import can_speak, spoken
from llcphone.sim import voices
from llcphone.sim.twilio import Callee, CallOver, Handset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llcphone.sim.model import ModelSimulator
    from llcphone.sim.twilio import SimCall, TwilioSimulator
    from llcphone.wire.leg import Leg

SPOKEN_LIMIT = 500
"""Characters of what is to be spoken."""
NUMBERS = ("+15551230001", "+15551230003")
"""Of the lines."""

# ---- what a page sends ------------------------------------------------------------------------------


class _Audio(msgspec.Struct):
    payload: bytes


class _Name(msgspec.Struct):
    name: str


class _Key(msgspec.Struct):
    digit: Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class _Up(msgspec.Struct, tag_field="event", tag=str.lower):
    """A message of a page."""


class Call(_Up):
    """Ring the server; "" is its own number."""

    to: str = ""


class Accept(_Up):
    """Pick up what rings."""


class Decline(_Up):
    """Do not."""


class Machine(_Up):
    """Pick up as an answering machine would."""


class Media(_Up):
    """20 ms from the microphone."""

    media: _Audio


class Mark(_Up):
    """All audio before this mark was heard, or dropped after a ``clear``."""

    mark: _Name


class Dtmf(_Up):
    """A key was pressed."""

    dtmf: _Key


class HangUp(_Up, tag="hangup"):
    """Hang up."""


class Dial(_Up):
    """What the party does that ``<Dial>`` rings."""

    outcome: Literal["answered", "busy", "no-answer", "over"]


class Line(_Up):
    """Say a recording of ``llcphone.sim.voices``."""

    name: str


class Speak(_Up):
    """Say these words, where this machine has a voice."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=SPOKEN_LIMIT)]


class Fault(_Up):
    """Something goes wrong on the way."""

    what: Literal["drop-stream", "lose-model", "delay"]
    ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 0
    """Of ``delay``: so much later does everything arrive from now on, in either direction."""


class Stats(_Up):
    """How the page's audio is doing."""

    queued_ms: float = 0
    underruns: int = 0
    out_latency_ms: float = 0


Up: TypeAlias = (
    Call | Accept | Decline | Machine | Media | Mark | Dtmf | HangUp | Dial | Line | Speak | Fault | Stats
)
_DECODER = msgspec.json.Decoder(Up)


# ---- the lines --------------------------------------------------------------------------------------


@attrs.frozen
class Cue:
    """What the person at the telephone may say next, as the simulated model only counts what is said."""

    text: str
    wav: str
    """The recording that says it, "" if there is none."""


@attrs.define(eq=False, kw_only=True)
class Lines:
    """The telephones of one simulated Twilio that browsers hold.

    ``callee`` is given to ``open_twilio``, so that calls placed by REST ring here; then ``twilio`` is set.
    """

    model: str
    """Which model answers, in words."""
    cues: Sequence[Cue] = ()
    call_id: Callable[[str], str] = attrs.field(default=lambda _: "")
    """llcphone's own id of a call, by Twilio's; "" if it has none."""
    names: Mapping[str, str] = attrs.field(factory=dict)
    """Who is reached at which number, for the page to show."""
    simulated: ModelSimulator | None = None
    """The model that answers, if it is a simulated one."""
    twilio: TwilioSimulator | None = None
    _open: dict[int, _Telephone] = attrs.field(factory=dict, init=False)

    def callee(self, number: str) -> Callee:
        """Who is called by this number: the first telephone that is not in use."""
        free = (line.handset for line in self._open.values() if not line.handset.busy)
        handset = next(free, None)
        return Callee(handset=handset) if handset is not None else Callee(outcome="no-answer")

    async def serve(self, leg: Leg, session: object = None) -> NoReturn:
        """Be the telephone network of one page, until it leaves.

        Raises:
            LegClosed: it did.
        """
        assert self.twilio is not None
        number = next(number for number in count(1) if number not in self._open)
        async with trio.open_nursery() as nursery:
            line = _Telephone(self, self.twilio, number, leg, nursery)
            self._open[number] = line
            try:
                line.greet()
                while True:
                    for message in await leg.receive():
                        line.take(message)
            finally:
                del self._open[number]
                line.leave()
                nursery.cancel_scope.cancel(reason="the page has left")


@attrs.define(eq=False)
class _Telephone:
    """One page's telephone."""

    lines: Lines
    twilio: TwilioSimulator
    number: int
    leg: Leg
    nursery: trio.Nursery
    handset: Handset = attrs.field(init=False)
    _call: SimCall | None = None
    _up: DelayLine[bytes] = attrs.field(init=False)
    _down: DelayLine[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._up = DelayLine(self._take_up, self.nursery)
        self._down = DelayLine(lambda text: self.leg.send_nowait(text.encode()), self.nursery)
        self.handset = Handset(self._down.put, names=self.lines.names)

    @property
    def call(self) -> SimCall | None:
        """The call it holds, or held last."""
        if self._call is None or self._call.log is not self.handset.log:
            calls = reversed(self.twilio.calls)
            self._call = next((call for call in calls if call.log is self.handset.log), None)
        return self._call

    @property
    def from_(self) -> str:
        """The number that its calls come from."""
        return NUMBERS[(self.number - 1) % len(NUMBERS)]

    def greet(self) -> None:
        """The socket is open."""
        self.handset.show(
            "ready",
            line=self.number,
            number=self.twilio.number,
            model=self.lines.model,
            speak=can_speak(),
            lines=[{"name": name, "text": text} for name, text in voices.CALLER.items()],
            cues=[attrs.asdict(cue) for cue in self.lines.cues],
            **{"from": self.from_},
        )

    def leave(self) -> None:
        """The socket is gone: whoever held the telephone has hung up."""
        self.handset.send = _nobody
        if (call := self.call) is not None:
            call.hang_up()

    def take(self, message: bytes) -> None:
        """A message of the page."""
        self._up.put(message)

    def _take_up(self, message: bytes) -> None:
        try:
            said: Up = _DECODER.decode(message)
            self._obey(said)
        except (ValueError, KeyError, RecursionError) as error:  # msgspec's are ValueErrors
            self._complain(f"the page sent a message that is invalid: {error}")

    def _complain(self, text: str) -> None:
        self.handset.show("error", code=0, text=text)

    def _obey(self, said: Up) -> None:
        handset = self.handset
        match said:
            case Media():
                handset.hear(said.media.payload)
            case Mark():
                handset.confirm(said.mark.name)
            case Call():
                self._ring(said.to or self.twilio.number)
            case Accept() | Decline() | Machine():
                handset.answer(type(said).__name__.lower())
                self.nursery.start_soon(self._show_id, name="console line id")
            case Dial():
                handset.answer(said.outcome)
            case HangUp() if (call := self.call) is not None:
                call.hang_up()
            case Dtmf() if (call := self.call) is not None:
                call.press(said.dtmf.digit)
            case Line() if (call := self.call) is not None:
                call.speak_nowait(voices.load(said.name))
            case Speak() if (call := self.call) is not None:
                self.nursery.start_soon(self._speak, call, said.text, name="console line voice")
            case Fault():
                self._fail(said)

    def _ring(self, to: str) -> None:
        if self.handset.busy:
            raise ValueError("a call while another one is held")
        self.twilio.ring_nowait(from_=self.from_, to=to, handset=self.handset)
        self.nursery.start_soon(self._show_id, name="console line id")

    async def _speak(self, call: SimCall, text: str) -> None:
        speech = await spoken(text)
        if speech is None:
            self._complain("typed words cannot be spoken here. Fix: install espeak-ng")
        else:
            call.speak_nowait(speech)

    def _fail(self, fault: Fault) -> None:
        match fault.what:
            case "delay":
                self._up.delay_s = self._down.delay_s = fault.ms / 1000
            case "drop-stream" if (call := self.call) is not None:
                call.drop()
            case "lose-model":
                self._lose_model(self.lines.simulated)

    def _lose_model(self, model: ModelSimulator | None) -> None:
        if model is None:
            self._complain("only a simulated model can be lost from here")
            return
        for session in model.sessions:
            if session.is_open and session.responses:  # a warm one has none yet
                session.reset()

    async def _show_id(self) -> None:
        """Once the server has the call, say which of its own it is."""
        if (call := self.call) is None:
            return
        with suppress(CallOver):
            await call.stream_started()
            if call_id := self.lines.call_id(call.sid):
                self.handset.show("id", call=call_id)


def _nobody(text: str) -> None:
    """The page has left: nobody is shown anything."""
