"""Nobody speaks: ask whether the caller is still there, then say good-bye and hang up.

semantic_vad has no idle timeout at all, and server_vad's counts on the server, which cannot hear
when the telephone has played the answer to its end. So the
engine counts: from the moment the agent was heard to its end, the caller last spoke, or last
pressed a key. A prompt is a system item and a ``response.create``, which leaves by the one
sequencer like any other. The caller's voice or a key starts the count of prompts anew.

It is never silence while somebody holds the floor, a response or a tool is under way, the session
is being replaced, a machine listens, before the agent was heard once (a callee who has not yet
spoken is patience's business), or with manual turns unless the plan says so. The idle limit stays
behind all this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine.commands import Command, Note, SendModel
from llcphone.engine.parts.responses import GOODBYE, SILENCE
from llcphone.engine.parts.timers import Timer
from llcphone.engine.policies.recovery import Owed
from llcphone.realtime.messages import SystemText

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine

_PERSONS = frozenset({"", "human", "unknown"})
"""Verdicts of answering machine detection after which somebody may be there; "" is none yet."""


@attrs.frozen
class SilencePlan:
    """How long a silence may last, and what the model is told then."""

    after_ms: int = 0
    """0: silence is nobody's business but the idle limit's."""
    prompts: int = 2
    """How often the caller is asked; the silence after the last one ends the call."""
    prompt_cue: str = "The caller has been silent for a while. Ask in one short sentence if they are there."
    goodbye_cue: str = "The caller does not answer. Say a short good-bye; the call ends after it."
    manual: bool = False
    """Also with manual turns, where nobody tells us that the caller speaks."""


class Silence:
    """The silence of one call."""

    def __init__(self, engine: CallEngine, plan: SilencePlan) -> None:
        self._engine = engine
        self._plan = plan
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
        self._engine.timers.arm(Timer.SILENCE, due_ms)

    def _speak_up(self, now_ms: int, out: list[Command]) -> None:
        self._asked_ms = now_ms
        talk = self._engine.talk
        if self.prompts < self._plan.prompts:
            self.prompts += 1
            out.append(Note("silence", {"prompt": self.prompts}))
            out.append(SendModel(SystemText(self._plan.prompt_cue)))
            talk.responses.want(SILENCE)
        else:
            out.append(Note("silence", {"prompt": 0}))
            out.append(SendModel(SystemText(self._plan.goodbye_cue)))
            talk.responses.want(GOODBYE)
            self._engine.hang_up_when_heard(now_ms)

    def _due_ms(self, now_ms: int) -> int | None:
        """When this silence has lasted long enough; None while it is none."""
        engine, talk = self._engine, self._engine.talk
        if (
            engine.started_ms is None
            or not engine.model.ready
            or engine.recovery.owed is not Owed.NOTHING
            or engine.hanging_up
            or (engine.setup.manual_turns and not self._plan.manual)
            or (engine.outbound is not None and engine.outbound.dialling.answered_by not in _PERSONS)
        ):
            return None
        if talk.caller_has_floor or talk.batches.running:
            return None
        if not (talk.playout.ever_sent and talk.playout.silent and talk.responses.idle(now_ms)):
            return None
        return max(talk.active_ms, self._asked_ms) + self._plan.after_ms
