"""Manual turns: the application says when the caller's turn ends; no detector does.

With ``turn_detection`` null the server detects no turns: the input buffer fills until it is committed,
and the server neither answers nor interrupts by itself. So:

    interrupt  does what a barge-in does: clears the phone, truncates the item, cancels the response
    clear      empties the buffer: what was said so far is no part of the next turn
    commit     makes the buffer an item, and a ``response.create`` follows through the sequencer
    respond    sends a ``response.create`` alone, in any mode

The server refuses a buffer of less than 100 ms with ``input_audio_buffer_commit_empty``, perhaps a second
later. So a buffer that is too short is not committed at all, and a refusal that comes all the same takes
the answer back. A commit during the replacement of a session waits for the next session, which gets the
kept audio first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import events, notes
from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.responses import HOST, TURN
from llcphone.realtime.messages import ClearInput, CommitInput

if TYPE_CHECKING:
    from llcphone.engine.policies.barge_in import BargeIn
    from llcphone.engine.policies.silence import Silence
    from llcphone.engine.state import CallState, Handler

SHORTEST_MS = 100
"""What the server wants to be committed at least."""


class ManualTurns:
    """What the program around the call asks of its turns."""

    def __init__(self, state: CallState, *, barge_in: BargeIn, silence: Silence) -> None:
        self._state, self._barge_in, self._silence = state, barge_in, silence
        self._leg_number = 0
        self._from_bytes = 0
        """Where the present buffer begins, in the caller audio that the session was sent."""
        self._ends: list[int] = []
        """Where committed turns end, in ms of the session's audio; their items are still to come."""
        self._waiting: events.TurnCommitted | None = None
        self._unanswered = False
        """The caller's last committed turn has no answer, and only we can ask for one."""

    def handlers(self) -> dict[type, Handler]:
        """What the call's handle asks for."""
        return {
            events.TurnCommitted: self._commit,
            events.TurnCleared: self._clear,
            events.InterruptAsked: lambda event, now, out: self._barge_in.interrupt(
                now, out, by_caller=False
            ),
            events.ResponseAsked: self._respond,
        }

    # -- asked for --------------------------------------------------------------------------

    def _commit(self, event: events.TurnCommitted, now_ms: int, out: list[Command]) -> None:
        state, talk = self._state, self._state.talk
        self._silence.caller_active()
        if not state.session.ready:
            self._waiting = event
            return
        sent_ms = (state.appended_bytes - self._from_bytes) // BYTES_PER_MS
        if sent_ms < SHORTEST_MS:
            out.append(notes.TurnTooShort(sent_ms))
            return
        self._barge_in.interrupt(now_ms, out)
        talk.active_ms = now_ms
        talk.timings.caller_stopped(now_ms, now_ms)
        self._ends.append(state.appended_bytes // BYTES_PER_MS)
        self._from_bytes = state.appended_bytes
        self._unanswered = True
        out.append(SendModel(CommitInput()))
        if event.respond:
            self.answer()

    def _clear(self, event: events.TurnCleared, now_ms: int, out: list[Command]) -> None:
        state = self._state
        self._waiting = None
        self._from_bytes = state.appended_bytes
        state.caller_audio.cleared()
        if state.session.ready:
            out.append(SendModel(ClearInput()))

    def _respond(self, event: events.ResponseAsked, now_ms: int, out: list[Command]) -> None:
        if self._unanswered:
            self.answer()
        else:
            self._state.talk.ask(HOST, "", out)

    def answer(self) -> None:
        """The caller's last turn is to be answered by a create of ours."""
        self._unanswered = False
        self._state.talk.unanswered = True
        self._state.talk.responses.want(TURN, first=True)

    # -- what the model says ----------------------------------------------------------------

    def committed(self) -> int | None:
        """A turn became an item: where it ends in the session's audio, if it was committed by hand."""
        if not self._ends:
            self._unanswered = self._unanswered or not self._state.setup.create_response
            return None
        return self._ends.pop(0)

    def refused(self, now_ms: int, out: list[Command]) -> None:
        """``input_audio_buffer_commit_empty``: there is no turn, so nothing answers it."""
        if not self._ends:
            return
        self._ends.pop(0)
        self._unanswered = False
        talk = self._state.talk
        unheard = talk.responses.active is None or not any(
            item.sent for item in talk.playout.items_of(talk.responses.active.id)
        )
        if unheard and talk.responses.withdraw(TURN):
            self._barge_in.interrupt(now_ms, out, by_caller=False)

    def turn_begins(self) -> None:
        """No event will mark the start of the next turn: all that comes is part of it."""
        if self._state.setup.manual_turns:
            self._state.caller_audio.speech_started()

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """On a configured session: begin its count, and do the commit that waited for it."""
        if self._leg_number != self._state.session.leg_number:
            self._leg_number = self._state.session.leg_number
            self._from_bytes = 0  # it counts its audio from its beginning, and owes no item
            self._ends.clear()
            self.turn_begins()
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._commit(waiting, now_ms, out)
