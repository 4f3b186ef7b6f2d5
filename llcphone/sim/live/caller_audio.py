"""The input audio of a Live session, which is its clock; and what replaces it: mute and fixtures."""

from __future__ import annotations

import base64
import binascii
from array import array
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim import ulaw
from llcphone.sim.live.ear import WINDOW_BYTES
from llcphone.sim.live.formats import FIXTURE_RATE
from llcphone.sim.model.check import Refused
from llcphone.sim.model.hearing import WINDOW_MS

if TYPE_CHECKING:
    from llcphone.sim.live.ear import Ear
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.live.voice import Voice

Json = dict[str, Any]
LONGEST_FIXTURE_S = 30
_NO_SOUND = "Invalid 'audio'. Expected base64-encoded audio bytes, but got something else."


@attrs.define(eq=False)
class CallerAudio:
    """Takes the client's audio and makes the clock go on."""

    session: LiveState = attrs.field(repr=False)
    voice: Voice = attrs.field(repr=False)
    ear: Ear = attrs.field(repr=False)
    heard_s: float = 0.0
    """When audio was appended last, by Trio's clock."""
    _rest: bytes = b""
    """Input that is not a whole window yet."""
    _waiting: bytearray = attrs.field(factory=bytearray)
    """Whole windows that a clock in real time has not reached, in µ-law."""
    _fixture_id: str | None = None

    def start(self) -> None:
        """The session has started: the clock runs from now on."""
        self.heard_s = trio.current_time()
        if self.session.assumes.burst == "real time":
            self.session.spawn(self._run_in_real_time, name="clock")
        early, self._rest = self._rest, b""
        self._hear(early)

    def append(self, event: Json) -> None:
        """``session.input_audio.append``."""
        session = self.session
        audio = _decoded(event)
        if len(audio) % session.format.sample_bytes:
            raise _odd_bytes()
        session.appended_ms += len(audio) / session.format.bytes_per_ms
        self.heard_s = trio.current_time()
        if session.keep_audio:
            session.received_audio += audio
        is_burst = len(audio) >= 1_000 * session.format.bytes_per_ms
        if session.stage == "starting":
            self._rest += audio if session.assumes.early_audio == "kept" else b""
        elif not (is_burst and session.assumes.burst == "dropped"):
            self._hear(audio)

    def mute(self, event: Json) -> None:
        """``session.input_audio.mute`` and ``unmute``: the clock goes on all the same."""
        self.ear.muted = event["type"] == "session.input_audio.mute"
        answer = "muted" if self.ear.muted else "unmuted"
        self.session.send(f"session.input_audio.{answer}", event.get("event_id"))

    def play(self, event: Json) -> None:
        """``session.output_audio.fixture.play``: the voice is cut off, and the caller is not heard."""
        if self.voice.fixture is not None:
            raise Refused("fixture_playing", "A fixture is playing.")  # the code is ours
        if self.session.assumes.recordings == "refused" and self.session.format.kind != "audio/pcm":
            raise Refused("invalid_audio", "A fixture needs a session with PCM.", "audio")  # the code is ours
        audio = _decoded(event)
        if len(audio) % 2:
            raise _odd_bytes()
        if len(audio) > LONGEST_FIXTURE_S * FIXTURE_RATE * 2:
            complaint = f"A fixture may be at most {LONGEST_FIXTURE_S} seconds long."
            raise Refused("invalid_audio", complaint, "audio")
        self.voice.fall_silent()
        self.ear.deaf, self._fixture_id = True, event.get("event_id")
        self.voice.on_fixture_end = self._played
        sound = ulaw.encode(array("h", audio)[:: FIXTURE_RATE // 8000])
        is_heard = self.session.assumes.recordings != "silent"
        self.voice.fixture = bytearray(sound if is_heard else ulaw.SILENCE * len(sound))
        self.session.send("session.output_audio.fixture.playing", self._fixture_id)

    def _played(self) -> None:
        self.ear.deaf = False
        self.session.send("session.output_audio.fixture.played", self._fixture_id)

    # ---- the clock -------------------------------------------------------------------------------------

    def _hear(self, audio: bytes) -> None:
        """Take bytes in the session's format; the clock goes on by whole windows."""
        session, audio = self.session, self._rest + audio
        size = session.format.bytes_per_ms * WINDOW_MS
        whole = len(audio) - len(audio) % size
        self._rest = audio[whole:]
        heard = session.format.to_ulaw(audio[:whole])
        if session.assumes.burst == "real time":
            self._waiting += heard
            session.notify()
            return
        for at in range(0, len(heard), WINDOW_BYTES):
            self._go_on(heard[at : at + WINDOW_BYTES])

    def _go_on(self, window: bytes) -> None:
        if self.session.stage != "over":
            self.ear.listen(window)
            self.session.clock.advance(WINDOW_MS)

    async def _run_in_real_time(self) -> None:
        """A clock that no burst makes faster. A task of the session."""
        due_s = trio.current_time()
        while True:
            await self.session.until(lambda: self._waiting)
            due_s = max(due_s, trio.current_time())
            await trio.sleep_until(due_s)
            window = bytes(self._waiting[:WINDOW_BYTES])
            del self._waiting[:WINDOW_BYTES]
            self._go_on(window)
            due_s += WINDOW_MS / 1000


def _decoded(event: Json) -> bytes:
    try:
        return base64.b64decode(event["audio"], validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid_value", _NO_SOUND, "audio") from None


def _odd_bytes() -> Refused:
    return Refused("invalid_audio", "PCM16 audio must contain an even number of bytes", "audio")
