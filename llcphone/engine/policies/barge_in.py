"""Barge-in: what becomes of the agent's voice when somebody else takes the floor.

The order of commands matters: first the phone is silenced, then the model learns where the caller stopped
hearing. ``echo_guard`` decides before whether a voice is the caller's at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel, SendPhone
from llcphone.engine.parts.floor import Cue
from llcphone.engine.parts.responses import Asked
from llcphone.engine.parts.retell import cut_at
from llcphone.engine.status import Floor
from llcphone.realtime.messages import CancelResponse, ClearInput
from llcphone.twilio.media import Clear

if TYPE_CHECKING:
    from llcphone.engine.state import CallState


class BargeIn:
    """Cuts the agent short in one call."""

    def __init__(self, state: CallState) -> None:
        self._setup = state.setup
        self._talk = state.talk

    def speech_started(self, now_ms: int, out: list[Command]) -> None:
        """The caller takes the floor; what is unheard of the agent is cut."""
        talk = self._talk
        talk.active_ms = now_ms
        talk.deciding = False
        talk.move(Cue.SPEECH_STARTED, now_ms, out)
        pressing = now_ms < talk.pressing_until_ms  # the machine we press keys for talks meanwhile
        if self._setup.interrupt_response and not pressing:  # else the user has turned barge-in off
            self.interrupt(now_ms, out, cancel=self._setup.echo.after_ms > 0)

    def interrupt(
        self, now_ms: int, out: list[Command], *, cancel: bool = True, by_caller: bool = True
    ) -> None:
        """The agent has lost the floor; ``cancel``: the server does not stop its response by itself."""
        talk = self._talk
        talk.responses.caller_started()
        if by_caller and talk.responses.active is not None:
            talk.interrupted_id = talk.responses.active.id
        if self.silence_agent(now_ms, out, cancel=cancel):
            talk.barge_ins += 1

    def silence_agent(self, now_ms: int, out: list[Command], *, cancel: bool = False) -> bool:
        """Cut what is unheard of the agent; False when all was heard: then it is an ordinary turn."""
        talk = self._talk
        if (active := talk.responses.active) is not None:
            talk.playout.cut_off(active.id)
        interruption = talk.playout.interrupt(now_ms)
        if interruption is not None and interruption.clear:
            out.append(SendPhone(Clear()))
        if cancel and active is not None and active.asked is not Asked.UNASKED:
            out.append(SendModel(CancelResponse(active.id)))
        if interruption is None:
            return False
        for cut in interruption.cuts:
            heard = talk.transcript.cut(cut, now_ms).heard_text()
            out.extend(SendModel(message) for message in cut_at(cut, heard, talk.retold))
            if (turn := talk.timings.of(cut.response_id)) is not None:
                turn.barged_in_ms = now_ms
            stop_ms = None if talk.speech_from_ms is None else now_ms - talk.speech_from_ms
            talk.speech_from_ms = None
            out.append(notes.BargeIn(cut.item_id, cut.heard_ms, cut.generated_ms, heard, stop_ms))
        return True

    def yield_to_machine(self, now_ms: int, out: list[Command]) -> None:
        """An answering machine listens: drop what the agent was saying, and whatever the caller "said"."""
        talk = self._talk
        self.silence_agent(now_ms, out)
        if (active := talk.responses.active) is not None:
            out.append(SendModel(CancelResponse(active.id)))
        out.append(SendModel(ClearInput()))  # the machine's greeting is no turn
        talk.floor, talk.deciding, talk.unanswered = Floor.NOBODY, False, False
