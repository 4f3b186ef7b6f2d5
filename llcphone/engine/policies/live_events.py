"""What only a Live session says: words with times, seconds, and that it is over.

Turns, interruptions and the moment of an answer are the model's own. The caller's words come about 1.2 s
after they were said, often when the answer to them has begun. So what follows from them is reckoned from
when they were said, and they never silence the agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine.commands import Command, EndCall
from llcphone.engine.events import EndReason
from llcphone.engine.resumed import Owed
from llcphone.realtime import events as model_events

if TYPE_CHECKING:
    from llcphone.engine.policies.live_tool_calls import LiveToolCalls
    from llcphone.engine.policies.peers import Policies
    from llcphone.engine.state import CallState, Handler

_OURS = "close_requested"
_MODERATED = "content"


class LiveEvents:
    """The events of one call's Live sessions."""

    def __init__(self, state: CallState, policies: Policies, tools: LiveToolCalls, voice: Handler) -> None:
        """``voice``: what is done with a piece of the agent's voice of any session."""
        self._state, self._policies, self._tools, self._voice = state, policies, tools, voice
        self._moderated = False
        """A session has ended for what was said in it."""

    def handlers(self) -> dict[type, Handler]:
        """What is done by each."""
        return {
            model_events.AudioDelta: self._audio_delta,
            model_events.CallerWords: self._caller_words,
            model_events.CallerTranscript: self._caller_transcript,
            model_events.BackendDone: self._tools.backend_done,
            model_events.Seconds: lambda event, now, out: self._state.talk.bill.lasted(event.total, out),
            model_events.SessionClosed: self._closed,
        }

    def _audio_delta(self, event: model_events.AudioDelta, now_ms: int, out: list[Command]) -> None:
        talk = self._state.talk
        self._state.model_alive_ms = now_ms
        if not event.quiet:
            talk.note_lead(now_ms)
            self._voice(event, now_ms, out)
        elif talk.playout.is_cut_off(event.response_id):
            talk.late_deltas += 1
        else:
            if self._state.pending.owed is not Owed.NOTHING:  # before it is queued: a filler may be
                self._policies.recovery.agent_speaks(now_ms, out)
            if self._tools.filling:
                self._tools.agent_speaks(out)
            talk.pause(event, now_ms, out)

    def _caller_words(self, event: model_events.CallerWords, now_ms: int, out: list[Command]) -> None:
        talk = self._state.talk
        from_ms, until_ms = self._said_ms(event.start_ms, now_ms), self._said_ms(event.end_ms, now_ms)
        talk.transcript.caller_fragment(event.item_id, event.text, from_ms)
        self._policies.silence.caller_active()
        if talk.caller_said(until_ms, now_ms, out):
            self._policies.recovery.caller_speaks(now_ms)
            self._policies.alarms.answer_due(now_ms)

    def _said_ms(self, place_ms: int | None, now_ms: int) -> int:
        """When something was said that lies here in the session's audio."""
        if place_ms is None:
            return now_ms
        appended_ms = self._state.appended_bytes // BYTES_PER_MS
        return now_ms - max(0, appended_ms - place_ms)

    def _caller_transcript(
        self, event: model_events.CallerTranscript, now_ms: int, out: list[Command]
    ) -> None:
        self._state.talk.transcript.caller_words(event, now_ms, out)
        self._state.talk.caller_is_quiet(now_ms, out)

    def _closed(self, event: model_events.SessionClosed, now_ms: int, out: list[Command]) -> None:
        if event.reason == _OURS:
            return
        if event.reason == _MODERATED and self._moderated:
            self._policies.recovery.cannot_be_had()  # a third one would hear the same
        self._moderated = self._moderated or event.reason == _MODERATED
        out.append(EndCall(EndReason.MODEL_LOST))
