"""Our side must end the call: the caller hears a good-bye before the line closes.

    good-bye   as soon as agent and caller let it, the agent is told to say one, and the call ends after it
    last word  when little time is left and no good-bye will be heard in it, a stored apology breaks in,
               which needs no model

Whoever asks says how long there is. A call that nobody hears yet has no one to say good-bye to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.audio import BYTES_PER_MS, payload_bytes
from llcphone.engine.commands import Command, EndCall, Note, SendModel
from llcphone.engine.events import EndReason, FarewellAsked
from llcphone.engine.parts.responses import GOODBYE
from llcphone.engine.parts.timers import Timer
from llcphone.realtime.messages import SystemText

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine

_MARGIN_MS = 500
"""Between the end of the last word and the end of the time, for the way to the caller's ear."""


@attrs.frozen
class FarewellPlan:
    """What is said when our side must end a call."""

    goodbye_cue: str = "This line must close in a few seconds. Say one short good-bye now and ask nothing."
    apology: tuple[bytes, ...] = ()
    """The last word, stored; empty: the call just ends."""


class Farewell:
    """The engine's part that lets a call end politely."""

    def __init__(self, engine: CallEngine, plan: FarewellPlan) -> None:
        self._engine = engine
        self._plan = plan
        self._reason: EndReason | None = None
        self._cue = ""
        self._until_ms: int | None = None

    def begin(self, reason: EndReason, cue: str = "") -> None:
        """End the call for this reason when what is being said, and then the good-bye, was heard.

        Args:
            reason: why the call ends; the first one stands.
            cue: asks the agent for a good-bye; empty: what is being said is enough.
        """
        if self._reason is None:
            self._reason, self._cue = reason, cue

    def asked(self, event: FarewellAsked, now_ms: int, out: list[Command]) -> None:
        """There is so much time for it."""
        self.begin(event.reason, self._plan.goodbye_cue)
        self._until_ms = now_ms + event.within_ms
        lasts_ms = sum(map(payload_bytes, self._plan.apology)) // BYTES_PER_MS
        self._engine.timers.set(Timer.LAST_WORD, max(now_ms, self._until_ms - lasts_ms - _MARGIN_MS))
        out.append(Note("farewell"))

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Take the next step towards the end, when it may be taken."""
        engine, talk = self._engine, self._engine.talk
        if self._reason is None or engine.started_ms is None:
            return
        if engine.hanging_up or talk.caller_has_floor:
            return
        if self._cue:
            if not engine.model.ready or talk.responses.active is not None:
                return  # soon, or the time is up
            out.append(SendModel(SystemText(self._cue)))
            talk.responses.want(GOODBYE)
            self._cue = ""
        engine.settling.hang_up_when_heard(now_ms, self._reason)

    def last_word(self, now_ms: int, out: list[Command]) -> bool:
        """Little time is left: the stored words break in, if they must."""
        if self._reason is None or self._engine.started_ms is None or self._is_being_said(now_ms):
            return False
        self._engine.recovery.break_off(self._reason, self._plan.apology, now_ms, out)
        return True

    def overdue(self, now_ms: int, out: list[Command]) -> None:
        """The good-bye should have been heard by now: it is not waited for any longer."""
        unsaid = self._until_ms is not None and self._engine.talk.playout.silent
        if not (unsaid and self.last_word(now_ms, out)):
            out.append(EndCall(self._engine.settling.leaving_for))

    def _is_being_said(self, now_ms: int) -> bool:
        """Whether a last word will be heard anyway: all of it is on its way, or it is the stored one."""
        engine, talk = self._engine, self._engine.talk
        if engine.recovery.given_up is not None:
            return True
        if not engine.hanging_up or talk.playout.silent or not talk.responses.idle(now_ms):
            return False
        return self._until_ms is not None and talk.playout.ends_ms <= self._until_ms

    def first_cause(self, reason: EndReason) -> EndReason:
        """Why the call ends: a good-bye that we asked for is not the agent's own."""
        if self._reason is None or self._cue or reason is not EndReason.AGENT_HUNG_UP:
            return reason
        return self._reason
