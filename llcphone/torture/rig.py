"""Both vendors around one bridge, and what a caller does and hears.

Every trial has a rig of its own: a fresh bridge, a fresh simulated Twilio, a fresh simulated Realtime API. So
trials cannot disturb each other but through the CPU, and whatever is open belongs to the trial.

Both simulators run in this process, on one clock. What the caller heard is the playout clock of the simulated
telephone: audio in its order and in real time, less what a ``clear`` threw away; never what was merely sent.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Unpack

import attrs
import trio

from llcphone.sim.model import Pace, open_model
from llcphone.sim.model.voice import babble
from llcphone.sim.ports import free_port
from llcphone.sim.twilio import open_twilio
from llcphone.torture.profile import ACCOUNT_SID, AUTH_TOKEN, Place, Profile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from llcphone.sim.model import ModelSession, ModelSimulator
    from llcphone.sim.model.script import Scripted
    from llcphone.sim.twilio import Ring, SimCall, TwilioSimulator
    from llcphone.torture.bridge import Bridge

FIELD_PACE = Pace(speed=10, first_audio_ms=50)
"""Ten seconds of audio leave in one: a bridge soon holds far more than was heard."""
SPEECH = babble(700)
"""What the caller says by default."""
POLL_S = 0.005
GREETING_S = 3.0
"""A bridge that has not greeted by then waits for the caller."""
ANSWER_S = 8.0
"""From the caller's last word to an answer, at the longest."""
QUIET_MS = 400
"""A silence of this length means that the agent is done."""


class GaveUp(Exception):
    """The caller waited for something that did not come; the text says for what."""


@contextmanager
def patience(seconds: float, what: str) -> Iterator[None]:
    """Wait no longer than this.

    Raises:
        GaveUp: it did not come.
    """
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise GaveUp(f"waited {seconds:g} s in vain for {what}")


async def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for what nothing announces."""
    with patience(seconds, what):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(POLL_S)


@attrs.define(eq=False)
class Caller:
    """One call, seen from the person who holds it and from the model that answers it."""

    rig: Rig
    sim: SimCall
    _session: ModelSession | None = None

    @property
    def session(self) -> ModelSession:
        """The model's end of this call; known once the caller's voice has arrived there."""
        assert self._session is not None
        return self._session

    @property
    def voiced_ms(self) -> float:
        """Agent voice heard so far."""
        return self.voiced_at(self.sim.log.now_ms)

    def voiced_at(self, at_ms: float) -> float:
        """Agent voice heard by a moment that is past."""
        return self.sim.playout.voiced(round(at_ms * 8)) / 8

    def ms(self, trio_s: float) -> float:
        """A moment of Trio's clock in milliseconds of this call."""
        return (trio_s - self.sim.log.born_at) * 1000

    @property
    def is_cut(self) -> bool:
        """The server has ended the stream or the call."""
        return self.sim.over or self.sim.stream is None or not self.sim.stream.is_open

    async def join(self) -> None:
        with patience(15, "the media stream"):
            await self.sim.stream_started()

    async def settle(self) -> None:
        """Hear the greeting to its end, if there is one, and find out which session answers."""
        await self.join()
        with trio.move_on_after(GREETING_S):
            await self.sim.hears()
        with patience(ANSWER_S, "the greeting's end"):
            await self.sim.silence_for(QUIET_MS)
        await until(self._find_session, 5, "the caller's audio at the model")

    def _find_session(self) -> bool:
        hearing = [
            each for each in self.rig.model.sessions if each.is_open and each.caller_audio.received_bytes
        ]
        taken = {caller._session for caller in self.rig.callers if caller is not self}
        self._session = next((each for each in reversed(hearing) if each not in taken), None)
        return self._session is not None

    async def ask(self, speech: bytes = SPEECH) -> None:
        """Say something, and wait until it has been said."""
        with patience(ANSWER_S + len(speech) / 8000, "the caller's own voice"):
            await self.sim.speak(speech)

    async def hears(self, seconds: float = 0.0) -> None:
        """Wait for the agent's voice, and for this much of it."""
        with patience(ANSWER_S + seconds, "an answer"):
            await self.sim.hears(seconds)

    async def is_spoken_to(self) -> None:
        """Hear whatever is said to its end."""
        await self.hears()
        with patience(30, "the answer's end"):
            await self.sim.silence_for(QUIET_MS)

    async def hang_up(self) -> None:
        self.sim.hang_up()
        with patience(10, "the end of the call"):
            await self.sim.ended()

    def told(self, kind: str, since_ms: float = 0.0) -> list[tuple[float, dict[str, Any]]]:
        """The model's client events of one type: (when in this call, event)."""
        events = [(self.ms(each.time_s), each.event) for each in self.session.received]
        return [(at, event) for at, event in events if at >= since_ms and event.get("type") == kind]


@attrs.define(eq=False)
class Rig:
    """One bridge between the vendors."""

    profile: Profile
    model: ModelSimulator
    twilio: TwilioSimulator
    bridge: Bridge
    idle_sessions: int = 0
    """Sessions that the bridge holds without any call (a pool)."""
    callers: list[Caller] = attrs.field(factory=list)

    def ring(self, **how: Unpack[Ring]) -> Caller:
        """Somebody rings; see ``llcphone.sim.twilio.Ring``."""
        caller = Caller(self, self.twilio.ring_nowait(**how))
        self.callers.append(caller)
        return caller

    async def ring_and_settle(self, **how: Unpack[Ring]) -> Caller:
        """A call in which it is the caller's turn."""
        caller = self.ring(**how)
        await caller.settle()
        return caller

    @property
    def sessions_left(self) -> int:
        """Model sessions beyond those of an idle bridge."""
        return self.model.live_sessions - self.idle_sessions

    @property
    def descriptors(self) -> int | None:
        """What the bridge has open; None where that cannot be known."""
        usage = self.bridge.usage()
        return None if usage is None else usage.descriptors

    def offers(self, session: ModelSession, count: int) -> bool:
        """Whether the session was given this many of the profile's slow tools."""
        names = {tool.get("name") for tool in session.config["tools"]}
        return len(self.profile.slow_tools) >= count and names >= set(self.profile.slow_tools[:count])

    async def become_idle(self) -> None:
        """Wait until the bridge opens no more sessions by itself (a dialect question, a pool)."""
        seen, quiet_s = -1, 0.0
        with trio.move_on_after(5):
            while quiet_s < 0.6:
                now = self.model.connections + len(self.model.sessions)
                quiet_s = quiet_s + 0.1 if now == seen else 0.0
                seen = now
                await trio.sleep(0.1)
        self.idle_sessions = self.model.live_sessions


@asynccontextmanager
async def open_rig(
    profile: Profile,
    start: Callable[[Profile, Place], AbstractAsyncContextManager[Bridge]],
    *,
    script: Scripted = None,
    pace: Pace = FIELD_PACE,
) -> AsyncIterator[Rig]:
    """Start a bridge between the simulators; ``start`` is ``bridge.start_process`` outside of tests."""
    port = profile.port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_model(script, profile.dialect, pace=pace) as model,
            open_twilio(
                webhook_url=profile.webhook,
                auth_token=AUTH_TOKEN,
                account_sid=ACCOUNT_SID,
                public_url=Place(port=port, model_url="", twilio_url="", folder="").public_url,
                connect_to=("127.0.0.1", port),
            ) as twilio,
        ):
            place = Place(port=port, model_url=model.url, twilio_url=twilio.api_url, folder=folder)
            async with start(profile, place) as bridge:
                rig = Rig(profile, model, twilio, bridge)
                await rig.become_idle()
                yield rig
                for caller in rig.callers:
                    caller.sim.hang_up()
                await trio.sleep(0.05)
