"""What somebody beside the call wants of the agent: a person at a console, or the program around it.

    note   the model is to know this. It gets it at once, and does not speak because of it
    cue    the agent is to speak by this, as soon as the moment is quiet: the caller is silent, and no
           response is active, wished for or owed. Given earlier, an answer about something else would obey it
    leave  a cue after which the caller leaves, by a transfer

Notes and cues are lines of the conversation, so a session that replaces this one gets them as well. While
there is no session they wait; cues also wait until somebody is on the line.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.events import EndReason
from llcphone.engine.parts.responses import OPERATOR
from llcphone.engine.resumed import Speaker

if TYPE_CHECKING:
    from llcphone.engine.commands import Command
    from llcphone.engine.events import Instructed
    from llcphone.engine.state import CallState


class Instructions:
    """The instructions of one call that are still to be given."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._notes: deque[Instructed] = deque()
        self._cues: deque[Instructed] = deque()
        self._given = 0

    def asked(self, event: Instructed, now_ms: int, out: list[Command]) -> None:
        """Somebody wants this."""
        (self._cues if event.speak else self._notes).append(event)

    @property
    def waiting(self) -> int:
        """How many the model has not got yet."""
        return len(self._notes) + len(self._cues)

    @property
    def cue_waits(self) -> bool:
        """The agent is to speak as soon as the moment is quiet."""
        return bool(self._cues) and self._state.started_ms is not None

    @property
    def leaves(self) -> bool:
        """The caller leaves after a cue that waits."""
        return any(event.leave for event in self._cues)

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """On a configured session: give the notes, and one cue if the moment is quiet."""
        talk = self._state.talk
        while self._notes:
            text = self._written_down(self._notes.popleft(), now_ms)
            talk.tell(text, out)
        quiet_ms = talk.quiet_from_ms if self.cue_waits else None
        if quiet_ms is None or quiet_ms > now_ms:
            return
        event = self._cues.popleft()
        talk.ask(OPERATOR, self._written_down(event, now_ms), out)
        if event.leave:
            self._state.hang_up_when_heard(now_ms, EndReason.TRANSFERRED)
            out.append(notes.HangingUp())

    def _written_down(self, event: Instructed, now_ms: int) -> str:
        """The text of an instruction, which is a line of the conversation from now on."""
        history = self._state.talk.history
        self._given += 1
        while history.get(f"instruction-{self._given}") is not None:  # an older run of this call used it
            self._given += 1
        line = history.place(f"instruction-{self._given}", Speaker.OPERATOR, now_ms)
        line.text, line.final = event.text, True
        return event.text
