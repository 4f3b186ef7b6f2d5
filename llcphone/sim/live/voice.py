"""The output of a Live session: chunk after chunk, silence included, for as long as audio comes in."""

from __future__ import annotations

import base64
import re
from collections import deque
from itertools import cycle, islice
from typing import TYPE_CHECKING

import attrs

from llcphone.sim.live.formats import is_loud
from llcphone.sim.model.voice import spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.live.clock import Planned
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.model.script import Say

_QUIET = {"positive": b"\xff", "negative": b"\x7f", "noise": b"\xff\xfe\x7f\xfd\x7e\xff\x7d\xfe"}
_QUIET |= {"hiss": b"\xf3\xff\x73\x7f", "hum": b"\xeb\xff\x6b\x7f"}
_WORDS = re.compile(r"\s*\S{1,12}")
"""What one fragment of a transcript holds: a word, or a part of a script that has no spaces."""
_ULAW_PER_MS = 8


def fragments(words: str, start_ms: int, end_ms: int) -> list[tuple[str, int, int]]:
    """Words laid over a stretch of audio by their length: text, start and end of each."""
    parts: list[str] = _WORDS.findall(words)
    whole, done, laid = max(1, sum(map(len, parts))), 0, []
    for part in parts:
        at = start_ms + (end_ms - start_ms) * done // whole
        done += len(part)
        laid.append((part, at, start_ms + (end_ms - start_ms) * done // whole))
    return laid


@attrs.define(eq=False)
class Utterance:
    """Something the voice is going to say, says or has said."""

    text: str
    audio: bytes = attrs.field(repr=False)
    """µ-law."""
    not_before_ms: int
    begins_ms: int | None = None
    """The time of its first chunk; None while it waits."""
    said_bytes: int = 0
    words: list[Planned] = attrs.field(factory=list, repr=False)


@attrs.define(eq=False)
class Voice:
    """Makes a chunk every ``chunk_ms`` of the clock."""

    session: LiveState = attrs.field(repr=False)
    said: list[Utterance] = attrs.field(factory=list)
    """Every utterance that has begun, in order."""
    fixture: bytearray | None = None
    """A recording that plays instead of the voice, in µ-law."""
    on_fixture_end: Callable[[], None] | None = attrs.field(default=None, repr=False)
    _queue: deque[Utterance] = attrs.field(factory=deque)
    _current: Utterance | None = None
    _free_from_ms: int = 0
    """No utterance begins before this: there is a pause after each."""
    _held: list[bytes] = attrs.field(factory=list)
    _holding: bool = False

    @property
    def is_speaking(self) -> bool:
        """An utterance sounds, or the next one follows it after a pause."""
        current = self._current
        if current is not None and current.said_bytes:
            return True
        return bool(self._queue) and self._queue[0].not_before_ms <= self.session.clock.now_ms

    def start(self) -> None:
        """Begin the stream, which never ends."""
        session = self.session
        session.clock.after(session.pace.chunk_ms, self._tick)

    def say(self, step: Say, not_before_ms: int) -> Utterance:
        """Speak when this time has come and everything before it has been said."""
        if step.audio is None:
            step = self.session.reading.script.voice(step.text)
        utterance = Utterance(step.text, spoken(step.text, step.audio), not_before_ms)
        self._queue.append(utterance)
        return utterance

    def take_back(self, utterances: list[Utterance]) -> bool:
        """Do not say these, if no sound of them was sent; whether that was so. Words may have been."""
        if not utterances or any(each.said_bytes for each in utterances):
            return False
        for each in utterances:
            if each is self._current:
                self._forget_words()
                self._current = None
                self.said.remove(each)
            elif each in self._queue:
                self._queue.remove(each)
        return True

    def fall_silent(self) -> None:
        """Say nothing more of what is planned; words that were sent stay so."""
        self._queue.clear()
        if self._current is not None:
            self._forget_words()
            self._finish(self.session.clock.now_ms)

    def _forget_words(self) -> None:
        for planned in self._current.words if self._current is not None else ():
            planned.cancel()

    # ---- one chunk -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        session = self.session
        if session.stage == "over":
            return
        now_ms, chunk_ms = session.clock.now_ms, session.pace.chunk_ms
        size = chunk_ms * _ULAW_PER_MS
        self._begin(now_ms)
        if self.fixture is not None:
            speech = bytes(self.fixture[:size])
            del self.fixture[:size]
        else:
            speech = self._speech(now_ms, size)
        self._send(speech + self._silence(size - len(speech)), now_ms)
        if self.fixture is not None and not self.fixture:
            self.fixture = None
            if self.on_fixture_end is not None:
                self.on_fixture_end()
        session.clock.at(now_ms + chunk_ms, self._tick)

    def _begin(self, now_ms: int) -> None:
        """Choose the next utterance, and plan its words, a little before its sound."""
        session = self.session
        if session.faults.voiceless:
            self._queue.clear()
        if self._current is not None or not self._queue or self.fixture is not None:
            return
        chunk_ms, ahead_ms = session.pace.chunk_ms, session.pace.words_ahead_ms
        wanted_ms = max(self._queue[0].not_before_ms, self._free_from_ms)
        begins_ms = max(now_ms, -(-wanted_ms // chunk_ms) * chunk_ms)
        if begins_ms - now_ms > ahead_ms:
            return
        current = self._current = self._queue.popleft()
        current.begins_ms = begins_ms
        self.said.append(current)
        # The chunk that is sent at T holds the audio from T - chunk_ms on.
        audio_ms = begins_ms - chunk_ms
        for word, start_ms, end_ms in fragments(
            current.text, audio_ms, audio_ms + len(current.audio) // _ULAW_PER_MS
        ):
            sent_ms = start_ms + chunk_ms - (start_ms - audio_ms) % chunk_ms - ahead_ms
            self._plan_word(current, max(now_ms, sent_ms), word, start_ms, end_ms)

    def _plan_word(self, of: Utterance, due_ms: int, word: str, start_ms: int, end_ms: int) -> None:
        session, kind = self.session, "session.output_transcript.delta"

        def say() -> None:
            later_ms = session.assumes.words_later_ms
            session.send(kind, delta=word, start_ms=start_ms + later_ms, end_ms=end_ms + later_ms)

        if due_ms <= session.clock.now_ms:
            say()
        else:
            of.words.append(session.clock.at(due_ms, say))

    def _speech(self, now_ms: int, size: int) -> bytes:
        current = self._current
        if current is None or current.begins_ms is None or current.begins_ms > now_ms:
            return b""
        piece = current.audio[current.said_bytes : current.said_bytes + size]
        current.said_bytes += len(piece)
        if current.said_bytes >= len(current.audio):
            self._finish(now_ms)
        return piece

    def _finish(self, now_ms: int) -> None:
        current, self._current = self._current, None
        self._free_from_ms = now_ms + self.session.pace.chunk_ms + self.session.pace.pause_ms
        if current is not None:
            content = [{"type": "output_text", "text": current.text}]
            message = {"type": "message", "role": "assistant", "content": content}
            self.session.conversation.append(message)

    def _silence(self, size: int) -> bytes:
        return bytes(islice(cycle(_QUIET[self.session.assumes.quiet]), size))

    # ---- sending ---------------------------------------------------------------------------------------

    def _send(self, chunk: bytes, now_ms: int) -> None:
        session = self.session
        faults = session.faults
        if faults.stop_chunks_after_ms is not None and now_ms > faults.stop_chunks_after_ms:
            return
        if is_loud(chunk):
            session.loud_out.append(now_ms)
        audio = session.format.from_ulaw(chunk)
        if session.keep_audio:
            session.sent_audio += audio
        self._held.append(audio)
        every_ms = faults.hold_every_ms
        if every_ms and now_ms % every_ms < session.pace.chunk_ms and now_ms >= every_ms:
            self._holding = True
            session.clock.at(now_ms + faults.hold_ms, self._release)
        if not self._holding:
            self._release()

    def _release(self) -> None:
        """Send all that was held back, at once."""
        self._holding = False
        held, self._held = self._held, []
        for audio in held:
            self.session.send_audio(base64.b64encode(audio).decode())
        self.session.notify()
