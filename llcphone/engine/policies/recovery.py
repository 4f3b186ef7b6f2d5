"""What happens when the model's session is lost.

    lost      the socket died, the session expired, or an answer that is due does not come
    restored  a fresh session has the configuration, the history as it was *heard* with tool calls and
              their results, and the caller's audio that only the lost one had; the call continues
    given up  the limit passed or the model refuses: a stored apology, then the fallback

Meanwhile the caller's frames are kept, and audio that already went to the phone plays on. ``Owed`` says
what the caller waits for. It is decided when the session is lost, asked of the fresh session, and settled
when the agent speaks or the caller takes the floor. While something is owed and nothing is heard, a
stored filler is played; the answer does not wait for the filler's end.

The engine does not look at the audio, so it cannot know whether the caller has spoken in the gap. If the
gap is long, the filler comes even if nothing was owed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine import notes
from llcphone.engine.commands import CloseModel, Command
from llcphone.engine.events import EndReason
from llcphone.engine.parts.responses import GREETING, RESUME
from llcphone.engine.parts.retell import broke_off
from llcphone.engine.parts.timers import Timer
from llcphone.engine.resumed import Owed
from llcphone.engine.status import LONG_TURN

if TYPE_CHECKING:
    from llcphone.engine.policies.barge_in import BargeIn
    from llcphone.engine.policies.connecting import Connecting
    from llcphone.engine.policies.outbound import Outbound
    from llcphone.engine.policies.renewal import Renewal
    from llcphone.engine.policies.stall import Stall
    from llcphone.engine.state import CallState

STALLED = "stalled"
"""The cause of a loss that only the clock noticed: an answer that is due does not come."""

_APOLOGISES = frozenset({EndReason.MODEL_LOST, EndReason.MODEL_REFUSED, EndReason.MODEL_UNREACHABLE})

_UNCERTAIN_MS = 2_500
"""After a gap of this length, the caller may have spoken and wait for an answer."""


@attrs.define
class Gap:
    """One loss of the session, for the record."""

    at_ms: int
    cause: str
    owed: str
    attempts: int = 0
    """Legs dialled or adopted to replace it; 0 when a successor stood by."""
    outcome: str = ""
    """``restored``, ``given up``, or ``call ended`` in the middle of it."""
    restored_ms: int | None = None
    """When a fresh session was configured; None when none was."""
    spoke_ms: int | None = None
    """When it first spoke to a waiting caller."""


class Recovery:
    """Keeps one call alive without its model."""

    def __init__(
        self,
        state: CallState,
        *,
        barge_in: BargeIn,
        connecting: Connecting,
        outbound: Outbound | None,
        renewal: Renewal,
        stall: Stall,
    ) -> None:
        self._state = state
        self._plan = state.setup.recovery
        self._barge_in, self._connecting, self._outbound = barge_in, connecting, outbound
        self._renewal, self._stall = renewal, stall
        self._pending = state.pending
        self._hopeless = False
        """No session is worth trying any more."""
        self._filled_ms: int | None = None
        """When the last filler was played."""
        self._dialled_before = 0
        self._broken: set[str] = set()
        """The items of the answer that the last loss cut."""
        self.gaps: list[Gap] = []
        self.recovering = False
        self.given_up: EndReason | None = None
        """Why the call ends once the apology was heard."""

    # -- losing -----------------------------------------------------------------------------

    def instead_of_ending(self, reason: EndReason, cause: str, now_ms: int, out: list[Command]) -> bool:
        """The model is lost: recover, or apologise; False when the call is simply over."""
        state = self._state
        if reason not in _APOLOGISES or self.given_up is not None:
            return False
        if reason is EndReason.MODEL_LOST and state.session.ready and self._plan.enabled:
            owed = self._what_is_owed()
            if state.hanging_up and owed is Owed.NOTHING:
                self._release_model(now_ms, out)  # the last word plays on without a model
                return True
            if not self._hopeless and self._lose(owed, cause, now_ms, out):
                return True
        return self._give_up(reason, now_ms, out)

    def _what_is_owed(self) -> Owed:
        talk = self._state.talk
        responses = talk.responses
        if talk.caller_has_floor:
            return self._to_the_caller()
        active = responses.active
        if active is not None and not talk.playout.is_cut_off(active.id):
            if any(item.sent for item in talk.playout.items_of(active.id)):
                return Owed.REST
        elif not responses.reply_pending and not responses.owes_caller:
            return self._to_the_caller()
        if responses.owes(GREETING):
            return Owed.GREETING
        return Owed.REST if self._pending.owed is Owed.REST else Owed.ANSWER

    def _to_the_caller(self) -> Owed:
        """What is owed where nothing was asked for: the next session hears the turn, and answers it.

        A Live session has had the words, and the next one only reads them: it has to be asked.
        """
        unanswered = self._state.setup.live is not None and self._state.talk.unanswered
        return Owed.ANSWER if unanswered else Owed.NOTHING

    def cannot_be_had(self) -> None:
        """Another session of this endpoint would not help; where no other is left, the call ends next."""
        self._hopeless = not self._state.session.endpoints.refuse_present()

    def _lose(self, owed: Owed, cause: str, now_ms: int, out: list[Command]) -> bool:
        """Try another session; False when it is no use any more."""
        state, talk = self._state, self._state.talk
        on_the_line = state.started_ms is not None
        stalled = cause == STALLED
        if stalled and talk.caller_has_floor and state.setup.live is None:
            cause = LONG_TURN
        bearable = not on_the_line or state.retry.troubled(now_ms, stalled=stalled)
        elsewhere = self._connecting.session_lost(now_ms)
        pause_ms = state.retry.pause_ms(now_ms, at_once=True, elsewhere=elsewhere)
        if not bearable or pause_ms is None:
            return False
        self._stall.session_lost(stalled=stalled)
        self.recovering, self._pending.owed = True, owed
        self._dialled_before = state.session.attempts
        self.gaps.append(Gap(now_ms, cause, owed.value))
        out.append(notes.ModelLost(cause))
        if (active := talk.responses.active) is not None and (cut := talk.playout.items_of(active.id)):
            self._broken = {item.item_id for item in cut}
        talk.session_lost(now_ms, out)
        if owed is Owed.GREETING:  # it will be given anew
            talk.drop_unheard(now_ms)
            talk.greeting_id, talk.greeting_over = "", False
        state.gate.session_lost()
        self._pending.session_lost()
        taken_over = self._renewal.take_over(now_ms, out)
        if not taken_over:
            out += self._connecting.recover(now_ms, pause_ms, on_the_line=on_the_line)
        # After a stall the silence has lasted long enough.
        self._fill_later(now_ms, at_once=stalled)
        if state.timers.get(Timer.FILLER) == now_ms:
            self.filler_is_due(now_ms, out)
        if taken_over:
            self.restored(now_ms, out)
        return True

    # -- meanwhile --------------------------------------------------------------------------

    def stream_started(self, now_ms: int, out: list[Command]) -> None:
        """The caller is on the line from now on."""
        if self.given_up is not None:
            self._apologise(self._plan.apology, now_ms, out)
        elif self.recovering or self._pending.owed is not Owed.NOTHING:
            self._fill_later(now_ms)

    def filler_is_due(self, now_ms: int, out: list[Command]) -> None:
        """If the gap can be heard, say something."""
        talk = self._state.talk
        if not (self.recovering or talk.batches.running or talk.responses.owes_anything):
            self._pending.owed = Owed.NOTHING  # its response has ended without a sound
        long = self.recovering and now_ms - self.gaps[-1].at_ms >= _UNCERTAIN_MS
        if self._pending.owed is not Owed.NOTHING or long:
            talk.play(self._plan.filler, "filler", now_ms, out)
            out.append(notes.FillerPlayed("model"))
            self._filled_ms = now_ms
            self._state.timers.set(Timer.FILLER, now_ms + self._plan.filler_every_ms)
        elif self.recovering:
            self._fill_later(now_ms)

    def _fill_later(self, now_ms: int, *, at_once: bool = False) -> None:
        """Fill the silence that follows what plays; ``at_once``: it has lasted long enough.

        Another loss in the meantime does not move a filler that is due.
        """
        plan, playout, timers = self._plan, self._state.talk.playout, self._state.timers
        if not plan.filler or not playout.started:
            return
        at_ms = max(now_ms, playout.ends_ms) + (0 if at_once else plan.filler_after_ms)
        if self._filled_ms is not None:
            at_ms = max(at_ms, self._filled_ms + plan.filler_every_ms)
        standing_ms = timers.get(Timer.FILLER)
        timers.set(Timer.FILLER, at_ms if standing_ms is None else min(at_ms, standing_ms))

    def owes_still(self, *, greeting: bool, now_ms: int) -> None:
        """An answer is asked for again: the caller waits on."""
        if self._pending.owed is Owed.NOTHING:
            self._pending.owed = Owed.GREETING if greeting else Owed.ANSWER
        self._fill_later(now_ms)

    def owes_nothing(self, now_ms: int) -> None:
        """What was owed has come to its end without a sound, and rightly."""
        if not self.recovering:
            self._settle()
            self._state.retry.nobody_waits(now_ms)

    # -- restoring --------------------------------------------------------------------------

    def restored(self, now_ms: int, out: list[Command]) -> None:
        """A fresh session is configured: send it the conversation as it was heard, and continue."""
        state, talk = self._state, self._state.talk
        gap = self.gaps[-1]
        gap.restored_ms = now_ms
        self._close_gap("restored")
        lines = talk.history.lines()
        state.retell(lines, out, self._renewal.summary)
        if self._outbound is not None:
            self._outbound.session_restored(out)
        match self._pending.owed:
            case Owed.GREETING:
                talk.ask(GREETING, state.setup.greeting_cue, out)
            case Owed.REST:
                talk.ask(RESUME, broke_off(lines, self._broken, self._plan.texts), out)
            case Owed.ANSWER if not talk.responses.reply_pending:  # a tool may have answered meanwhile
                talk.ask(RESUME, "", out)
            case Owed.NOTHING:
                state.timers.clear(Timer.FILLER)
                state.retry.nobody_waits(now_ms)
        talk.responses.hold(state.retry.not_before_ms)
        kept = state.gate.session_ready(now_ms)
        state.appended_bytes = 0  # the session counts its audio from here
        if state.gate.open:
            state.append([*state.caller_audio.take(), *kept], out)
        out.append(notes.ModelRestored(now_ms - gap.at_ms, state.session.endpoint))

    def agent_speaks(self, now_ms: int, out: list[Command]) -> None:
        """What was owed begins: it does not wait for a filler's end."""
        self._settle()
        self._state.retry.agent_heard()
        self._pending.agent_speaks()
        if self.gaps and self.gaps[-1].spoke_ms is None:
            self.gaps[-1].spoke_ms = now_ms
        self._state.talk.drop_fillers(out)

    def caller_speaks(self, now_ms: int) -> None:
        """The caller takes the floor: what was owed is out of date."""
        self._settle()
        self._state.retry.nobody_waits(now_ms)
        self._pending.caller_speaks()

    def _settle(self) -> None:
        self._pending.owed = Owed.NOTHING
        self._state.timers.clear(Timer.FILLER)

    def _close_gap(self, outcome: str) -> None:
        if self.recovering:
            self.recovering = False
            gap = self.gaps[-1]
            gap.outcome, gap.attempts = outcome, self._state.session.attempts - self._dialled_before

    # -- giving up --------------------------------------------------------------------------

    def call_ended(self) -> None:
        """Whatever was being tried is over."""
        self._renewal.call_ended()
        self._close_gap("call ended")

    def _give_up(self, reason: EndReason, now_ms: int, out: list[Command]) -> bool:
        state = self._state
        nobody = state.dialling is not None and not state.joined
        if not self._plan.apology or nobody:
            return False
        self._stop_model(reason, now_ms, out)
        if state.started_ms is not None:  # else when the stream starts
            self._apologise(self._plan.apology, now_ms, out)
        return True

    def break_off(
        self, reason: EndReason, last_word: tuple[bytes, ...], now_ms: int, out: list[Command]
    ) -> None:
        """No time is left: what is being said gives way to these words, and the call ends after them."""
        self._barge_in.silence_agent(now_ms, out)
        self._stop_model(reason, now_ms, out)
        self._apologise(last_word, now_ms, out)

    def _stop_model(self, reason: EndReason, now_ms: int, out: list[Command]) -> None:
        """From here on the call only ends, for this reason."""
        self.given_up = reason
        self._close_gap("given up")
        self._release_model(now_ms, out)

    def _release_model(self, now_ms: int, out: list[Command]) -> None:
        """No model from now on: what plays, plays on, and the caller's audio goes nowhere."""
        state = self._state
        self._settle()
        state.gate.close()
        state.caller_audio.forget()
        state.talk.session_lost(now_ms, out)
        self._renewal.session_over(out)
        out.append(CloseModel(state.session.leg_number))
        state.session.give_up()

    def _apologise(self, words: tuple[bytes, ...], now_ms: int, out: list[Command]) -> None:
        if words:
            self._state.talk.play(words, "apology", now_ms, out)
            out.append(notes.ApologyPlayed())
        self._state.hang_up_when_heard(now_ms)
