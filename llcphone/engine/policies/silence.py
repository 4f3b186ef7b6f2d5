"""In silence: ask whether the caller is still there, then say good-bye and hang up.

semantic_vad has no idle timeout, and the one of server_vad runs on the server, which does not know when
the phone has played the answer to its end. So the engine counts: from the moment when the agent was heard
to its end, or the caller last spoke or pressed a key. A prompt is a cue and a ``response.create``, which
leaves by the sequencer like any other. The caller's voice or a key starts the count of prompts anew.

A silence does not count while somebody has the floor, a response or a tool is under way, the session is
being replaced, or a machine listens; before the agent was heard once (``outbound`` speaks first to a
silent callee); or with manual turns, unless the plan says so. The idle limit applies in every case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.parts.responses import GOODBYE, SILENCE
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Owed

if TYPE_CHECKING:
    from llcphone.engine.commands import Command
    from llcphone.engine.state import CallState

_PERSONS = frozenset({"", "human", "unknown"})
"""Verdicts of answering machine detection after which somebody may be there; "" is none yet."""


class Silence:
    """The silence of one call."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._plan = state.setup.silence
        self._asked_ms = 0
        self.prompts = 0
        """Prompts since the caller was last active."""

    def caller_active(self) -> None:
        """The caller spoke or pressed a key."""
        self.prompts = 0

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Ask, or say good-bye, if it is time."""
        if not self._plan.after_ms:
            return
        due_ms = self._due_ms(now_ms)
        if due_ms is not None and due_ms <= now_ms:
            self._speak_up(now_ms, out)
            due_ms = None  # until the prompt was heard
        self._state.timers.arm(Timer.SILENCE, due_ms)

    def _speak_up(self, now_ms: int, out: list[Command]) -> None:
        self._asked_ms = now_ms
        talk = self._state.talk
        if self.prompts < self._plan.prompts:
            self.prompts += 1
            out.append(notes.Silence(self.prompts))
            talk.ask(SILENCE, self._plan.prompt_cue, out)
        else:
            out.append(notes.Silence(0))
            talk.ask(GOODBYE, self._plan.goodbye_cue, out)
            self._state.hang_up_when_heard(now_ms)

    def _due_ms(self, now_ms: int) -> int | None:
        """When this silence has lasted long enough; None while it is none."""
        state, talk = self._state, self._state.talk
        if (
            state.started_ms is None
            or not state.session.ready
            or state.pending.owed is not Owed.NOTHING
            or state.hanging_up
            or (state.setup.manual_turns and not self._plan.manual)
            or (state.dialling is not None and state.dialling.answered_by not in _PERSONS)
        ):
            return None
        if talk.caller_has_floor or talk.batches.running:
            return None
        if not (talk.playout.ever_sent and talk.playout.silent and talk.responses.idle(now_ms)):
            return None
        return max(talk.active_ms, self._asked_ms) + self._plan.after_ms
