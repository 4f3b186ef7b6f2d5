"""Never a dead line: what happens when the model's session is lost in mid-call.

    lost      the socket died, the session expired, or an answer that is due does not come
    restored  a fresh session has the configuration, the *heard* history with tool calls and their
              results, and the caller's audio that only the lost one held; the call goes on
    given up  the limit passed or the model refuses: a stored apology, then the way out

The caller's frames are kept meanwhile. If the gap can be heard (nothing plays, somebody waits), a
short stored filler plays. What is restored never repeats: a greeting that was heard is not given
again, and an answer that was cut is told where it was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine.commands import CloseModel, Command, Note, SendModel, SendPhone
from llcphone.engine.events import EndReason
from llcphone.engine.floor import Floor
from llcphone.engine.history import Speaker
from llcphone.engine.responses import GREETING, RESUME
from llcphone.engine.timers import Timer
from llcphone.realtime.messages import AssistantText, SystemText, ToolCall, ToolOutput, UserText

if TYPE_CHECKING:
    from llcphone.engine.call import CallEngine

_APOLOGISES = frozenset({EndReason.MODEL_LOST, EndReason.MODEL_REFUSED, EndReason.MODEL_UNREACHABLE})

_CUT = (
    "The line broke for a moment while you were speaking. The caller has heard everything above, and nothing "
    "after it. Go on from there in one breath; do not greet again and do not repeat what was heard."
)
_UNHEARD_WORDS = "Some of what the caller said above was not written down."


@attrs.frozen
class RecoveryPlan:
    """How hard to try, and what the caller hears meanwhile."""

    enabled: bool = True
    limit_ms: int = 8_000
    """Longest time without a session before the call is given up."""
    most: int = 5
    """Recoveries of one call; a session that keeps dying is given up."""
    stall_ms: int = 4_000
    """An answer that is due and does not come for so long is a lost session; 0: never."""
    filler_after_ms: int = 300
    filler_every_ms: int = 6_000
    filler: tuple[bytes, ...] = ()
    """Stored "one moment, please", as base64 payloads; empty: silence."""
    apology: tuple[bytes, ...] = ()
    """Stored apology; empty: the call just ends."""


@attrs.define
class Gap:
    """One loss of the session, for the record."""

    at_ms: int
    cause: str
    restored_ms: int | None = None
    heard_ms: int | None = None
    """When the caller heard the agent again."""
    attempts: int = 0


class Recovery:
    """The engine's part that keeps a call alive without its model."""

    def __init__(self, engine: CallEngine, plan: RecoveryPlan) -> None:
        self._engine = engine
        self._plan = plan
        self._resume = False
        self._greet = False
        self.gaps: list[Gap] = []
        self.recovering = False
        self.given_up: EndReason | None = None
        """Why the call ends once the apology was heard."""

    # -- losing -----------------------------------------------------------------------------

    def instead_of_ending(self, reason: EndReason, cause: str, now_ms: int, out: list[Command]) -> bool:
        """The model is lost: recover, or apologise; False when the call is simply over."""
        engine = self._engine
        if reason not in _APOLOGISES or self.given_up is not None or engine.started_ms is None:
            return False
        if reason is EndReason.MODEL_LOST and engine.model.ready and self._may_recover():
            self._lose(cause, now_ms, out)
            return True
        if not self._plan.apology:
            return False
        self._apologise(reason, now_ms, out)
        return True

    def _may_recover(self) -> bool:
        return self._plan.enabled and len(self.gaps) < self._plan.most

    def _lose(self, cause: str, now_ms: int, out: list[Command]) -> None:
        engine, talk = self._engine, self._engine.talk
        self.recovering = True
        self.gaps.append(Gap(now_ms, cause, attempts=engine.model.attempts))
        out.append(Note("model lost", {"cause": cause}))
        active = talk.responses.active
        spoke = active is not None and any(item.sent for item in talk.playout.items_of(active.id))
        self._greet = engine.setup.greets and not talk.playout.ever_sent
        self._resume = not self._greet and (spoke or talk.responses.owes_ours or bool(talk.batches.running))
        talk.end_active(now_ms, out)
        talk.responses.forget_session()
        engine.listening.session_lost()
        out += engine.model.recover(now_ms, self._plan.limit_ms)
        if self.somebody_waits:
            silent_ms = max(now_ms, talk.playout.ends_ms)
            engine.timers.set(Timer.FILLER, silent_ms + self._plan.filler_after_ms)

    @property
    def somebody_waits(self) -> bool:
        """An answer is due: silence would be heard as a dead line."""
        engine = self._engine
        return (
            self._resume
            or self._greet
            or engine.recall.owes_answer
            or (engine.talk.floor is Floor.MODEL_THINKING)
        )

    def filler_is_due(self, now_ms: int, out: list[Command]) -> None:
        """The gap can be heard: say something."""
        engine, plan = self._engine, self._plan
        if not self.recovering or not plan.filler or engine.talk.floor is Floor.CALLER:
            return
        if not engine.talk.playout.silent:
            silent_ms = max(now_ms, engine.talk.playout.ends_ms)
            engine.timers.set(Timer.FILLER, silent_ms + max(1, plan.filler_after_ms))
            return
        self._play(plan.filler, "filler", now_ms, out)
        engine.timers.set(Timer.FILLER, now_ms + plan.filler_every_ms)

    def stall_at_ms(self) -> int | None:
        """When an answer that is due counts as lost; None while none is."""
        talk = self._engine.talk
        if not self._plan.stall_ms or not self._plan.enabled or not self._engine.model.ready:
            return None
        if talk.responses.owed_since_ms is None:
            return None
        return max(self._engine.model_spoke_ms, talk.responses.owed_since_ms, talk.playout.ends_ms) + (
            self._plan.stall_ms
        )

    # -- giving up --------------------------------------------------------------------------

    def _apologise(self, reason: EndReason, now_ms: int, out: list[Command]) -> None:
        engine = self._engine
        self.given_up = reason
        self.recovering = False
        engine.listening.close()
        out.append(CloseModel(engine.model.generation))
        engine.model.give_up()
        engine.timers.clear(Timer.FILLER)
        engine.talk.responses.forget_session()
        self._play(self._plan.apology, "apology", now_ms, out)
        engine.hang_up_when_heard(now_ms)

    def _play(self, payloads: tuple[bytes, ...], what: str, now_ms: int, out: list[Command]) -> None:
        talk = self._engine.talk
        for payload in payloads:
            out.extend(SendPhone(message) for message in talk.playout.filler(payload, now_ms))
        talk.history.place(f"{what} {now_ms}", Speaker.SYSTEM, now_ms).text = f"({what})"
        out.append(Note(what))

    # -- restoring --------------------------------------------------------------------------

    def restored(self, now_ms: int, out: list[Command]) -> None:
        """A fresh session is configured: give it the conversation as it was heard, and go on."""
        engine, talk = self._engine, self._engine.talk
        self.recovering = False
        gap = self.gaps[-1]
        gap.restored_ms, gap.attempts = now_ms, engine.model.attempts - gap.attempts
        engine.timers.clear(Timer.FILLER)
        self._tell_history(out, replayed=engine.recall.owes_answer)
        frames = engine.listening.session_ready(now_ms)
        recalled = engine.recall.take()
        replays = bool(recalled) and (talk.floor is Floor.CALLER or len(recalled) > 75)
        if self._greet:
            out.append(SendModel(UserText(engine.setup.greeting_cue)))
            talk.responses.want(GREETING)
        elif self._resume:
            out.append(SendModel(SystemText(_CUT)))
            if not replays and not talk.batches.running:
                talk.responses.want(RESUME)
        engine.appended_bytes = 0  # the new session counts its audio from here
        engine.append([*recalled, *frames], out)
        out.append(Note("model restored", {"gap_ms": now_ms - gap.at_ms}))

    def _tell_history(self, out: list[Command], *, replayed: bool) -> None:
        wordless = False
        lines = self._engine.talk.history.lines()
        while replayed and lines and lines[-1].speaker is Speaker.CALLER:
            lines.pop()  # the model will hear it again
        for line in lines:
            text = line.heard_text()
            if line.tool is not None:
                out.append(SendModel(ToolCall(line.item_id, line.tool.name, line.tool.arguments)))
                if line.tool.output is not None:
                    out.append(SendModel(ToolOutput(line.item_id, line.tool.output)))
            elif line.speaker is Speaker.CALLER:
                wordless = wordless or not text
                if text:
                    out.append(SendModel(UserText(text)))
            elif line.speaker is Speaker.AGENT and text:
                out.append(SendModel(AssistantText(text)))
        if wordless:
            out.append(SendModel(SystemText(_UNHEARD_WORDS)))
