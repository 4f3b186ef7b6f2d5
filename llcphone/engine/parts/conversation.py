"""The conversation on a configured session: turns and barge-in.

Every method appends commands to the list that it is given. Their order in a barge-in matters: first the
phone is silenced, then the model learns where the caller stopped hearing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel, SendPhone
from llcphone.engine.parts.bill import Bill
from llcphone.engine.parts.floor import Cue, move
from llcphone.engine.parts.playout import Kind, Playout
from llcphone.engine.parts.response_items import ResponseItems
from llcphone.engine.parts.responses import Asked, Response, Responses
from llcphone.engine.parts.retell import cut_at
from llcphone.engine.parts.schedule import Schedule
from llcphone.engine.parts.speech import RealtimeSpeech
from llcphone.engine.parts.tool_batches import ToolBatches
from llcphone.engine.parts.tool_outputs import ToolOutputs
from llcphone.engine.parts.transcript import TranscriptBuilder
from llcphone.engine.parts.turn_times import Turn, TurnTimings, vad_silence_ms
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor
from llcphone.realtime.messages import CancelResponse, ClearInput
from llcphone.twilio.media import Clear, PhoneMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.call_setup import CallSetup
    from llcphone.realtime import events as model_events


class Conversation:
    """What is said, by whom, and what of it was heard."""

    __slots__ = (
        "_deciding",
        "_interrupted_id",
        "_pressing_until_ms",
        "_setup",
        "active_ms",
        "ask",
        "barge_ins",
        "batches",
        "bill",
        "failed_responses",
        "floor",
        "greeting_id",
        "greeting_over",
        "history",
        "in_doubt",
        "items",
        "late_deltas",
        "outputs",
        "playout",
        "primed",
        "responses",
        "retold",
        "schedule",
        "speech",
        "speech_from_ms",
        "tell",
        "timings",
        "transcript",
        "unanswered",
        "voice_ms",
    )

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self.playout = Playout(mark_every_ms=setup.limits.mark_every_ms)
        self.responses = Responses(response_wait_ms=setup.limits.response_wait_ms)
        self.speech = RealtimeSpeech(self.responses)
        self.ask, self.tell = self.speech.ask, self.speech.tell
        self.transcript = TranscriptBuilder(self.playout, speed=float(setup.session.get("speed") or 1.0))
        self.history = self.transcript.history
        self.timings = TurnTimings(silence_ms=vad_silence_ms(setup.session))
        self.schedule = Schedule(setup.schedule)
        self.batches = ToolBatches(setup.tools, setup.silent_tools)
        self.outputs = ToolOutputs(self.responses, self.transcript)
        self.bill = Bill(setup.money)
        self.floor = Floor.NOBODY
        self.greeting_id = ""
        self.greeting_over = False
        self.primed = False
        """The priming response has ended, well or not."""
        self.active_ms = 0
        """When somebody last spoke, for the idle limit."""
        self.voice_ms = 0
        """When the model last gave a piece of the agent's voice."""
        self.barge_ins = 0
        self.late_deltas = 0
        self.failed_responses = 0
        self.retold: set[str] = set()
        """Items that the present session has as text only: an older session had spoken them."""
        self.items = ResponseItems()
        self.speech_from_ms: int | None = None
        """Where turn detection dates the caller's speech of this moment, its padding included."""
        self._deciding = False
        """Turn detection said stop; the commit that follows has not arrived yet."""
        self._interrupted_id = ""
        """The response that the caller interrupted last."""
        self.unanswered = False
        """The caller has not heard the agent since they spoke, or since they are to be greeted."""
        self.in_doubt = False
        """Somebody speaks over the agent: perhaps the caller (``policies.echo_guard``)."""
        self._pressing_until_ms = 0

    @property
    def caller_has_floor(self) -> bool:
        """The caller speaks, or may, or has just stopped and the turn is being committed."""
        return self.floor is Floor.CALLER or self._deciding or self.in_doubt

    @property
    def quiet_from_ms(self) -> int | None:
        """Since or from when the moment is quiet, None if it depends on events.

        Quiet: the caller is silent and no response is active, wished for or owed.
        """
        return None if self.caller_has_floor else self.responses.idle_from_ms

    # -- the phone's side -------------------------------------------------------------------

    def stream_started(self, pad_ms: int, now_ms: int, out: list[Command]) -> None:
        """Flush what was generated before the media stream began."""
        held = self.playout.holding
        self._to_phone(self.playout.start(now_ms, pad_ms=pad_ms), out)
        if held and self.greeting_id:
            self._agent_audio_sent(self.greeting_id, now_ms, out)
        self.active_ms = now_ms

    def mark_echoed(self, name: str, now_ms: int) -> Turn | None:
        """Playback reached this mark; returns the turn that the caller began to hear by that, if any."""
        begun = None
        for span in self.playout.echoed(name, now_ms):
            if span.kind is not Kind.ITEM:
                continue
            self.active_ms = now_ms
            begun = self.timings.heard(span.response_id, span.size // BYTES_PER_MS, now_ms) or begun
        return begun

    def yield_to_machine(self, now_ms: int, out: list[Command]) -> None:
        """An answering machine listens: drop what the agent was saying, and whatever the caller "said"."""
        self.silence_agent(now_ms, out)
        if (active := self.responses.active) is not None:
            out.append(SendModel(CancelResponse(active.id)))
        out.append(SendModel(ClearInput()))  # the machine's greeting is no turn
        self.floor, self._deciding, self.unanswered = Floor.NOBODY, False, False

    def press(self, tones: tuple[bytes, ...], now_ms: int, out: list[Command]) -> None:
        """Press keys by their tones, after what the agent is saying; no barge-in may cut them."""
        for payload in tones:
            self._to_phone(self.playout.filler(payload, now_ms), out)
        self._pressing_until_ms = max(now_ms, self.playout.ends_ms)
        self.history.place(f"keys {now_ms}", Speaker.SYSTEM, now_ms).text = "(keys)"
        out.append(notes.KeysPressed())

    # -- the caller -------------------------------------------------------------------------

    def speech_started(self, event: model_events.SpeechStarted, now_ms: int, out: list[Command]) -> None:
        """The caller takes the floor; what is unheard of the agent is cut."""
        self.active_ms = now_ms
        self._deciding = False
        self._move(Cue.SPEECH_STARTED, out)
        pressing = now_ms < self._pressing_until_ms  # the machine we press keys for talks meanwhile
        if self._setup.interrupt_response and not pressing:  # else the user has turned barge-in off
            self.interrupt(now_ms, out, cancel=self._setup.echo.after_ms > 0)

    def interrupt(
        self, now_ms: int, out: list[Command], *, cancel: bool = True, by_caller: bool = True
    ) -> None:
        """The agent has lost the floor; ``cancel``: the server does not stop its response by itself."""
        self.responses.caller_started()
        if by_caller and self.responses.active is not None:
            self._interrupted_id = self.responses.active.id
        if self.silence_agent(now_ms, out, cancel=cancel):
            self.barge_ins += 1

    def silence_agent(self, now_ms: int, out: list[Command], *, cancel: bool = False) -> bool:
        """Cut what is unheard of the agent; False when all was heard: then it is an ordinary turn."""
        if (active := self.responses.active) is not None:
            self.playout.cut_off(active.id)
        interruption = self.playout.interrupt(now_ms)
        if interruption is not None and interruption.clear:
            out.append(SendPhone(Clear()))
        if cancel and active is not None and active.asked is not Asked.UNASKED:
            out.append(SendModel(CancelResponse(active.id)))
        if interruption is None:
            return False
        for cut in interruption.cuts:
            line = self.transcript.cut(cut, now_ms)
            out.extend(SendModel(message) for message in cut_at(cut, line.heard_text(), self.retold))
            if (turn := self.timings.of(cut.response_id)) is not None:
                turn.barged_in_ms = now_ms
            stop_ms = None if self.speech_from_ms is None else now_ms - self.speech_from_ms
            self.speech_from_ms = None
            heard = line.heard_text()
            out.append(notes.BargeIn(cut.item_id, cut.heard_ms, cut.generated_ms, heard, stop_ms))
        return True

    def speech_stopped(
        self, event: model_events.SpeechStopped, now_ms: int, heard_audio_ms: int, out: list[Command]
    ) -> None:
        """Turn detection decided that the caller is done.

        ``heard_audio_ms`` is the caller audio the model has; what it holds beyond the end of
        speech is how long the decision took.
        """
        self.active_ms = now_ms
        self.unanswered = self._setup.create_response
        end_ms = heard_audio_ms if event.audio_end_ms is None else event.audio_end_ms
        self.timings.caller_stopped(now_ms, now_ms - max(0, heard_audio_ms - end_ms))
        self._deciding = True
        self._move(Cue.SPEECH_STOPPED, out)

    def turn_left_open(self, out: list[Command]) -> None:
        """The caller is not heard any more, and turn detection does not end their turn: the floor is free."""
        out.append(notes.TurnLeftOpen())
        self._move(Cue.TURN_LEFT_OPEN, out)

    def committed(self, event: model_events.InputCommitted, now_ms: int) -> None:
        """The caller's words became an item; the server answers it when it creates responses."""
        self._deciding = False
        if self._setup.create_response:
            self.responses.committed(now_ms)
        self.history.place(event.item_id, Speaker.CALLER, now_ms, after=event.previous_item_id)

    # -- the model --------------------------------------------------------------------------

    def response_created(self, event: model_events.ResponseCreated, now_ms: int, out: list[Command]) -> None:
        """A response exists; one that was not requested is cancelled before it is heard."""
        response, messages = self.responses.created(
            event.response_id, now_ms, in_conversation=event.in_conversation, purpose=event.purpose
        )
        self.bill.begun(response.id)
        out.extend(SendModel(message) for message in messages)
        if response.asked in (Asked.UNASKED, Asked.OUT_OF_BAND):
            self.playout.cut_off(response.id)  # not for the caller, whatever the server says in it
        if response.asked is Asked.UNASKED:
            out.append(notes.UnaskedResponse())
        elif response.asked is not Asked.OUT_OF_BAND:
            if response.asked is Asked.GREETING:
                self.greeting_id = response.id
            self.timings.response_created(response.id, response.asked.value, now_ms)
            self._move(Cue.RESPONSE_CREATED, out)

    def audio_delta(self, event: model_events.AudioDelta, now_ms: int, out: list[Command]) -> None:
        """A piece of the agent's voice, straight to the phone."""
        self.voice_ms = now_ms
        turn = self.timings.of(event.response_id)
        if turn is not None and turn.first_delta_ms is None:
            turn.first_delta_ms = now_ms
        messages = self.playout.add(event.response_id, event.item_id, event.payload, now_ms)
        self._to_phone(messages, out)
        if messages:
            self._agent_audio_sent(event.response_id, now_ms, out)

    def item_over(self, item_id: str, out: list[Command]) -> None:
        """No more audio of this item."""
        self._to_phone(self.playout.finish_item(item_id), out)

    def response_over(self, response: Response, out: list[Command]) -> None:
        """A response has put out all its audio."""
        self._to_phone(self.playout.finish_response(response.id), out)

    def answered(self, response: Response) -> None:
        """A response has come to its end, and nothing of it is still to come."""
        self.schedule.response_done(answered_caller=response.asked is Asked.CALLER)
        self.greeting_over = self.greeting_over or response.id == self.greeting_id

    def was_interrupted(self, response_id: str) -> bool:
        """The caller took the floor from this response, or has it now."""
        return response_id == self._interrupted_id or self.caller_has_floor

    def session_lost(self, now_ms: int, out: list[Command]) -> None:
        """The model's session is gone: what has become sound will be heard, all else never was."""
        self.transcript.session_lost()
        self.outputs.session_lost(self.batches.call_ids)
        if (active := self.responses.active) is not None:
            self._to_phone(self.playout.finish_response(active.id), out)
            if active.id == self.greeting_id:
                self.greeting_over = True
        self.responses.forget_session()
        self.items.forget()
        self._deciding = self.in_doubt = False
        self._move(Cue.SESSION_LOST, out)

    def drop_unheard(self, now_ms: int) -> None:
        """The call has ended, or begins anew: what is unheard now will never be heard."""
        interruption = self.playout.interrupt(now_ms)
        for cut in interruption.cuts if interruption is not None else ():
            self.transcript.cut(cut, now_ms)

    # -- small parts ------------------------------------------------------------------------

    def settle_floor(self, now_ms: int, out: list[Command]) -> None:
        """When the agent has nothing more to say and all was heard, the floor is free."""
        if not self.playout.silent or self.responses.active is not None:
            return
        thinking = self.batches.running or self._deciding or not self.responses.idle(now_ms)
        if self.floor is Floor.AGENT or (self.floor is Floor.MODEL_THINKING and not thinking):
            self._move(Cue.AGENT_SILENT, out)

    def _agent_audio_sent(self, response_id: str, now_ms: int, out: list[Command]) -> None:
        self.active_ms = now_ms
        self.unanswered = False
        turn = self.timings.of(response_id)
        if turn is not None and turn.sent_ms is None:
            turn.sent_ms = now_ms
            out.append(notes.AgentSpeaks(turn.answer_gap_ms))
        self._move(Cue.AGENT_AUDIO, out)

    def _move(self, cue: Cue, out: list[Command]) -> None:
        floor = move(self.floor, cue)
        if floor is not self.floor:
            self.floor = floor
            out.append(notes.FloorMoved(floor.value))

    @staticmethod
    def _to_phone(messages: Iterable[PhoneMessage], out: list[Command]) -> None:
        out.extend(SendPhone(message) for message in messages)
