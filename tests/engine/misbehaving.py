"""A model that misbehaves at random, and the call around it, in virtual time and without sockets.

The model speaks JSON, which the decoder reads before the engine sees it. Of each event any field that it
can do without may be odd; events overtake each other or come twice; answers are empty, in text, cut short,
failed, or never end; errors have any form; sessions are lost. What the model cannot be forgiven is left out:
it names its responses and items, and hears the caller.

The caller is simple: they ask, and wait for a sound. ``World.run`` plays one call and tells what was wrong
with it; the same seed plays the same call.
"""

from __future__ import annotations

import base64
import heapq
import json
import random
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.audio import payload_bytes
from llcphone.engine import CallEngine, commands, events
from llcphone.engine.note import Note
from llcphone.engine.notes import DeadAir
from llcphone.errors import RemoteProtocolError
from llcphone.realtime import messages
from llcphone.realtime.decode import decode
from llcphone.realtime.dialects import Dialect
from llcphone.twilio import media
from tests.engine.script import ALL_TOOLS, LATER, SESSION, STARTED, TOOLS, frame, speech
from tests.engine.setups import alarm_plan, call_setup, recovery_plan
from tests.realtime.odd import ODD_VALUES, is_needed, places, with_odd
from tests.realtime.sample_parts import GA_SESSION, TOKENS, response
from tests.realtime.sample_parts import events as told

if TYPE_CHECKING:
    from collections.abc import Callable

DEAD_LINE_MS = 15_000
"""No caller may wait longer in silence without an alarm."""

FRAME_MS = 200
MOST_UNREADABLE = 10
ERRORS: tuple[dict[str, Any], ...] = (
    {"error": "odd"},
    {"error": {"code": 1302}},
    {"error": {"error": {"code": "server_error", "message": "try again in 350ms"}}},
    {"message": "odd", "code": None},
    {"error": None},
    {"error": []},
    {},
    {"error": {"type": "server_error", "code": None, "message": "Sorry."}},
)
KINDS = ["spoken"] * 14 + ["tool"] * 3 + ["two items", "empty", "text", "filtered", "half a call", "failed"]
KINDS += ["cancelled", "stalls", "half a sentence", "done first", "no output"]


@attrs.define(eq=False)
class Session:
    """One session of the model."""

    leg_number: int
    active: str = ""
    """The response that has not ended."""
    configured: bool = False
    open: bool = True
    unreadable: int = 0


@attrs.define
class Wrong:
    """What a call should not have done."""

    what: str
    at_ms: int


class World:
    """One call, its caller, its telephone and its model."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        setup = call_setup(
            session=SESSION,
            greets=self.chance.random() < 0.7,
            tools=TOOLS,
            silent_tools=frozenset({"note_down"}),
            dialect=Dialect.GA,
            schedule=(ALL_TOOLS, LATER),
            alarms=alarm_plan(dead_air_ms=5_000),
            recovery=recovery_plan(filler=(speech(600),), apology=(speech(900),)),
        )
        self.engine = CallEngine(setup)
        self.now_ms = 0
        self.wrong: list[Wrong] = []
        self.notes: list[Note] = []
        self.bad_messages = 0
        self.longest_ms = 0
        """The longest that the caller waited for a sound."""
        self._numbers = count(1)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._sessions: dict[int, Session] = {}
        self._oddness = self.chance.choice([0.0, 0.02, 0.1, 0.3])
        self._disorder = self.chance.choice([0.0, 0.05, 0.2])
        self._plays_until_ms = 0
        self._marks: list[tuple[int, str]] = []
        self._waits_from_ms: int | None = 0 if setup.greets else None
        """Since when the caller waits for a sound."""
        self._alarmed_ms = -1
        self._heard_ms = 0
        self._speaks = self._unheard_turn = False

    # -- time -------------------------------------------------------------------------------

    def run(self, *, lasts_ms: int = 60_000) -> list[Wrong]:
        """Play the call to its end; returns what was wrong."""
        self._step(events.Born())
        self._at(400, lambda: self._step(events.StreamJoined()))
        self._at(500, self._answered)
        self._at(lasts_ms, lambda: self._step(media.StreamStopped()))
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            self._at(self.chance.randrange(1_000, lasts_ms), self._lose)
        while self.engine.ended is None:
            alarm_ms = self.engine.next_deadline_ms
            next_ms = self._due[0][0] if self._due else None
            if alarm_ms is not None and (next_ms is None or alarm_ms <= next_ms):
                self.now_ms = max(self.now_ms, alarm_ms)
                self._step(events.Tick())
            elif next_ms is not None:
                self.now_ms, _, thing = heapq.heappop(self._due)
                thing()
            else:
                self.wrong.append(Wrong("the call hangs for ever", self.now_ms))
                break
            self._look()
        return self.wrong

    def _at(self, after_ms: int, thing: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now_ms + after_ms, next(self._numbers), thing))

    def _look(self) -> None:
        """The caller's patience: a sound, an alarm or the end within the limit."""
        if self._waits_from_ms is None or self.engine.ended is not None:
            return
        silent_ms = self.now_ms - max(self._waits_from_ms, self._heard_ms)
        self.longest_ms = max(self.longest_ms, silent_ms)
        if silent_ms > DEAD_LINE_MS and self._alarmed_ms < self.now_ms - silent_ms:
            self.wrong.append(Wrong("a dead line without an alarm", self.now_ms))
            self._waits_from_ms = None

    # -- the engine -------------------------------------------------------------------------

    def _step(self, event: events.Event) -> None:
        for command in self.engine.handle(event, self.now_ms):
            self._obey(command)

    def _obey(self, command: commands.Command) -> None:
        match command:
            case commands.ConnectModel(leg_number, _, after_ms):
                self._at(after_ms + self.chance.randrange(100, 500), lambda: self._connected(leg_number))
            case commands.CloseModel(leg_number) if leg_number in self._sessions:
                self._sessions[leg_number].open = False
            case commands.SendModel(message):
                self._to_model(message)
            case commands.SendPhone(message):
                self._to_phone(message)
            case commands.RunTool(call_id):
                answer = events.ToolFinished(call_id, self.chance.choice(["1", '"nine"', "x" * 5_000]))
                self._at(self.chance.randrange(50, 3_000), lambda: self._step(answer))
            case Note():
                self.notes.append(command)
                if isinstance(command, DeadAir):
                    self._alarmed_ms = self.now_ms
            case _:
                pass

    # -- the telephone ----------------------------------------------------------------------

    def _answered(self) -> None:
        self._waits_from_ms = self._waits_from_ms and self.now_ms
        self._step(STARTED)
        self._frame()
        self._at(self.chance.randrange(2_000, 6_000), self._caller_asks)

    def _frame(self) -> None:
        if self.engine.ended is None:
            self.engine.hear(frame(), self.now_ms)
            self._at(FRAME_MS, self._frame)

    def _to_phone(self, message: media.PhoneMessage) -> None:
        match message:
            case media.Media(payload):
                self._plays_until_ms = max(self.now_ms, self._plays_until_ms) + payload_bytes(payload) // 8
            case media.Mark(name):
                at_ms = max(self.now_ms, self._plays_until_ms)
                self._marks.append((at_ms, name))
                self._at(at_ms - self.now_ms, self._echo)
            case media.Clear():
                self._plays_until_ms = self.now_ms
                self._marks = [(self.now_ms, name) for _, name in self._marks]
                self._at(0, self._echo)

    def _echo(self) -> None:
        while self._marks and self._marks[0][0] <= self.now_ms:
            _, name = self._marks.pop(0)
            self._heard()
            self._step(media.MarkEchoed(name))

    def _heard(self) -> None:
        self._heard_ms = self.now_ms
        if not self._speaks:
            self._waits_from_ms = None

    # -- the caller -------------------------------------------------------------------------

    def _caller_asks(self) -> None:
        """They speak for a while, then wait; sometimes they give up waiting and ask again."""
        if self.engine.ended is not None:
            return
        self._speaks, self._waits_from_ms = True, None
        item = f"u{next(self._numbers)}"
        session = self._present
        self._unheard_turn = session is None
        if session is not None:
            self._cancel_active(session, "turn_detected")
            start_ms = self.engine.state.appended_bytes // 8
            started = told("input_audio_buffer.speech_started", item_id=item, audio_start_ms=start_ms)
            self._tell(session, started)
        self._at(self.chance.randrange(500, 2_500), lambda: self._caller_stops(item, session))
        self._at(self.chance.randrange(6_000, 25_000), self._caller_asks)

    def _caller_stops(self, item: str, session: Session | None) -> None:
        self._speaks, self._waits_from_ms = False, self.now_ms
        if session is not None and session.open:
            self._turn_ends(session, item)
        else:
            self._unheard_turn = True
            self._hear_turn()

    def _hear_turn(self) -> None:
        """A session is there, and the caller's last turn was heard by none: it hears that now."""
        session = self._present
        if session is not None and self._unheard_turn and not self._speaks:
            self._unheard_turn = False
            item = f"u{next(self._numbers)}"
            started = told("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)
            self._at(300, lambda: self._tell(session, started))
            self._at(600, lambda: self._turn_ends(session, item))

    def _turn_ends(self, session: Session, item: str) -> None:
        if not session.open:
            self._unheard_turn = True
            self._hear_turn()
            return
        end_ms = self.engine.state.appended_bytes // 8
        self._tell(session, told("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=end_ms))
        self._tell(session, told("input_audio_buffer.committed", item_id=item, previous_item_id=None))
        self._at(100, lambda: self._respond(session, None))

    # -- the model --------------------------------------------------------------------------

    @property
    def _present(self) -> Session | None:
        session = self._sessions.get(self.engine.state.session.leg_number)
        return session if session is not None and session.open and session.configured else None

    def _connected(self, leg_number: int) -> None:
        if self.engine.ended is not None or leg_number != self.engine.state.session.leg_number:
            return
        if self.chance.random() < 0.05:
            self._step(events.ModelConnectFailed(leg_number, "refused"))
            return
        session = self._sessions[leg_number] = Session(leg_number)
        self._step(events.ModelConnected(leg_number, Dialect.GA))
        self._tell(session, told("session.created", session=GA_SESSION))

    def _lose(self) -> None:
        session = self._sessions.get(self.engine.state.session.leg_number)
        if session is not None and session.open and self.engine.ended is None:
            session.open = False
            self._step(events.ModelLegLost(session.leg_number, self.chance.choice([1006, 1011])))

    def _to_model(self, message: messages.ModelMessage) -> None:
        session = self._sessions.get(self.engine.state.session.leg_number)
        if session is None or not session.open:
            return
        match message:
            case messages.UpdateSession(_, event_id):
                self._at(50, lambda: self._update(session, event_id))
            case messages.CreateResponse(purpose):
                self._at(20, lambda: self._respond(session, purpose))
            case messages.ToolOutput(call_id):
                self._at(20, lambda: self._take_output(session, call_id))
            case messages.CancelResponse():
                self._at(20, lambda: self._cancel_active(session, "client_cancelled"))
            case _:
                pass

    def _update(self, session: Session, event_id: str) -> None:
        if self.chance.random() < (0.1 if session.configured else 0.03):
            odd = self.chance.choice([*ERRORS, {"error": {"code": "invalid_value", "event_id": event_id}}])
            self._tell(session, told("error", **odd))
            return
        first, session.configured = not session.configured, True
        self._tell(session, told("session.updated", session=GA_SESSION), whole=True)
        if first:
            self._at(100, self._hear_turn)

    def _take_output(self, session: Session, call_id: str) -> None:
        if self.chance.random() < 0.1:
            refused = {"code": "string_above_max_length", "param": "item.output"}
            self._tell(session, told("error", error=refused | {"event_id": f"output-{call_id}"}))
            return
        body = {"id": f"o{next(self._numbers)}", "type": "function_call_output", "call_id": call_id}
        self._tell(session, told("conversation.item.added", item=body))

    def _cancel_active(self, session: Session, reason: str) -> None:
        if session.active:
            name, session.active = session.active, ""
            details = {"type": "cancelled", "reason": reason}
            self._done(session, name, "cancelled", status_details=details)

    def _respond(self, session: Session, purpose: str | None) -> None:
        if not session.open or self.engine.ended is not None:
            return
        if session.active:
            if purpose is not None:
                code = "conversation_already_has_active_response"
                self._tell(session, told("error", error={"code": code, "message": "Wait."}))
            return
        name = session.active = f"r{next(self._numbers)}"
        metadata = {"llcphone": purpose} if purpose else None
        self._tell(
            session, told("response.created", response=response("in_progress", id=name, metadata=metadata))
        )
        kind = self.chance.choice(KINDS)
        self._at(self.chance.randrange(50, 900), lambda: self._answer(session, name, kind))

    def _answer(self, session: Session, name: str, kind: str) -> None:
        """One answer, of whatever kind; all of it unless it was cancelled meanwhile."""
        item = f"i{next(self._numbers)}"
        match kind:
            case "stalls":
                return
            case "empty":
                self._ends(session, name)
            case "no output":
                self._say(session, name, item, output=None)
            case "text":
                self._tell_of(session, "response.output_text.delta", name, item, delta="some words")
                self._ends(session, name, output=[_message(item, text="some words")])
            case "filtered":
                self._ends(session, name, "incomplete", {"type": "incomplete", "reason": "content_filter"})
            case "failed":
                error: Any = self.chance.choice(ERRORS).get("error")
                self._ends(session, name, "failed", {"type": "failed", "error": error})
            case "cancelled":
                self._ends(session, name, "cancelled", {"type": "cancelled", "reason": "turn_detected"})
            case "tool" | "half a call":
                self._calls(session, name, "completed" if kind == "tool" else "incomplete")
            case "half a sentence":
                self._say(
                    session, name, item, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}
                )
            case "done first":
                self._ends(session, name, output=[_message(item)])
                self._tell_of(session, "response.output_audio.delta", name, item, delta=_sound(200))
            case "two items":
                self._say(session, name, item, ends=False)
                self._at(900, lambda: self._say(session, name, f"{item}b"))
            case _:
                self._say(session, name, item)

    def _calls(self, session: Session, name: str, status: str) -> None:
        tool = self.chance.choice(["look_up", "book", "fly"])
        number = next(self._numbers)
        body = {"id": f"f{number}", "type": "function_call", "call_id": f"c{number}", "name": tool}
        body |= {"arguments": self.chance.choice(["{}", '{"a":', ""]), "status": status}
        whole = status == "completed"
        self._tell_of(session, "response.output_item.done", name, item=body)
        self._ends(session, name, "completed" if whole else "incomplete", output=[body])

    def _say(
        self,
        session: Session,
        name: str,
        item: str,
        status: str = "completed",
        details: Any = None,
        *,
        output: Any = (),
        ends: bool = True,
    ) -> None:
        pieces = self.chance.randrange(1, 12)
        for piece in range(pieces):
            self._at(piece * 60, lambda: self._piece(session, name, item))
        body = _message(item, status)
        self._at(pieces * 60, lambda: self._tell_of(session, "response.output_item.done", name, item=body))
        if ends:
            listed = None if output is None else [body]
            self._at(pieces * 60 + 5, lambda: self._ends(session, name, status, details, output=listed))

    def _piece(self, session: Session, name: str, item: str) -> None:
        if session.active == name:
            self._tell_of(session, "response.output_audio_transcript.delta", name, item, delta="some ")
            self._tell_of(session, "response.output_audio.delta", name, item, delta=_sound(200))

    def _ends(
        self, session: Session, name: str, status: str = "completed", details: Any = None, output: Any = ()
    ) -> None:
        if session.active == name:
            session.active = ""
            listed = list(output) if output is not None else None
            self._done(session, name, status, status_details=details, output=listed)

    def _done(self, session: Session, name: str, status: str, **fields: Any) -> None:
        self._tell(session, told("response.done", response=response(status, id=name, usage=TOKENS, **fields)))

    def _tell_of(self, session: Session, kind: str, name: str, of_item: str = "", **fields: Any) -> None:
        ids = {"response_id": name, "output_index": 0, "content_index": 0}
        ids |= {"item_id": of_item} if of_item else {}
        self._tell(session, told(kind, **ids, **fields))

    # -- how it says it ---------------------------------------------------------------------

    def _tell(self, session: Session, event: dict[str, Any], *, whole: bool = False) -> None:
        """Say it, oddly perhaps, late perhaps, twice perhaps."""
        if not whole and self.chance.random() < self._oddness:
            optional = [
                path for path in places(event) if not is_needed(event, path) and path != ("event_id",)
            ]
            if optional:
                odd = self.chance.choice([*ODD_VALUES, ...])
                event = with_odd(event, self.chance.choice(optional), odd)
        if self.chance.random() < self._oddness / 4:
            stray = json.dumps(told("error", **self.chance.choice(ERRORS))).encode()
            self._at(1, lambda: self._deliver(session, stray))
        text = json.dumps(event).encode()
        late_ms = self.chance.randrange(0, 600) if self.chance.random() < self._disorder else 0
        self._at(late_ms, lambda: self._deliver(session, text))
        if self.chance.random() < self._disorder / 8:
            self._at(late_ms + 50, lambda: self._deliver(session, text))

    def _deliver(self, session: Session, text: bytes) -> None:
        if not session.open or self.engine.ended is not None:
            return
        try:
            fact = decode(text)
        except RemoteProtocolError:
            self.bad_messages += 1
            session.unreadable += 1
            if session.unreadable >= MOST_UNREADABLE:
                session.open = False
                self._step(events.ModelLegLost(session.leg_number, 1002))
            return
        session.unreadable = 0
        self._step(events.ModelSaid(session.leg_number, fact))


def _sound(ms: int) -> str:
    return base64.b64encode(b"\x55" * (ms * 8)).decode()


def _message(item: str, status: str = "completed", **part: str) -> dict[str, Any]:
    content = [part or {"type": "audio", "transcript": "some words"}]
    return {"id": item, "type": "message", "role": "assistant", "status": status, "content": content}
