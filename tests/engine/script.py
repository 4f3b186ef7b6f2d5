"""A call written as a dialogue: ``call.at(100).sees(SpeechStarted())`` gives the engine's commands.

``Script`` plays everybody but the engine: it wraps the model's words in the present leg,
keeps the clock, and rings the deadline task's alarm with ``until``. Notes are kept apart, in ``notes``.

``Ear`` is Twilio's buffer and the caller behind it, written from Twilio's page and from nothing in
llcphone: it plays in order and in real time, returns a mark when the audio before it has been
played, and all marks at once after a clear. It is the independent witness of what was heard.
"""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

from llcphone.engine import CallEngine
from llcphone.engine.call_setup import TurnUpdate
from llcphone.engine.commands import Command, EndCall, RunTool, SendModel, SendPhone
from llcphone.engine.events import Born, EndReason, Event, ModelConnected, ModelSaid, StreamJoined, Tick
from llcphone.engine.note import Note
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    AudioDelta,
    InputCommitted,
    Item,
    ItemAdded,
    ModelEvent,
    OutputItemDone,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
)
from llcphone.twilio.media import Clear, Mark, MarkEchoed, Media, StreamStarted
from tests.engine.setups import call_limits, call_setup, recovery_plan

SESSION = {"voice": "cedar", "input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}
FULL_TOOLS = {"tools": [{"name": "look_up"}, {"name": "book"}]}
MEDIUM = {"turn_detection": {"type": "semantic_vad", "eagerness": "medium"}}
ALL_TOOLS = TurnUpdate(0, "tools", FULL_TOOLS)
LATER = TurnUpdate(1, "eagerness", MEDIUM)
"""The two updates of the usual schedule."""
ULAW = SessionUpdated("g711_ulaw", "g711_ulaw")
STARTED = StreamStarted("MZ1", "CA1")
TOOLS = frozenset({"look_up", "book", "note_down"})
COMPLETED, CANCELLED = ResponseStatus.COMPLETED, ResponseStatus.CANCELLED
FAILED, INCOMPLETE = ResponseStatus.FAILED, ResponseStatus.INCOMPLETE

_MODEL_EVENTS = tuple(ModelEvent.__args__)


def speech(ms: int) -> bytes:
    """That much agent audio; its bytes are told apart from silence."""
    return base64.b64encode(b"\x55" * (ms * 8))


def frame(number: int = 0) -> bytes:
    """20 ms of the caller; the number is in the audio, so that order can be seen."""
    return base64.b64encode(bytes((number % 256,)) * 160)


def delta(ms: int, item: str = "i1", response: str = "r1") -> AudioDelta:
    return AudioDelta(response, item, speech(ms))


def created(response: str = "r1", purpose: str = "", *, in_conversation: bool = True) -> ResponseCreated:
    return ResponseCreated(response, in_conversation, purpose)


def item_done(item: str = "i1", response: str = "r1") -> OutputItemDone:
    return OutputItemDone(response, Item(item, "message", "completed"))


def done(
    response: str = "r1", *items: Item, status: ResponseStatus = COMPLETED, **fields: Any
) -> ResponseDone:
    return ResponseDone(response, status, items=items, **fields)


def spoke(response: str = "r1", *items: Item) -> tuple[AudioDelta, ResponseDone]:
    """A response that the caller hears, to its end."""
    return delta(20, f"i-{response}", response), done(response, *items)


def wants(call_id: str, name: str = "look_up", status: str = "completed") -> Item:
    """A function call as it stands in a ``response.done``."""
    return Item(f"f-{call_id}", "function_call", status, call_id=call_id, name=name, arguments="{}")


def has_answer(call_id: str) -> ItemAdded:
    """The server's word that it has a tool's output."""
    return ItemAdded(Item(f"o-{call_id}", "function_call_output", call_id=call_id))


class Commands(list[Command]):
    """What the engine asked for, without its notes."""

    @property
    def phone(self) -> list[object]:
        return [command.message for command in self if isinstance(command, SendPhone)]

    @property
    def model(self) -> list[object]:
        return [command.message for command in self if isinstance(command, SendModel)]

    @property
    def tools(self) -> list[str]:
        return [command.call_id for command in self if isinstance(command, RunTool)]

    @property
    def end(self) -> EndReason | None:
        return next((command.reason for command in self if isinstance(command, EndCall)), None)

    @property
    def audio_ms(self) -> int:
        """Agent audio sent to the phone."""
        return sum(len(base64.b64decode(m.payload)) // 8 for m in self.phone if isinstance(m, Media))


class Script:
    """One call, told event by event."""

    def __init__(
        self, *, limits: dict[str, Any] | None = None, sends_frames: bool = True, **setup: Any
    ) -> None:
        """``sends_frames``: the telephone sends frames all the time, which the dialogue need not mention."""
        defaults: dict[str, Any] = {
            "session": SESSION,
            "greets": False,
            "tools": TOOLS,
            "silent_tools": frozenset({"note_down"}),
            "dialect": Dialect.GA,
        }
        # Recovery has dialogues of its own; everywhere else a lost model ends the call.
        defaults["recovery"] = recovery_plan(enabled=False)
        self.setup = call_setup(**(defaults | setup), limits=call_limits(**(limits or {})))
        self.engine = CallEngine(self.setup)
        self.now_ms = 0
        self.sends_frames = sends_frames
        self.notes: list[Note] = []
        self.tape: list[tuple[Event, int]] = []
        self.said = Commands()
        """Everything the engine ever asked for."""

    def at(self, now_ms: int) -> Script:
        """Move the clock; nothing rings."""
        self.now_ms = now_ms
        return self

    def sees(self, *events: Event | ModelEvent) -> Commands:
        """What the engine asks for when these happen now."""
        out = Commands()
        for event in events:
            if isinstance(event, _MODEL_EVENTS):
                event = ModelSaid(self.engine.state.session.leg_number, event)
            self.tape.append((event, self.now_ms))
            if self.sends_frames and self.engine.state.started_ms is not None:
                self.engine.state.last_frame_ms = self.now_ms
            for command in self.engine.handle(event, self.now_ms):
                (self.notes if isinstance(command, Note) else out).append(command)
        self.said += out
        return out

    def until(self, now_ms: int) -> Commands:
        """Let time pass with the deadline task awake: a ``Tick`` at each deadline of the engine."""
        out = Commands()
        rings = 0
        while (due := self.engine.next_deadline_ms) is not None and due <= now_ms:
            rings = rings + 1 if due <= self.now_ms else 0
            assert rings < 10, "the alarm rings again and again at the same time"
            out += self.at(max(due, self.now_ms)).sees(Tick())
            if out.end is not None:
                return out
        self.at(now_ms)
        return out

    def hears_all(self) -> Commands:
        """The caller hears to its end what was sent so far."""
        return self.sees(*(MarkEchoed(each.name) for each in self.said.phone if isinstance(each, Mark)))

    # -- common openings --------------------------------------------------------------------

    def configured(self) -> Commands:
        """Birth and a configured session, with nobody on the line yet."""
        return self.sees(Born(), ModelConnected(1, Dialect.GA), ULAW)

    def live(self) -> Script:
        """A configured session and a running media stream."""
        self.configured()
        self.sees(StreamJoined(), STARTED)
        return self

    def caller_says(self, item: str, response: str) -> Commands:
        """A whole caller turn: speech, silence, commit, and the server's own answer begins."""
        return self.sees(SpeechStarted(item), SpeechStopped(item), InputCommitted(item), created(response))


def live(**setup: Any) -> Script:
    """A call whose caller has spoken and whose answer ``r1`` has begun."""
    call = Script(**setup).live()
    call.caller_says("u1", "r1")
    return call


class Ear:
    """Twilio's end of a stream that plays what ``Script`` was told to send."""

    def __init__(self, call: Script) -> None:
        self.call = call
        self.queue: deque[bytes | str] = deque()
        self.now_ms = call.now_ms
        self.played = b""
        """Every byte that came out of the telephone's speaker."""
        self.cleared_marks: list[str] = []

    def takes(self, commands: Commands) -> Commands:
        """Receive what was sent to the phone."""
        for message in commands.phone:
            match message:
                case Media(payload):
                    self.queue.append(base64.b64decode(payload))
                case Mark(name):
                    self.queue.append(name)
                case Clear():
                    self.cleared_marks += [entry for entry in self.queue if isinstance(entry, str)]
                    self.queue.clear()
        return commands

    def at(self, now_ms: int) -> Ear:
        """Let it play, and let the deadline task wake, until then."""
        self.plays_until(now_ms)
        return self

    def sees(self, *events: Event | ModelEvent) -> Commands:
        return self.takes(self.call.sees(*events))

    def plays_until(self, now_ms: int, *, echoes: bool = True) -> Commands:
        """Play in real time; each mark reached goes back to the engine."""
        out = Commands()
        while self.queue and self.now_ms <= now_ms:
            entry = self.queue.popleft()
            if isinstance(entry, str):
                out += self.takes(self.call.until(self.now_ms))
                if echoes:
                    out += self.takes(self.call.sees(MarkEchoed(entry)))
                continue
            left = (now_ms - self.now_ms) * 8
            self.played += entry[:left]
            if len(entry) > left:
                self.queue.appendleft(entry[left:])
                break
            self.now_ms += len(entry) // 8
        self.now_ms = now_ms
        out += self.takes(self.call.until(now_ms))
        return out

    @property
    def heard_ms(self) -> int:
        """Agent audio that was heard, pads and fillers of silence not counted."""
        return self.played.count(b"\x55") // 8
