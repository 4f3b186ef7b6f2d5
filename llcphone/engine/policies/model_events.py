"""The model leg's events: first towards a configured session, then towards the conversation.

``Setup`` keeps how far the session is; this file lets its events act on the rest of the call, and
drops what an older leg still says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import events as happened
from llcphone.engine.commands import Command, EndCall, Note, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.connecting import Phase
from llcphone.engine.parts.event_order import LATE_MS, Order
from llcphone.engine.parts.floor import Floor
from llcphone.engine.parts.responses import GREETING, PRIMING
from llcphone.engine.policies.recovery import Owed
from llcphone.engine.policies.resume import go_on
from llcphone.realtime import events as said
from llcphone.realtime.messages import CreateResponse, UserText

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.call import CallEngine

_OfLeg = happened.ModelConnected | happened.ModelConnectFailed | happened.ModelLegLost | happened.ModelSaid


class ModelSide:
    """The model's half of one call's engine."""

    def __init__(self, engine: CallEngine) -> None:
        self._engine = engine
        self._setup = engine.model
        self._turn_ends_ms: int | None = None
        """Where the turn now being committed ends, in the session's audio."""
        self._order = Order()
        self._stopped = False
        """The caller's turn is over, its commit still to come."""
        self._stop_made_ms: int | None = None
        """When a commit ended a turn of which no end had been told: the word of it comes late, or never."""
        talk = engine.talk
        self._on_said: dict[type, Callable[[Any, int, list[Command]], None]] = {
            said.SessionUpdated: lambda event, now, out: engine.model.in_force.taken(),
            said.SpeechStarted: self._speech_started,
            said.SpeechStopped: self._speech_stopped,
            said.InputCommitted: self._committed,
            said.CallerTranscript: talk.scribe.caller_words,
            said.ItemAdded: self._item_added,
            said.ResponseCreated: talk.response_created,
            said.AudioDelta: self._audio_delta,
            said.AudioDone: lambda event, now, out: talk.item_over(event.item_id, out),
            said.OutputItemAdded: lambda event, now, out: talk.items.saw(event.response_id, event.item),
            said.OutputItemDone: self._output_item_done,
            said.TranscriptDelta: self._agent_words,
            said.TranscriptDone: self._agent_words,
            said.TextDelta: self._text_words,
            said.RateLimits: engine.owing.limits,
            said.ResponseDone: self._response_done,
            said.ModelError: self._error,
            said.UnknownModelEvent: engine.unknown,
        }

    def handlers(self) -> dict[type, Callable[[Any, int, list[Command]], None]]:
        """The events of model legs."""
        return {
            happened.ModelConnected: self._connected,
            happened.ModelConnectFailed: self._connect_failed,
            happened.ModelLegLost: self._lost,
            happened.ModelExpires: self._expires,
            happened.ModelSaid: self._said,
        }

    def _connected(self, event: happened.ModelConnected, now_ms: int, out: list[Command]) -> None:
        if not self._is_of_session(event, now_ms, out):
            return
        self._engine.renewal.began(now_ms)
        out.append(Note("model connected", {"dialect": event.dialect.value}))
        out += self._setup.connected(event)

    def _connect_failed(self, event: happened.ModelConnectFailed, now_ms: int, out: list[Command]) -> None:
        if self._is_of_session(event, now_ms, out) and not self._setup.ready:
            out.append(Note("model connect failed", {"code": event.code}))
            out += self._setup.connect_failed(event, now_ms)

    def _expires(self, event: happened.ModelExpires, now_ms: int, out: list[Command]) -> None:
        self._engine.renewal.expires(event.generation, event.in_ms, now_ms)

    def _lost(self, event: happened.ModelLegLost, now_ms: int, out: list[Command]) -> None:
        if not self._is_of_session(event, now_ms, out):
            return
        if event.busy:
            self._engine.patience.heed(event.retry_after_ms, now_ms)
        if self._setup.ready:
            out.append(EndCall(EndReason.MODEL_LOST))
        else:
            out.append(Note("model connect failed", {"code": f"closed_{event.code}"}))
            out += self._setup.leg_lost(event, now_ms)

    def _said(self, event: happened.ModelSaid, now_ms: int, out: list[Command]) -> None:
        if not self._is_of_session(event, now_ms, out):
            return
        message = event.event
        self._engine.model_spoke_ms = now_ms
        if self._setup.ready:
            method = self._on_said.get(type(message))
            if method is not None and not self._order.comes_late(message, now_ms):
                method(message, now_ms, out)
        elif isinstance(message, said.SessionUpdated):
            out += self._setup.updated(message, now_ms)
            if self._setup.ready:
                self._session_ready(now_ms, out)
        elif isinstance(message, said.ModelError):
            fields = {"code": message.code, "param": message.param}
            out.append(Note("session refused", fields))
            out += self._setup.refused(message, now_ms)
        elif isinstance(message, said.UnknownModelEvent):
            self._engine.unknown(message, now_ms, out)

    def _session_ready(self, now_ms: int, out: list[Command]) -> None:
        engine, plan = self._engine, self._engine.setup
        self._stopped, self._stop_made_ms = False, None
        if engine.recovery.recovering:
            engine.recovery.restored(now_ms, out)
            return
        engine.ready_ms = now_ms
        out.append(Note("session ready", {"took_ms": now_ms - engine.born_ms}))
        if plan.priming:
            out.append(SendModel(CreateResponse(PRIMING, priming=True)))
        if plan.resumed is not None:
            go_on(engine, plan.resumed, now_ms, out)
        elif plan.greets:
            out.append(SendModel(UserText(plan.greeting_cue)))
            engine.talk.responses.want(GREETING)
        engine.append(engine.listening.session_ready(now_ms), out)

    # -- the conversation, and what it means for a session that may be lost ------------------

    def _speech_started(self, event: said.SpeechStarted, now_ms: int, out: list[Command]) -> None:
        engine = self._engine
        self._stop_made_ms = None
        from_ms = event.audio_start_ms
        engine.talk.speech_from_ms = None if from_ms is None else now_ms - max(0, self._appended_ms - from_ms)
        engine.recall.speech_started()
        if engine.echo.doubts(event, now_ms):
            return
        engine.recovery.caller_speaks(now_ms)
        engine.silence.caller_active()
        engine.talk.speech_started(event, now_ms, out)

    def _speech_stopped(self, event: said.SpeechStopped, now_ms: int, out: list[Command]) -> None:
        made_ms, self._stop_made_ms = self._stop_made_ms, None
        if made_ms is not None and now_ms - made_ms <= LATE_MS:
            return
        self._stopped = True
        self._turn_ends_ms = event.audio_end_ms
        self._engine.talk.speech_from_ms = None
        self._engine.alarms.answer_due(now_ms)
        if self._engine.echo.dismisses(event, out):
            return
        self._engine.talk.speech_stopped(event, now_ms, self._appended_ms, out)

    def _committed(self, event: said.InputCommitted, now_ms: int, out: list[Command]) -> None:
        if not self._stopped and self._engine.talk.floor is Floor.CALLER:
            self._speech_stopped(said.SpeechStopped(event.item_id), now_ms, out)
            self._stop_made_ms = now_ms
        self._stopped = False
        by_hand_ms = self._engine.manual.committed()
        ends_ms = self._appended_ms if by_hand_ms is None else by_hand_ms
        ends_ms = ends_ms if self._turn_ends_ms is None else self._turn_ends_ms
        self._turn_ends_ms = None
        self._engine.recall.committed(event.item_id, max(0, self._appended_ms - ends_ms))
        self._engine.manual.turn_begins()
        self._engine.recovery.stall.turn_over()
        if not self._engine.echo.drops(event, out):
            self._engine.talk.committed(event, now_ms)
            self._engine.echo.committed()

    def _audio_delta(self, event: said.AudioDelta, now_ms: int, out: list[Command]) -> None:
        engine = self._engine
        if engine.talk.in_doubt:  # the alarm may be late: nothing is sent that is to be cleared at once
            engine.echo.believe(now_ms, out)
        if engine.recovery.owed is not Owed.NOTHING and not engine.talk.playout.is_cut_off(event.response_id):
            engine.recovery.agent_speaks(now_ms, out)
        engine.talk.audio_delta(event, now_ms, out)

    def _agent_words(
        self, event: said.TranscriptDelta | said.TranscriptDone, now_ms: int, out: list[Command]
    ) -> None:
        self._engine.talk.items.saw_words(event.response_id, event.item_id)
        self._engine.talk.scribe.agent_words(event, now_ms, out)

    def _text_words(self, event: said.TextDelta, now_ms: int, out: list[Command]) -> None:
        self._engine.talk.items.saw_words(event.response_id, event.item_id)
        self._engine.talk.scribe.text_words(event, now_ms, out)

    def _output_item_done(self, event: said.OutputItemDone, now_ms: int, out: list[Command]) -> None:
        self._engine.talk.items.saw(event.response_id, event.item)
        self._engine.talk.item_over(event.item.id, out)

    def _response_done(self, event: said.ResponseDone, now_ms: int, out: list[Command]) -> None:
        engine = self._engine
        spoken = event.in_conversation and engine.talk.playout.items_of(event.response_id)
        if spoken and event.status is said.ResponseStatus.COMPLETED:
            engine.recall.answered()
            engine.patience.answered(engine.talk.ledger.first_sound_ms(event.response_id))
        outcome = engine.talk.response_done(event, now_ms, out)
        if outcome is not None:
            engine.owing.over(outcome, now_ms, out)
        engine.renewal.response_done(event, now_ms)

    def _error(self, event: said.ModelError, now_ms: int, out: list[Command]) -> None:
        if name := self._setup.in_force.refused(event):
            fields = {"what": name, "code": event.code, "param": event.param}
            out.append(Note("session update refused", fields))
            return
        if self._engine.talk.desk.outputs.refused(event, out):
            return
        self._engine.owing.error(event, now_ms, out)
        if event.code == "input_audio_buffer_commit_empty":
            self._engine.manual.refused(now_ms, out)

    @property
    def _appended_ms(self) -> int:
        """Caller audio that the present session has."""
        return self._engine.appended_bytes // BYTES_PER_MS

    def _item_added(self, event: said.ItemAdded, now_ms: int, out: list[Command]) -> None:
        if event.item.type == "function_call_output":
            self._engine.talk.desk.outputs.acked(event.item.call_id)

    def _is_of_session(self, event: _OfLeg, now_ms: int, out: list[Command]) -> bool:
        """Whether it is the present session's; the successor's is handed on, an older one's dropped."""
        setup, engine = self._setup, self._engine
        if event.generation == setup.generation and setup.phase not in (Phase.EXPIRED, Phase.GIVEN_UP):
            return True
        if engine.renewal.owns(event.generation):
            engine.renewal.handle(event, now_ms, out)
        else:
            engine.stale_events += 1
        return False
