"""The line sockets: a page in a browser is a telephone of the simulated Twilio.

Each socket is one telephone, the first that is free: line 1 is the caller, or whoever is rung, and line 2 the
colleague of a transfer. A page that leaves hangs up. This module is imported only where there is a browser
telephone, as it needs the simulators.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.console import line_messages as page
from llcphone.console.delay_line import DelayLine
from llcphone.console.spoken import can_speak, spoken
from llcphone.errors import LegClosed
from llcphone.sim import voices
from llcphone.sim.twilio import Callee, CallOver, Handset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llcphone.sim.model import ModelSimulator
    from llcphone.sim.twilio import SimCall, TwilioSimulator
    from llcphone.wire.leg import Leg

CALLS_KEPT = 20
"""Of calls that are over; each holds what was said and heard, 16 KB for a second."""
LEAVING_S = 5.0
SPEECH_WAITING_MS = 60_000
TEXTS_WAITING = 8
COMPLAINT_LIMIT = 300
"""Characters: what is wrong with a message may quote it."""
NUMBERS = ("+15551230001", "+15551230003")
"""Of the lines."""


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
        if self.twilio is not None:
            self.twilio.forget_calls(CALLS_KEPT)
        free = (line.handset for line in self._open.values() if not line.handset.busy)
        handset = next(free, None)
        return Callee(handset=handset) if handset is not None else Callee(outcome="no-answer")

    async def serve(self, leg: Leg, session: object = None) -> None:
        """Be the telephone network of one page, until it leaves; then its call is over, too."""
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
            except LegClosed:
                pass
            finally:
                del self._open[number]
                nursery.cancel_scope.cancel(reason="the page has left")
                await line.leave()


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
    _voice: trio.Lock = attrs.field(factory=trio.Lock)
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
            lines=[
                {"name": name, "text": text, "ms": len(voices.load(name)) // 8}
                for name, text in voices.CALLER.items()
            ],
            cues=[attrs.asdict(cue) for cue in self.lines.cues],
            **{"from": self.from_},
        )

    async def leave(self) -> None:
        """The socket is gone: whoever held the telephone has hung up. Returns when the network knows it."""
        self.handset.send = _nobody
        if (call := self.call) is not None:
            call.hang_up()
            with trio.move_on_after(LEAVING_S, shield=True):
                await call.ended()

    def take(self, message: bytes) -> None:
        """A message of the page."""
        self._up.put(message)

    def _take_up(self, message: bytes) -> None:
        try:
            self._obey(page.read(message))
        except (ValueError, KeyError) as error:  # KeyError: no such recording
            self._complain(f"the page sent a message that is invalid: {error}")

    def _complain(self, text: str) -> None:
        self.handset.show("error", code=0, text=text[:COMPLAINT_LIMIT])

    def _obey(self, said: page.Up) -> None:
        handset = self.handset
        match said:
            case page.Media():
                handset.hear(said.media.payload)
            case page.Mark():
                handset.confirm(said.mark.name)
            case page.Call():
                self._ring(said.to or self.twilio.number)
            case page.Accept() | page.Decline() | page.Machine():
                handset.answer(type(said).__name__.lower())
                self.nursery.start_soon(self._show_ids, name="console line ids")
            case page.Dial():
                handset.answer(said.outcome)
            case page.HangUp() if (call := self.call) is not None:
                call.hang_up()
            case page.Dtmf() if (call := self.call) is not None:
                call.press(said.dtmf.digit)
            case page.Line() if (call := self.call) is not None:
                self._say(call, voices.load(said.name))
            case page.Speak() if (call := self.call) is not None:
                if self._voice.statistics().tasks_waiting >= TEXTS_WAITING:
                    raise ValueError("more typed words than can be spoken")
                self.nursery.start_soon(self._speak, call, said.text, name="console line voice")
            case page.Fault():
                self._fail(said)

    def _ring(self, to: str) -> None:
        if self.handset.busy:
            raise ValueError("a call while another one is held")
        self.twilio.forget_calls(CALLS_KEPT)
        self.twilio.ring_nowait(from_=self.from_, to=to, handset=self.handset)
        self.nursery.start_soon(self._show_ids, name="console line ids")

    async def _speak(self, call: SimCall, text: str) -> None:
        async with self._voice:  # in the order in which they were typed
            speech = await spoken(text)
        if speech is None:
            self._complain("typed words cannot be spoken here. Fix: install espeak-ng")
        else:
            self._say(call, speech)

    def _say(self, call: SimCall, speech: bytes) -> None:
        if call.mouth.queued_ms > SPEECH_WAITING_MS:
            self._complain("more than a minute of speech waits to be said")
        else:
            call.speak_nowait(speech)

    def _fail(self, fault: page.Fault) -> None:
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

    async def _show_ids(self) -> None:
        """With each stream, say which call of the server's it is: one that continues there has a new id."""
        if (call := self.call) is None:
            return
        with suppress(CallOver):
            for stream in count(1):
                await call.stream_started(stream)
                if call_id := self.lines.call_id(call.sid):
                    self.handset.show("id", call=call_id)


def _nobody(text: str) -> None:
    """The page has left: nobody is shown anything."""
