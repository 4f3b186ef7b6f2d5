"""The conversation on a configured session: whose turn it is, what is said, and what of it was heard.

``policies.barge_in`` decides what becomes of the agent's voice when the caller takes the floor.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel, SendPhone
from llcphone.engine.parts.bill import Bill
from llcphone.engine.parts.floor import FLOOR, Cue
from llcphone.engine.parts.live_responses import LiveResponses
from llcphone.engine.parts.live_speech import LiveSpeech
from llcphone.engine.parts.model_session import Schedule
from llcphone.engine.parts.playout import Playout
from llcphone.engine.parts.response_items import ResponseItems
from llcphone.engine.parts.responses import Asked, Response, Responses
from llcphone.engine.parts.sent_audio import Kind
from llcphone.engine.parts.speech import RealtimeSpeech
from llcphone.engine.parts.tool_batches import ToolBatches
from llcphone.engine.parts.tool_outputs import ToolOutputs
from llcphone.engine.parts.transcript import TranscriptBuilder
from llcphone.engine.parts.turn_times import Turn, TurnTimings, vad_silence_ms
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor
from llcphone.twilio.media import Clear, PhoneMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.parts.speech import Speech
    from llcphone.realtime import events as model_events


def _speech_of(setup: CallSetup) -> tuple[Responses, Speech]:
    """How the model of this call is asked to speak."""
    wait_ms = setup.limits.response_wait_ms
    if setup.live is None:
        responses = Responses(response_wait_ms=wait_ms)
        return responses, RealtimeSpeech(responses)
    asked = LiveResponses(response_wait_ms=wait_ms, again_ms=setup.live.greeting_again_ms)
    return asked, LiveSpeech(asked, setup.recovery.texts)


FLOORS_KEPT = 4_000
"""An hour of quick talk. A call with more is shown without the rest."""


class Conversation:
    """What is said, by whom, and what of it was heard."""

    # fmt: off
    __slots__ = (
        "_setup", "active_ms", "ask", "barge_ins", "batches", "bill", "deciding", "failed_responses",
        "floor", "floors", "greeting_id", "greeting_over", "history", "in_doubt", "interrupted_id",
        "items", "late_deltas", "leads", "outputs", "playout", "pressing_until_ms", "primed",
        "responses", "retold", "said_ms", "schedule", "speech", "speech_from_ms", "tell", "timings",
        "transcript", "unanswered", "voice_ms",
    )
    # fmt: on

    def __init__(self, setup: CallSetup) -> None:
        self._setup = setup
        self.playout = Playout(mark_every_ms=setup.limits.mark_every_ms)
        self.responses, self.speech = _speech_of(setup)
        self.ask, self.tell = self.speech.ask, self.speech.tell
        self.transcript = TranscriptBuilder(self.playout, speed=float(setup.session.get("speed") or 1.0))
        self.history = self.transcript.history
        self.timings = TurnTimings(silence_ms=vad_silence_ms(setup.session))
        self.schedule = Schedule(setup.schedule)
        # A backend that is not continued answers nothing any more: no tool of its own is silent.
        self.batches = ToolBatches(setup.tools, setup.silent_tools if setup.live is None else frozenset())
        self.outputs = ToolOutputs(self.responses, self.transcript)
        self.bill = Bill(setup.money)
        self.floor = Floor.NOBODY
        self.floors: list[tuple[int, Floor]] = []
        """Who got the floor, and when; the first `FLOORS_KEPT`."""
        self.greeting_id = ""
        self.greeting_over = False
        self.primed = False
        """The priming response has ended, well or not."""
        self.active_ms = 0
        """When somebody last spoke, for the idle limit."""
        self.voice_ms = 0
        """When the model last gave a piece of the agent's voice."""
        self.said_ms = 0
        """When the latest words of the caller were said, where words have times."""
        self.barge_ins = 0
        self.late_deltas = 0
        self.leads: Counter[int] = Counter()
        """How late pieces of a Live session's voice begin to be heard, in steps of 10 ms, and how many."""
        self.failed_responses = 0
        self.retold: set[str] = set()
        """Items that the present session has as text only: an older session had spoken them."""
        self.items = ResponseItems()
        self.speech_from_ms: int | None = None
        """Where turn detection dates the caller's speech of this moment, its padding included."""
        self.deciding = False
        """Turn detection said stop; the commit that follows has not arrived yet."""
        self.interrupted_id = ""
        """The response that the caller interrupted last."""
        self.unanswered = False
        """The caller has not heard the agent since they spoke, or since they are to be greeted."""
        self.in_doubt = False
        """Somebody speaks over the agent: perhaps the caller (``policies.echo_guard``)."""
        self.pressing_until_ms = 0

    @property
    def caller_has_floor(self) -> bool:
        """The caller speaks, or may, or has just stopped and the turn is being committed."""
        return self.floor is Floor.CALLER or self.deciding or self.in_doubt

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
            voice = span.size if self._setup.live is None else self.playout.voice_in(span)
            if not voice:
                continue
            self.active_ms = now_ms
            begun = self.timings.heard(span.response_id, voice // BYTES_PER_MS, now_ms) or begun
        return begun

    def press(self, tones: tuple[bytes, ...], now_ms: int, out: list[Command]) -> None:
        """Press keys by their tones, after what the agent is saying; no barge-in may cut them."""
        self.play(tones, "keys", now_ms, out)
        self.pressing_until_ms = max(now_ms, self.playout.ends_ms)
        out.append(notes.KeysPressed())

    def play(
        self, stored: Iterable[bytes], what: str, now_ms: int, out: list[Command], *, line_id: str = ""
    ) -> None:
        """Play stored audio, base64 payloads: it takes its time, and is the system's in the history."""
        for payload in stored:
            self._to_phone(self.playout.filler(payload, now_ms), out)
        self.history.place(line_id or f"{what} {now_ms}", Speaker.SYSTEM, now_ms).text = f"({what})"

    def drop_fillers(self, out: list[Command]) -> None:
        """The agent's voice does not wait for the end of a filler."""
        if self.playout.drop_fillers():
            out.append(SendPhone(Clear()))

    # -- the caller -------------------------------------------------------------------------

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
        self.deciding = True
        self.move(Cue.SPEECH_STOPPED, now_ms, out)

    def turn_left_open(self, now_ms: int, out: list[Command]) -> None:
        """The caller is not heard any more, and turn detection does not end their turn: the floor is free."""
        out.append(notes.TurnLeftOpen())
        self.move(Cue.TURN_LEFT_OPEN, now_ms, out)

    def committed(self, event: model_events.InputCommitted, now_ms: int) -> None:
        """The caller's words became an item; the server answers it when it creates responses."""
        self.deciding = False
        if self._setup.create_response:
            self.responses.committed(now_ms)
        self.history.place(event.item_id, Speaker.CALLER, now_ms, after=event.previous_item_id)

    def caller_said(self, said_ms: int, now_ms: int, out: list[Command]) -> bool:
        """Words of the caller have come, which were said until ``said_ms``.

        Returns whether the agent has not spoken since then. Else it has answered them, or speaks over them.
        """
        self.said_ms = max(self.said_ms, said_ms)
        self.active_ms = max(self.active_ms, said_ms)
        self.timings.caller_said(said_ms)
        if said_ms <= self.voice_ms:
            return False
        self.unanswered = True
        self.move(Cue.CALLER_WORDS, now_ms, out)
        return True

    def caller_is_quiet(self, now_ms: int, out: list[Command]) -> None:
        """No more of the caller's words came for a while, or the agent speaks."""
        self.move(Cue.CALLER_WORDS_OVER, now_ms, out)

    # -- the model --------------------------------------------------------------------------

    def response_created(self, event: model_events.ResponseCreated, now_ms: int, out: list[Command]) -> None:
        """A response exists; one that was not requested is cancelled before it is heard."""
        response, messages = self.responses.created(
            event.response_id, now_ms, in_conversation=event.in_conversation, purpose=event.purpose
        )
        if self._setup.live is None:  # an utterance has no tokens of its own
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
            if self._setup.live is not None:  # the model decides whose turn it is
                self.caller_is_quiet(now_ms, out)
            self.move(Cue.RESPONSE_CREATED, now_ms, out)

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

    def pause(self, event: model_events.AudioDelta, now_ms: int, out: list[Command]) -> None:
        """A pause before or in a voice that comes in real time; left out where more than the cushion waits.

        What once came late would stay late for the rest of the call.
        """
        cushion_ms = 0 if self._setup.live is None else self._setup.live.cushion_ms
        if self.playout.lead_ms(now_ms) > cushion_ms:
            self.playout.leave_out(event.item_id, event.payload)
            return
        self._to_phone(self.playout.add(event.response_id, event.item_id, event.payload, now_ms), out)
        turn = self.timings.of(event.response_id)
        if turn is not None and turn.first_delta_ms is None:
            self.playout.began_quiet(event.item_id)

    def note_lead(self, now_ms: int) -> None:
        """A piece of voice has come: how long it waits to be heard."""
        if self.playout.started:
            self.leads[self.playout.lead_ms(now_ms) // 10 * 10] += 1

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
        return response_id == self.interrupted_id or self.caller_has_floor

    def session_lost(self, now_ms: int, out: list[Command]) -> None:
        """The model's session is gone: what has become sound will be heard, all else never was."""
        self.bill.session_over(now_ms, out)
        self.transcript.session_lost()
        self.outputs.session_lost(self.batches.call_ids)
        if (active := self.responses.active) is not None:
            self._to_phone(self.playout.finish_response(active.id), out)
            if active.id == self.greeting_id:
                self.greeting_over = True
        self.responses.forget_session()
        self.items.forget()
        self.deciding = self.in_doubt = False
        self.move(Cue.SESSION_LOST, now_ms, out)

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
        thinking = self.batches.running or self.deciding or not self.responses.idle(now_ms)
        if self.floor is Floor.AGENT or (self.floor is Floor.MODEL_THINKING and not thinking):
            self.move(Cue.AGENT_SILENT, now_ms, out)

    def _agent_audio_sent(self, response_id: str, now_ms: int, out: list[Command]) -> None:
        self.active_ms = now_ms
        self.unanswered = False
        turn = self.timings.of(response_id)
        if turn is not None and turn.sent_ms is None:
            turn.sent_ms = now_ms
            out.append(notes.AgentSpeaks(turn.answer_gap_ms))
        self.move(Cue.AGENT_AUDIO, now_ms, out)

    def move(self, cue: Cue, now_ms: int, out: list[Command]) -> None:
        """Something has happened that may give the floor to somebody else."""
        floor = FLOOR.get((self.floor, cue), self.floor)
        if floor is not self.floor:
            self.floor = floor
            if len(self.floors) < FLOORS_KEPT:
                self.floors.append((now_ms, floor))
            out.append(notes.FloorMoved(floor.value))

    @staticmethod
    def _to_phone(messages: Iterable[PhoneMessage], out: list[Command]) -> None:
        out.extend(SendPhone(message) for message in messages)
