"""Dialogues with a Live session, told event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llcphone.audio import silence_payload
from llcphone.engine.events import Born, ModelConnected, StreamJoined
from llcphone.engine.tape.recorder import Recorder, replay
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    AudioDelta,
    AudioDone,
    BackendDone,
    CallerTranscript,
    CallerWords,
    Item,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    TranscriptDelta,
    TranscriptDone,
    Usage,
)
from tests.engine.script import STARTED, ULAW, Script, speech
from tests.engine.setups import live_plan

if TYPE_CHECKING:
    from llcphone.engine import CallEngine
    from llcphone.engine.tape.recorder import Replay
    from llcphone.realtime.events import ModelEvent
    from tests.engine.script import Commands

CUSHION_MS = 160
COMPLETED = ResponseStatus.COMPLETED


def opens(name: str = "u1", purpose: str = "") -> tuple[ModelEvent, ...]:
    """An utterance of the agent begins with its first 100 ms."""
    return (
        ResponseCreated(name, purpose=purpose),
        AudioDelta(name, f"{name}-item", silence_payload(CUSHION_MS), quiet=True),
        loud(name),
    )


def loud(name: str = "u1", ms: int = 100) -> AudioDelta:
    return AudioDelta(name, f"{name}-item", speech(ms))


def pause(name: str = "u1", ms: int = 100) -> AudioDelta:
    return AudioDelta(name, f"{name}-item", silence_payload(ms), quiet=True)


def words(text: str, start_ms: int, end_ms: int, name: str = "u1") -> TranscriptDelta:
    return TranscriptDelta(name, f"{name}-item", text, start_ms, end_ms)


def over(name: str = "u1", text: str = "") -> tuple[ModelEvent, ...]:
    """It was quiet for 800 ms."""
    item = Item(f"{name}-item", "message", "completed", "assistant", text=text)
    said = [TranscriptDone(name, item.id, text)] if text else []
    return (AudioDone(name, item.id), *said, ResponseDone(name, COMPLETED, items=(item,)))


def heard(text: str, start_ms: int, end_ms: int, item: str = "c1") -> CallerWords:
    return CallerWords(item, text, start_ms, end_ms)


def heard_all(text: str, item: str = "c1") -> CallerTranscript:
    return CallerTranscript(item, text, final=True)


def calls(*call_ids: str, name: str = "look_up", response: str = "b1", **fields: Any) -> BackendDone:
    """The backend calls tools."""
    items = tuple(
        Item(f"f-{call_id}", "function_call", "completed", call_id=call_id, name=name, arguments="{}")
        for call_id in call_ids
    )
    return BackendDone(response, **{"status": COMPLETED, "items": items, "usage": Usage()} | fields)


def has_result(response: str = "b2") -> BackendDone:
    """The backend has its last word."""
    return BackendDone(response, COMPLETED)


class LiveScript(Script):
    """A call with a Live session that is fed by the telephone."""

    def __init__(self, **setup: Any) -> None:
        super().__init__(**{"live": live_plan(), "dialect": Dialect.LIVE} | setup)
        self.alive = True
        """The session gives its pieces of silence."""

    def configured(self) -> Commands:
        return self.sees(Born(), ModelConnected(1, Dialect.LIVE), ULAW)

    def joined(self) -> LiveScript:
        """A started session and a running media stream."""
        self.configured()
        self.sees(StreamJoined(), STARTED)
        return self

    def lives_until(self, now_ms: int) -> Commands:
        """Let time pass: the telephone sends frames, the session gives audio."""
        out = self.sees()
        while self.now_ms < now_ms:
            self.engine.hear(silence_payload(20), self.now_ms)
            if self.alive and self.now_ms % 100 == 0:
                self.engine.model_alive(self.now_ms)
            out += self.until(min(now_ms, self.now_ms + 20))
        return out

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Who said what, as far as it was heard."""
        return [(line.speaker.value, line.heard) for line in self.engine.lines(self.now_ms)]


class Taped:
    """An engine whose decisions go on tape."""

    def __init__(self, call: Script) -> None:
        """Take the place of a call's engine."""
        self.lines: list[bytes] = []
        self._engine = call.engine
        self._recorder = Recorder(call.engine, self._write, version="1.2.3")
        self.handle, self.hear = self._recorder.handle, self._recorder.hear
        self.model_alive = self._recorder.model_alive
        call.engine = cast("CallEngine", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def _write(self, line: bytes) -> bool:
        self.lines.append(line)
        return True

    def replayed(self) -> Replay:
        """The call is over: what another engine decides from its tape."""
        self._recorder.close()
        return replay(self.lines)
