"""The mouth of a caller who is somebody outside: each frame is sent on as it arrives.

The server under test still sees fifty frames a second. Frame ``n`` is due ``n`` times 20 ms after the call
began; one that is 60 ms late is replaced by silence, one that comes 60 ms early is dropped, as happens to a
burst after a pause. So jitter costs nothing, and a mouth that falls silent is a telephone in a tunnel.

What is to be said here (a recording, spoken text) takes the place of what arrives meanwhile.
"""

from __future__ import annotations

import base64
from collections import deque

import attrs
import trio

from llcphone.sim.twilio.mouth import Mouth
from llcphone.sim.twilio.playout import SAMPLES_PER_MS
from llcphone.sim.ulaw import DECODED

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * SAMPLES_PER_MS
LATE_S = 0.06
"""Longest wait for a frame that is due."""
EARLY_S = 0.06
"""A frame that comes so long before it is due is dropped."""

_POWER = [sample * sample for sample in DECODED]
_LOUD = FRAME_BYTES * 412**2
"""-38 dB of full scale: a microphone is never digitally silent, and voicemail ends by silence."""


@attrs.define
class RemoteMouth(Mouth):
    """Sends what ``hear_nowait`` is given."""

    filled: int = 0
    """Frames of silence sent in place of late ones."""
    dropped: int = 0
    """Frames that came too early."""
    _arrived: deque[bytes] = attrs.field(factory=deque)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def run(self) -> None:
        """Send until cancelled."""
        self._silences = self._make_silences()
        began_at, began = trio.current_time(), self.log.now
        number = 0
        while True:
            audio = await self._frame_due(began_at + number * FRAME_MS / 1000)
            if audio is None:
                payload = self._silences[number % len(self._silences)]
            else:
                payload = base64.b64encode(audio).decode()
                self._keep(audio, began + number * FRAME_BYTES)
            number += 1
            await self._send(payload)

    def hear_nowait(self, audio: bytes) -> None:
        """A frame of 20 ms has arrived."""
        self._arrived.append(audio)
        self._news.unpark_all()

    def speak_nowait(self, audio: bytes) -> int:
        """See ``Mouth.speak_nowait``."""
        ticket = super().speak_nowait(audio)
        self._news.unpark_all()
        return ticket

    async def _frame_due(self, due: float) -> bytes | None:
        """The frame for this moment; None: none came in time."""
        while True:
            if self._frames:
                self._arrived.clear()
                await trio.sleep_until(due)
                if self._frames:  # the speech was not broken off meanwhile
                    return self._take_frame()
            while self._arrived:
                audio = self._arrived.popleft()
                if due - trio.current_time() <= EARLY_S:
                    return audio
                self.dropped += 1
            with trio.move_on_at(due + LATE_S) as wait:
                await self._news.park()
            if wait.cancelled_caught:
                self.filled += 1
                return None

    def _keep(self, audio: bytes, at: int) -> None:
        if not audio.strip(b"\xff\x7f"):
            return
        self._note_said(audio, at)
        if sum(map(_POWER.__getitem__, audio)) > _LOUD:
            self.last_said_at = at + len(audio)
        self.log.changed.unpark_all()
