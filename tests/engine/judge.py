"""What must hold after every event of any call.

The judge reads only events and commands, and keeps its own simple account of both far ends: which
response is active, who speaks, how much audio exists. Where it looks into the engine it looks at the
ledger's public page of an item.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llcphone.audio import payload_bytes
from llcphone.engine import CallEngine, events
from llcphone.engine.commands import Command, EndCall, RunTool, SendModel, SendPhone
from llcphone.engine.events import Event, ModelSaid, Tick
from llcphone.engine.parts.event_order import EventOrder
from llcphone.realtime import events as model_events
from llcphone.realtime.messages import (
    AppendAudio,
    CancelResponse,
    ClearInput,
    CreateResponse,
    DeleteItem,
    ToolCall,
    ToolOutput,
    Truncate,
    UpdateSession,
)
from llcphone.twilio.media import CallerAudio, Media, StreamStarted

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup

CREATE_LOST_MS = 10_000
LEFT_OPEN_MS = 10_000
"""A turn whose frames are missing for this long, silence filled in, has been left open: the floor is free."""


class Judge:
    """One engine under watch."""

    def __init__(self, setup: CallSetup) -> None:
        self.engine = CallEngine(setup)
        self.tape: list[tuple[Event, int, list[Command]]] = []
        self.generated: Counter[str] = Counter()
        self.open_responses: set[str] = set()
        self.active = ""
        self.create_ms: int | None = None
        self.create = ""
        self.speaking = self.deciding = self.stopped = False
        self.turn = ""
        self.now_ms = self.frame_ms = 0
        self.cut_items: set[str] = set()
        self.silenced: set[str] = set()
        """Responses that nobody is to hear: cancelled by us, or out of band."""
        self.owed: set[str] = set()
        self.running: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.order = EventOrder()

    def sees(self, event: Event, now_ms: int) -> list[Command]:
        """Hand the event over and check everything that must hold."""
        self.now_ms = now_ms
        if isinstance(event, CallerAudio | StreamStarted):
            self.frame_ms = now_ms
        if isinstance(event, Tick) and now_ms - self.frame_ms >= LEFT_OPEN_MS:
            self.speaking = False  # and frames that come later begin no turn by themselves
        over = self.engine.ended is not None
        ready = self.engine.state.session.ready
        said_now = event.event if isinstance(event, ModelSaid) and ready else None
        if isinstance(event, ModelSaid) and event.leg_number != self.engine.state.session.leg_number:
            said_now = None
        if said_now is not None and not over and self.order.comes_late(said_now, now_ms):
            said_now = None  # it says nothing new: test_order.py
        if said_now is not None and not over:
            self._note_model(said_now)
        commands = self.engine.handle(event, now_ms)
        self.tape.append((event, now_ms, commands))
        if over:
            assert commands == [], "nothing after the end"
            return commands
        self._check_shape(event, commands)
        for command in commands:
            self._check(command, event, now_ms)
        self._check_audio(said_now, commands)
        self._check_heard(now_ms)
        if isinstance(event, Tick):
            self._check_alarm(now_ms)
        return commands

    # -- the judge's own account ------------------------------------------------------------

    def _note_model(self, event: object) -> None:
        match event:
            case model_events.AudioDelta(_, item_id, payload):
                self.generated[item_id] += payload_bytes(payload)
            case model_events.SpeechStarted():
                self.speaking, self.deciding = True, False
            case model_events.SpeechStopped(item_id):
                self.speaking, self.deciding, self.stopped, self.turn = False, True, True, item_id
            case model_events.InputCommitted():  # it ends its turn, though no end was told before
                self.speaking, self.deciding, self.stopped = self.speaking and self.stopped, False, False
            case model_events.ResponseCreated(response_id, True, purpose) if (
                response_id not in self.open_responses
            ):
                ours = self.create_ms is not None and purpose in ("", self.create)
                if self.stopped and self.deciding and not ours:  # it answers a turn that nothing commits
                    self.deciding = self.stopped = False
                    self.order.comes_late(model_events.InputCommitted(self.turn), self.now_ms)
                self.open_responses.add(response_id)
                self.active, self.create_ms = response_id, None
            case model_events.ResponseCreated(response_id, False):
                self.silenced.add(response_id)
            case model_events.ResponseDone(response_id) if not response_id.startswith("x"):
                self.open_responses.discard(response_id)
                if self.active == response_id:
                    self.active = ""
                self.owed |= {item.call_id for item in event.items if item.type == "function_call"}
            case model_events.ModelError():
                self.create_ms = None

    @property
    def caller_has_floor(self) -> bool:
        return (self.speaking or self.deciding) and self.now_ms - self.frame_ms < LEFT_OPEN_MS

    # -- the rules --------------------------------------------------------------------------

    def _check_shape(self, event: Event, commands: list[Command]) -> None:
        ends = [index for index, command in enumerate(commands) if isinstance(command, EndCall)]
        assert ends in ([], [len(commands) - 1]), "one end, and nothing behind it"

    def _check(self, command: Command, event: Event, now_ms: int) -> None:
        match command:
            case RunTool(call_id):
                assert call_id in self.owed
                assert call_id not in self.running
                assert not self.answers[call_id]
                self.running.add(call_id)
            case SendModel(message):
                self._check_message(message, event, now_ms)

    def _check_message(self, message: object, event: Event, now_ms: int) -> None:
        match message:
            case Truncate(item_id, audio_end_ms):
                assert 1 <= audio_end_ms <= self.generated[item_id] // 8
                self.cut_items.add(item_id)
            case DeleteItem(item_id):
                self.cut_items.add(item_id)
            case CancelResponse(response_id):
                assert response_id, "cancelled by id"
                self.silenced.add(response_id)
            case CreateResponse(purpose="priming"):
                assert message.priming
            case CreateResponse():
                assert not self.active, "a response is active"
                assert not self.caller_has_floor
                lost = self.create_ms is None or now_ms - self.create_ms >= CREATE_LOST_MS
                assert lost, "ours is on its way"
                self.create_ms, self.create = now_ms, message.purpose
            case ToolCall(call_id) if call_id.startswith("late-"):
                self.owed.add(call_id)
            case ToolOutput(call_id):
                assert call_id in self.owed
                self.answers[call_id] += 1
                assert self.answers[call_id] == 1, "answered once"
            case UpdateSession(_, event_id) if event_id.startswith("due-"):
                assert isinstance(event, Tick), "only the deadline task's step updates the session"
                assert not self.active
                assert not self.caller_has_floor
            case ClearInput():
                assert isinstance(event, events.MachineDetected | events.TurnCleared)
                self.speaking = self.deciding = False  # a machine is no caller
            case AppendAudio():
                assert self.engine.state.ready_ms is not None
                assert self.engine.state.started_ms is not None

    def _check_audio(self, event: object, commands: list[Command]) -> None:
        if isinstance(event, model_events.AudioDelta):
            sent = any(isinstance(c, SendPhone) and isinstance(c.message, Media) for c in commands)
            assert not (sent and (event.item_id in self.cut_items or event.response_id in self.silenced))

    def _check_heard(self, now_ms: int) -> None:
        playout = self.engine.state.talk.playout
        for item_id, generated in self.generated.items():
            if (item := playout.item(item_id)) is not None:
                assert 0 <= item.heard <= item.sent <= item.generated <= generated
                assert playout.heard_ms(item_id, now_ms) * 8 <= item.sent

    def _check_alarm(self, now_ms: int) -> None:
        """Ticks at the same time come to rest: the deadline task never spins."""
        for _ in range(8):
            due = self.engine.next_deadline_ms
            if due is None or due > now_ms:
                return
            commands = self.engine.handle(Tick(), now_ms)
            self.tape.append((Tick(), now_ms, commands))
            self._check_shape(Tick(), commands)
            for command in commands:
                self._check(command, Tick(), now_ms)
        raise AssertionError("the alarm rings without end")

    def settle(self, now_ms: int) -> None:
        """At the end of the story every call has been answered exactly once."""
        for call_id in sorted(self.running):
            self.sees(events.ToolFinished(call_id, "1"), now_ms)
        if self.engine.ended is None:
            assert {call_id for call_id, count in self.answers.items() if count == 1} == self.owed
