"""A model that should say something and does not.

An answer that is due and does not come in time is lost with its session. ``retry_timing`` says how long
that is, and what plays meanwhile takes none of it. A model that says other things but gives no answer is
waited for longer, but not for ever. One that says nothing while the caller speaks on and on may have gone
deaf. A Live session gives audio all the time, mostly silence: when none comes, it is dead, whoever speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.commands import Command, EndCall
from llcphone.engine.events import EndReason
from llcphone.engine.policies.phone_line import FILL_MS

if TYPE_CHECKING:
    from llcphone.engine.call_setup import LivePlan
    from llcphone.engine.state import CallState

_TURN_STALL_MS = 15_000
"""A model that says nothing for this long while the caller has the floor may have gone deaf.

Few turns are that long. One that is, is sent whole to the next session, once; the caller hears none of it.
"""


_READ_MS = 500
"""A timer that rings later than this was held up with its process; what came meanwhile is read as soon."""


class Stall:
    """When the silence of the model has lasted too long."""

    def __init__(self, state: CallState) -> None:
        plan = state.setup.recovery
        self._state = state
        self._enabled = plan.enabled and bool(plan.stall_ms)
        self._live = state.setup.live
        self._held_ms = 0
        """When the timer last rang too late: the process was held up."""
        self._turn_moved = False
        """The caller's present turn was taken from a session that seemed deaf."""

    def at_ms(self) -> int | None:
        """When an answer that is due counts as lost, or a model as deaf or dead; None while none can be."""
        state, talk, retry = self._state, self._state.talk, self._state.retry
        if not (self._enabled and state.session.ready):
            return None
        dead_ms = None if self._live is None else self._dead_at_ms(self._live)
        if talk.caller_has_floor:
            if self._live is not None:  # what it is deaf to is not known, and that it lives is
                return dead_ms
            at_ms = state.model_spoke_ms + _TURN_STALL_MS
            deaf = at_ms <= state.last_frame_ms + FILL_MS  # later, it is the phone that is silent
            return at_ms if deaf and not self._turn_moved else None
        if (since_ms := talk.responses.owed_since_ms) is None:
            return dead_ms
        since_ms = max(since_ms, talk.playout.voice_ends_ms, talk.voice_ms)
        any_sign_ms = max(state.model_spoke_ms, since_ms)
        at_ms = min(any_sign_ms + retry.stall_ms, since_ms + retry.stall_at_most_ms)
        return at_ms if dead_ms is None else min(at_ms, dead_ms)

    def _dead_at_ms(self, plan: LivePlan) -> int:
        at_ms = max(self._state.model_alive_ms + plan.dead_ms, self._held_ms + _READ_MS)
        backend_ms = self._state.talk.responses.backend_since_ms
        return at_ms if backend_ms is None else min(at_ms, backend_ms + self._state.retry.stall_at_most_ms)

    def look(self, now_ms: int, out: list[Command]) -> None:
        """The timer rings: an answer that is due may be lost, or the model deaf or dead."""
        if (at_ms := self.at_ms()) is None or at_ms > now_ms:
            return
        if self._live is not None and now_ms - at_ms > _READ_MS:
            self._held_ms = now_ms
        else:
            out.append(EndCall(EndReason.MODEL_LOST))

    def session_lost(self, *, stalled: bool) -> None:
        """The next session has the turn from its beginning."""
        self._turn_moved = stalled and self._state.talk.caller_has_floor

    def turn_over(self) -> None:
        """The session has the caller's whole turn."""
        self._turn_moved = False
