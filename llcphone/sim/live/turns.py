"""When the simulated GPT-Live answers, and what: it reads the script, speaks, and delegates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim.live.clock import Planned
from llcphone.sim.live.script import checked
from llcphone.sim.model.script import CallTool, Event, Fail, Incomplete, Say, Silence, Stall

if TYPE_CHECKING:
    from llcphone.sim.live.backend import Backend
    from llcphone.sim.live.script import BargeIn
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.live.voice import Utterance, Voice
    from llcphone.sim.model.script import Step

Json = dict[str, Any]


def message(role: str, words: str) -> Json:
    """An item of the conversation."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}]}


@attrs.define(eq=False)
class Turns:
    """Who speaks when."""

    session: LiveState = attrs.field(repr=False)
    voice: Voice = attrs.field(repr=False)
    backend: Backend = attrs.field(repr=False)
    held_back: bool = False
    """The caller asked something while the backend worked; it is answered when that is done."""
    _manner: BargeIn | None = None
    """How the caller's present turn is taken; None: it cut nobody off."""
    _planned: tuple[list[Step], list[Utterance]] | None = None
    """The last answer, for as long as it might not have begun."""
    _unsaid: list[Step] = attrs.field(factory=list)
    """An answer that did not begin, because the caller spoke on; it is the next one."""
    _delegated: Planned | list[Step] | None = None
    """A delegation while the caller speaks: planned, or what the voice says when the caller has finished."""
    _waiting: list[list[Step]] = attrs.field(factory=list)
    """Tasks for the backend that came while it was busy."""
    _acknowledgements: list[Planned] = attrs.field(factory=list, repr=False)

    # ---- the caller ------------------------------------------------------------------------------------

    def caller_began(self, onset_ms: int, words: str) -> None:
        """The caller speaks since ``onset_ms``."""
        session = self.session
        session.conversation.append(message("user", words))
        self._manner = None
        planned, self._planned = self._planned, None
        if planned is not None and self.voice.take_back(planned[1]):
            self._unsaid = planned[0]
        elif self.voice.is_speaking:
            self._manner = session.reading.next_barge_in()
            if self._manner == "yield":
                session.clock.at(onset_ms + session.pace.yield_ms, self.voice.fall_silent)
        if session.assumes.delegates_early and self._manner is None and not self.backend.is_busy:
            self._delegated = session.clock.at(onset_ms + session.pace.early_ms, self._delegate_early)

    def _delegate_early(self) -> None:
        steps, self._unsaid = self._unsaid or self.next_turn(), []
        if any(isinstance(step, CallTool) for step in steps):
            self._delegated = [step for step in steps if isinstance(step, Say | Silence | Event)]
            for_backend: list[Step] = [step for step in steps if not isinstance(step, Say | Silence | Event)]
            now_ms = self.session.clock.now_ms
            self.perform(for_backend, now_ms, now_ms)
        else:
            self._delegated, self._unsaid = None, steps

    def caller_ended(self, end_ms: int) -> None:
        """The caller has been silent since ``end_ms`` for long enough."""
        if isinstance(self._delegated, Planned):
            self._delegated.cancel()
        elif self._delegated is not None:
            speak_ms = end_ms + self.session.pace.answer_ms
            self.perform(self._delegated, speak_ms, speak_ms)
            self._delegated = None
            return
        self._delegated = None
        if self._manner == "backchannel":
            return
        if self.backend.is_busy:
            self.held_back = True
            return
        self.answer(end_ms)

    def backend_is_idle(self) -> None:
        """The backend's work is done; what the caller asked meanwhile is answered now."""
        session = self.session

        def answer() -> None:
            if self._waiting and not self.backend.is_busy:
                self._delegate(self._waiting.pop(0))
            elif self.held_back and not self.backend.is_busy:
                self.held_back = False
                self.answer(session.clock.now_ms - session.pace.answer_ms)

        session.clock.after(session.pace.idle_ms, answer)

    # ---- answers ---------------------------------------------------------------------------------------

    def answer(self, end_ms: int) -> None:
        """Answer a caller who has finished."""
        pace = self.session.pace
        steps, self._unsaid = self._unsaid or self.next_turn(), []
        said = self.perform(steps, end_ms + pace.answer_ms, end_ms + pace.delegation_ms)
        if all(isinstance(step, Say | Silence) for step in steps):
            self._planned = (steps, said)

    def asked_to_speak(self, words: str, delay_ms: int) -> None:
        """An append asks for speech: these words, or if there are none the script's next turn."""
        at_ms = self.session.clock.now_ms + delay_ms
        self.perform([Say(words)] if words else self.next_turn(), at_ms, at_ms)

    def next_turn(self) -> list[Step]:
        """The script's next turn."""
        session = self.session
        return checked(session.reading.next_turn(session.conversation, session.tools))

    def read_out(self, step: Say, not_before_ms: int) -> None:
        """Speak the backend's text, as it stands."""
        self.voice.say(step, not_before_ms)

    def perform(self, steps: list[Step], speak_ms: int, delegate_ms: int) -> list[Utterance]:
        """Plan a turn of the voice.

        Args:
            steps: the turn.
            speak_ms: when its first words begin.
            delegate_ms: when its first function call, if there is one, causes a delegation.
        """
        for_backend: list[Step] = [step for step in steps if not isinstance(step, Say | Silence | Event)]
        said = []
        for step in steps:
            if isinstance(step, Say):
                said.append(self.voice.say(step, speak_ms))
            elif isinstance(step, Silence):
                speak_ms += step.ms
            elif isinstance(step, Event):
                body = step.body
                self.session.clock.at(speak_ms, lambda body=body: self.session.emit(body))  # type: ignore[misc]
        offered = self.backend.offered(for_backend)
        if any(not isinstance(step, Fail | Incomplete | Stall) for step in offered):
            self.session.clock.at(delegate_ms, lambda: self._delegate(offered))
        return said

    # ---- delegation ------------------------------------------------------------------------------------

    def context_came(self) -> None:
        """A commentary or a thinking append: what was to be said of delegations by itself is not said."""
        for planned in self._acknowledgements:
            planned.cancel()
        self._acknowledgements.clear()

    def _delegate(self, steps: list[Step]) -> None:
        session = self.session
        if self.backend.is_busy:
            self._waiting.append(steps)
            return
        self.backend.delegate(steps)
        if words := session.assumes.acknowledges:
            delay_ms = session.config["delegation"]["acknowledgement_delay_ms"]
            planned = session.clock.after(delay_ms, lambda: self.read_out(Say(words), session.clock.now_ms))
            self._acknowledgements.append(planned)
