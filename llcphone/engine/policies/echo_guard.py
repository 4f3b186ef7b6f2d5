"""A guard against the agent hearing itself: off unless it is asked for.

A telephone line has no echo canceller of its own between our audio and the caller's microphone;
on a speakerphone or a poor hybrid the agent's voice comes back, turn detection takes it for the
caller, and the agent interrupts itself. The audio is never decoded
here, so the guard goes by events and by the clock. It has two halves, each a setting:

    mute      for the first ``mute_ms`` of each stretch of agent audio the caller's frames are
              counted but not sent. Cancellers in the network need about that long to adapt; it
              is the report's own remedy. Cost: what the caller says in that moment is not heard.
    doubt     speech that begins over the agent's voice is a barge-in only when it lasts
              ``after_ms``. Until then nothing is cut; if it stops earlier, or the server has
              committed it, the turn is deleted and the agent speaks on. Cost: each barge-in comes
              that much later, a short "yes" over the agent's voice is lost, and since the server
              must neither interrupt nor answer by itself, every answer waits one round trip for
              our ``response.create``.

How long speech "lasts" is turn detection's word: it says "stopped" only after its own silence. So
``after_ms`` must exceed ``vad_silence_ms``; semantic_vad may take seconds, and then doubt only
delays. A voice that comes back all the time is not helped by doubt: mute, or a higher threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts.timers import Timer
from llcphone.realtime.messages import DeleteItem

if TYPE_CHECKING:
    from llcphone.engine.policies.barge_in import BargeIn
    from llcphone.engine.policies.manual_turns import ManualTurns
    from llcphone.engine.policies.recovery import Recovery
    from llcphone.engine.policies.silence import Silence
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import InputCommitted, SpeechStopped


class EchoGuard:
    """Speech that may be the agent's own voice."""

    def __init__(
        self,
        state: CallState,
        *,
        barge_in: BargeIn,
        manual: ManualTurns,
        recovery: Recovery,
        silence: Silence,
    ) -> None:
        self._state = state
        self._plan = state.setup.echo
        self._barge_in, self._manual, self._recovery, self._silence = barge_in, manual, recovery, silence
        self._leg_number = 0
        self._doubted = False
        self._doubt_ends_ms = 0
        self._dropped: set[str] = set()
        """Turns that were none: dismissed, their commit still to come."""
        self._agent_spoke = False
        self._mute_ends_ms: int | None = None

    # -- doubt ------------------------------------------------------------------------------

    def doubts(self, now_ms: int) -> bool:
        """Speech began: whether it may be the agent's own voice; then nothing is done yet."""
        talk = self._state.talk
        talk.in_doubt = False  # the speech before has ended, whatever became of its commit
        if not (self._plan.after_ms and self._agent_is_heard()):
            return False
        talk.in_doubt = True
        self._doubted, self._doubt_ends_ms = True, now_ms + self._plan.after_ms
        return True

    def dismisses(self, event: SpeechStopped, out: list[Command]) -> bool:
        """Speech ended: whether it was too short to be believed."""
        if not self._doubted:
            return False
        self._doubted = False  # still in doubt: a response created before the item is gone would see it
        self._dropped.add(event.item_id)
        out.append(notes.BargeInDismissed())
        return True

    def drops(self, event: InputCommitted, out: list[Command]) -> bool:
        """A turn was committed: whether it is one that was dismissed."""
        if event.item_id not in self._dropped:
            return False
        self._dropped.discard(event.item_id)
        self._over()
        out.append(SendModel(DeleteItem(event.item_id)))
        return True

    def committed(self) -> None:
        """A turn of the caller is real. Where the server gives no answers, we ask for one."""
        if self._plan.after_ms and self._plan.answer:
            self._manual.answer()

    def _agent_is_heard(self) -> bool:
        return not self._state.talk.playout.silent

    def _over(self) -> None:
        self._doubted = False
        self._state.talk.in_doubt = False

    # -- after every event ------------------------------------------------------------------

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """Believe what has lasted; mute what has just begun."""
        if self._leg_number != self._state.session.leg_number:  # no event will report its end any more
            self._leg_number = self._state.session.leg_number
            self._dropped.clear()
            self._over()
        self.believe(now_ms, out)
        if self._plan.mute_ms:
            self._settle_mute(now_ms)

    def believe(self, now_ms: int, out: list[Command]) -> None:
        """Speech that has lasted is the caller's: they have the floor."""
        # The agent has fallen silent: then it is an ordinary turn, and nothing is cut.
        if self._doubted and (now_ms >= self._doubt_ends_ms or not self._agent_is_heard()):
            self._over()
            self._recovery.caller_speaks(now_ms)
            self._silence.caller_active()
            self._barge_in.speech_started(now_ms, out)
        self._state.timers.arm(Timer.DOUBT, self._doubt_ends_ms if self._doubted else None)

    def _settle_mute(self, now_ms: int) -> None:
        state = self._state
        speaks = state.started_ms is not None and self._agent_is_heard()
        if speaks and not self._agent_spoke and not state.talk.caller_has_floor:
            self._mute_ends_ms = now_ms + self._plan.mute_ms
        self._agent_spoke = speaks
        ends_ms = self._mute_ends_ms
        if ends_ms is not None and (now_ms >= ends_ms or not speaks):
            ends_ms = self._mute_ends_ms = None
        state.gate.mute(ends_ms is not None)
        state.timers.arm(Timer.MUTE, ends_ms)
