"""Events of the model's legs: first during the set-up of a session, then in the conversation.

``SessionSetup`` keeps the state of the set-up. This file lets the events act on the rest of the call, and
drops events of older legs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import events, notes
from llcphone.engine.commands import Command, EndCall, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts.event_order import LATE_MS, EventOrder
from llcphone.engine.parts.model_session import Phase
from llcphone.engine.parts.responses import GREETING, PRIMING
from llcphone.engine.policies.live_events import LiveEvents
from llcphone.engine.policies.live_tool_calls import LiveToolCalls
from llcphone.engine.policies.resume import go_on
from llcphone.engine.resumed import Owed
from llcphone.engine.status import Floor
from llcphone.realtime import events as model_events
from llcphone.realtime.messages import CreateResponse
from llcphone.realtime.unsupported import COMMITTED, OUT_OF_BAND

if TYPE_CHECKING:
    from llcphone.engine.policies.peers import Policies
    from llcphone.engine.state import CallState, Handler

_MOST_MISSING = 2
"""Turns answered without a commit until an endpoint counts as one that sends none."""

_Words = model_events.TranscriptDelta | model_events.TranscriptDone | model_events.TextDelta
_OfLeg = events.ModelConnected | events.ModelConnectFailed | events.ModelLegLost | events.ModelSaid


class ModelEvents:
    """What the model's legs say, and what it means for the call."""

    def __init__(self, state: CallState, policies: Policies) -> None:
        self._state, self._policies = state, policies
        self._session, self._talk, self._pending = state.session, state.talk, state.pending
        self._turn_ends_ms: int | None = None
        """Where the turn now being committed ends, in the session's audio."""
        self._order = EventOrder()
        self._stopped = False
        """The caller's turn is over, its commit still to come."""
        self._turn_item = ""
        """Of that turn, if the server has named it."""
        self._commits = self._missing_commits = 0
        """Turns of this session that were committed, and those that were answered without."""
        self._stop_made_ms: int | None = None
        """When a commit ended a turn without ``speech_stopped``, which then comes late or never."""
        talk = state.talk
        self._on_said: dict[type, Handler] = {
            model_events.SessionUpdated: lambda event, now, out: state.session.in_force.taken(),
            model_events.SpeechStarted: self._speech_started,
            model_events.SpeechStopped: self._speech_stopped,
            model_events.InputCommitted: self._input_committed,
            model_events.CallerTranscript: talk.transcript.caller_words,
            model_events.ItemAdded: self._item_added,
            model_events.ResponseCreated: self._response_created,
            model_events.AudioDelta: self._audio_delta,
            model_events.AudioDone: lambda event, now, out: talk.item_over(event.item_id, out),
            model_events.OutputItemAdded: lambda event, now, out: talk.items.saw(
                event.response_id, event.item
            ),
            model_events.OutputItemDone: self._output_item_done,
            model_events.TranscriptDelta: self._agent_words,
            model_events.TranscriptDone: self._agent_words,
            model_events.TextDelta: self._agent_words,
            model_events.RateLimits: self._policies.replies.limits,
            model_events.ResponseDone: self._response_done,
            model_events.ModelError: self._error,
            model_events.UnknownModelEvent: state.unknown,
        }
        if isinstance(tools := policies.tools, LiveToolCalls):
            self._on_said |= LiveEvents(state, policies, tools, self._audio_delta).handlers()

    def handlers(self) -> dict[type, Handler]:
        """The events of model legs."""
        return {
            events.ModelConnected: self._connected,
            events.ModelConnectFailed: self._connect_failed,
            events.ModelLegLost: self._lost,
            events.ModelExpires: self._policies.renewal.expires,
            events.ModelSaid: self._said,
            events.EndpointsDown: lambda event, now, out: self._session.endpoints.are_down(event.numbers),
        }

    def _connected(self, event: events.ModelConnected, now_ms: int, out: list[Command]) -> None:
        self._policies.unsupported.connected(event)
        if not self._is_of_session(event, now_ms, out):
            return
        self._policies.renewal.began(now_ms)
        out.append(notes.ModelConnected(event.dialect.value))
        out += self._policies.connecting.connected(event)

    def _connect_failed(self, event: events.ModelConnectFailed, now_ms: int, out: list[Command]) -> None:
        if self._is_of_session(event, now_ms, out) and not self._session.ready:
            out.append(notes.ModelConnectFailed(event.code, self._session.endpoint))
            out += self._policies.connecting.connect_failed(event, now_ms)

    def _lost(self, event: events.ModelLegLost, now_ms: int, out: list[Command]) -> None:
        if not self._is_of_session(event, now_ms, out):
            return
        if event.busy:
            self._state.retry.heed(event.retry_after_ms, now_ms)
        if self._session.ready:
            out.append(EndCall(EndReason.MODEL_LOST))
        else:
            out.append(notes.ModelConnectFailed(f"closed_{event.code}", self._session.endpoint))
            out += self._policies.connecting.leg_lost(event, now_ms)

    def _said(self, event: events.ModelSaid, now_ms: int, out: list[Command]) -> None:
        if not self._is_of_session(event, now_ms, out):
            return
        message = event.event
        self._state.model_spoke_ms = now_ms
        if self._session.ready:
            method = self._on_said.get(type(message))
            if method is not None and not self._order.comes_late(message, now_ms):
                method(message, now_ms, out)
        elif isinstance(message, model_events.SessionUpdated):
            out += self._policies.connecting.updated(message, now_ms)
            if self._session.ready:
                self._session_ready(now_ms, out)
        elif isinstance(message, model_events.ModelError):
            out.append(notes.SessionRefused(message.code, message.param, self._session.endpoint))
            connecting = self._policies.connecting
            if not connecting.speaks_ga(message) and self._policies.unsupported.opening_refused(message, out):
                out += connecting.ask_again()
            else:
                out += connecting.refused(message, now_ms)
        elif isinstance(message, model_events.UnknownModelEvent):
            self._state.unknown(message, now_ms, out)

    def _session_ready(self, now_ms: int, out: list[Command]) -> None:
        state, setup = self._state, self._state.setup
        self._stopped, self._stop_made_ms = False, None
        if setup.live is not None:
            state.talk.bill.session_began(now_ms)
            state.model_alive_ms = now_ms
        state.talk.bill.goes_by(self._session.plan.rates)
        self._commits, self._missing_commits = 0, 0
        if self._policies.recovery.recovering:
            self._policies.recovery.restored(now_ms, out)
            return
        state.ready_ms = now_ms
        out.append(notes.SessionReady(now_ms - state.born_ms, self._session.endpoint))
        if setup.priming:
            state.talk.primed = self._policies.unsupported.lacks(OUT_OF_BAND)
            out.append(SendModel(CreateResponse(PRIMING, priming=True)))
        if setup.resumed is not None:
            go_on(state, setup.resumed, now_ms, out)
        elif setup.greets:
            state.talk.ask(GREETING, setup.greeting_cue, out)
        state.append(state.gate.session_ready(now_ms), out)

    # -- the conversation, and what it means for a session that may be lost ------------------

    def _speech_started(self, event: model_events.SpeechStarted, now_ms: int, out: list[Command]) -> None:
        state = self._state
        self._stop_made_ms = None
        from_ms = event.audio_start_ms
        state.talk.speech_from_ms = None if from_ms is None else now_ms - max(0, self._appended_ms - from_ms)
        state.caller_audio.speech_started()
        if self._policies.echo.doubts(now_ms):
            return
        self._policies.recovery.caller_speaks(now_ms)
        self._policies.silence.caller_active()
        self._policies.barge_in.speech_started(now_ms, out)

    def _speech_stopped(self, event: model_events.SpeechStopped, now_ms: int, out: list[Command]) -> None:
        made_ms, self._stop_made_ms = self._stop_made_ms, None
        if made_ms is not None and now_ms - made_ms <= LATE_MS:
            return
        self._stopped, self._turn_item = True, event.item_id
        self._turn_ends_ms = event.audio_end_ms
        self._state.talk.speech_from_ms = None
        self._policies.alarms.answer_due(now_ms)
        if self._policies.echo.dismisses(event, out):
            return
        self._state.talk.speech_stopped(event, now_ms, self._appended_ms, out)
        if self._policies.unsupported.lacks(COMMITTED):
            self._commit_in_its_place(now_ms, out)

    def _commit_in_its_place(self, now_ms: int, out: list[Command]) -> None:
        """The turn that has stopped is over, though no commit says so."""
        committed = model_events.InputCommitted(self._turn_item or f"turn-{now_ms}")
        self._order.comes_late(committed, now_ms)  # should it come after all, it is the same
        self._committed(committed, now_ms, out)

    def _input_committed(self, event: model_events.InputCommitted, now_ms: int, out: list[Command]) -> None:
        self._commits += 1
        self._committed(event, now_ms, out)

    def _response_created(self, event: model_events.ResponseCreated, now_ms: int, out: list[Command]) -> None:
        waits = self._stopped and self._talk.deciding and event.in_conversation
        if waits and not self._talk.responses.expects(event.purpose):
            # The answer to a turn that was never committed: some servers do not say so.
            self._missing_commits += 1
            if self._missing_commits >= _MOST_MISSING and not self._commits:
                self._policies.unsupported.learn(COMMITTED, out)
            self._commit_in_its_place(now_ms, out)
        self._talk.response_created(event, now_ms, out)

    def _committed(self, event: model_events.InputCommitted, now_ms: int, out: list[Command]) -> None:
        if not self._stopped and self._state.talk.floor is Floor.CALLER:
            self._speech_stopped(model_events.SpeechStopped(event.item_id), now_ms, out)
            self._stop_made_ms = now_ms
        self._stopped = False
        by_hand_ms = self._policies.manual.committed()
        ends_ms = self._appended_ms if by_hand_ms is None else by_hand_ms
        ends_ms = ends_ms if self._turn_ends_ms is None else self._turn_ends_ms
        self._turn_ends_ms = None
        self._state.caller_audio.committed(event.item_id, max(0, self._appended_ms - ends_ms))
        self._policies.manual.turn_begins()
        self._policies.stall.turn_over()
        if not self._policies.echo.drops(event, out):
            self._state.talk.committed(event, now_ms)
            self._policies.echo.committed()

    def _audio_delta(self, event: model_events.AudioDelta, now_ms: int, out: list[Command]) -> None:
        talk = self._talk
        if talk.in_doubt:  # the alarm may be late: nothing is sent that is to be cleared at once
            self._policies.echo.believe(now_ms, out)
        if talk.playout.is_cut_off(event.response_id):
            talk.late_deltas += 1
            return
        if self._pending.owed is not Owed.NOTHING:
            self._policies.recovery.agent_speaks(now_ms, out)
        if self._policies.tools.filling:
            self._policies.tools.agent_speaks(out)
        talk.audio_delta(event, now_ms, out)

    def _agent_words(self, event: _Words, now_ms: int, out: list[Command]) -> None:
        self._talk.items.saw_words(event.response_id, event.item_id)
        if isinstance(event, model_events.TextDelta):
            self._talk.transcript.text_words(event, now_ms)
        else:
            self._talk.transcript.agent_words(event, now_ms, out)

    def _output_item_done(self, event: model_events.OutputItemDone, now_ms: int, out: list[Command]) -> None:
        self._state.talk.items.saw(event.response_id, event.item)
        self._state.talk.item_over(event.item.id, out)

    def _response_done(self, event: model_events.ResponseDone, now_ms: int, out: list[Command]) -> None:
        state = self._state
        spoken = event.in_conversation and state.talk.playout.items_of(event.response_id)
        if spoken and event.status is model_events.ResponseStatus.COMPLETED:
            state.caller_audio.answered()
            state.retry.answered(state.talk.timings.first_sound_ms(event.response_id))
        self._policies.replies.response_done(event, now_ms, out)
        self._policies.renewal.response_done(event)

    def _error(self, event: model_events.ModelError, now_ms: int, out: list[Command]) -> None:
        if name := self._session.in_force.refused(event):
            out.append(notes.SessionUpdateRefused(name, event.code, event.param))
            return
        if self._state.talk.outputs.refused(event, out):
            return
        if self._policies.unsupported.refused(event, out):
            out.append(notes.ModelError(event.code, event.param))
            return
        self._policies.replies.error(event, now_ms, out)
        if event.code == "input_audio_buffer_commit_empty":
            self._policies.manual.refused(now_ms, out)

    @property
    def _appended_ms(self) -> int:
        """Caller audio that the present session has."""
        return self._state.appended_bytes // BYTES_PER_MS

    def _item_added(self, event: model_events.ItemAdded, now_ms: int, out: list[Command]) -> None:
        if event.item.type == "function_call_output":
            self._state.talk.outputs.acked(event.item.call_id)

    def _is_of_session(self, event: _OfLeg, now_ms: int, out: list[Command]) -> bool:
        """Whether it is the present session's; the successor's is handed on, an older one's dropped."""
        session, state = self._session, self._state
        if event.leg_number == session.leg_number and session.phase not in (Phase.EXPIRED, Phase.GIVEN_UP):
            return True
        if self._policies.renewal.owns(event.leg_number):
            self._policies.renewal.handle(event, now_ms, out)
        else:
            state.stale_events += 1
        return False
