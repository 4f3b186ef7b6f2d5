"""Make before break: a session that nears its end is replaced before it ends, and the caller hears
nothing of it.

OpenAI ends every session at 60 minutes, and a session cannot be resumed.

    due        the limit is near; or, if the user asked for a *refresh*, the session is old, its context
               large, or its answers slower than they were
    dialling   a successor is opened and configured beside the present session
    ready      it waits for a quiet moment: the caller silent, no response active, wished for or owed, no
               tool running, all audio heard
    switch     one step: the successor gets the conversation *as it was heard*, then the last moments of
               the caller's audio, so that a word just begun is not lost; the old leg is closed

Nothing is spoken and no response is asked for. The history is sent in the switch itself, so nothing that
changes while the successor waits is missed. If no quiet moment comes, the session ends by itself. That is
a lost session (``recovery``), and a successor that is ready takes its place at once.

A refresh sends a *summary* and the last turns only. The present session writes the summary, out of band.
Words of the caller that have no transcript would be lost in any renewal, so a summary is asked for there
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine import events, notes
from llcphone.engine.commands import (
    CloseModel,
    Command,
    ConnectStandby,
    EndCall,
    SendModel,
    SendStandby,
    SwitchModel,
)
from llcphone.engine.parts.retell import any_wordless, last_turns
from llcphone.engine.parts.session_age import SessionAge, Why
from llcphone.realtime import events as model_events
from llcphone.realtime.error_codes import REFUSED_CLOSES, ErrorKind, error_kind, named_wait_ms
from llcphone.realtime.messages import AskAside, CancelResponse, UpdateSession
from llcphone.realtime.session import confirms_ulaw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.engine.state import CallState
    from llcphone.realtime.dialects import Dialect

SUMMARY = "summary"

_ATTEMPT_MS = 10_000
_BACKOFF_MS = (1_000, 2_000, 5_000, 10_000, 30_000)


@attrs.define
class Renewed:
    """One renewal, for the record."""

    why: Why
    due_ms: int
    tries: int = 0
    outcome: str = ""
    """``switched``; ``took over`` from a session that was lost; ``dropped`` with it; ``given up``; or
    ``call ended`` in the middle of it."""
    ready_ms: int | None = None
    switched_ms: int | None = None
    """When the successor became the present session."""


@attrs.define(eq=False)
class _Successor:
    leg_number: int
    session: Mapping[str, Any]
    """What it is configured with."""
    deadline_ms: int
    age: SessionAge | None = None
    dialect: Dialect | None = None
    ready: bool = False


class Renewal:
    """Replaces the session of one call in time."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._plan = state.setup.renewal
        self._opening = state.talk.speech.opening
        self._age: SessionAge | None = None
        """Of the present session; None while there is none, or none to be renewed."""
        self._next: _Successor | None = None
        self._now: Renewed | None = None
        """The present renewal."""
        self._quiet_ms: int | None = None
        """Since when it is quiet."""
        self._asked_ms: int | None = None
        """When the present session was asked for a summary."""
        self._answered = False
        self.summary = ""
        """The latest one, in the model's words."""
        self.renewals: list[Renewed] = []

    # -- the present session ----------------------------------------------------------------

    def began(self, now_ms: int) -> None:
        """A session of which all is new."""
        self._age = SessionAge(self._plan, now_ms)

    def expires(self, event: events.ModelExpires, now_ms: int, out: list[Command]) -> None:
        """The server has named the end of a session."""
        age = self._age if event.leg_number == self._state.session.leg_number else None
        if self._next is not None and self.owns(event.leg_number):
            age = self._next.age
        if age is not None:
            age.expires(event.in_ms, now_ms)

    def response_done(self, event: model_events.ResponseDone) -> None:
        """A response of the present session; its summary is kept."""
        if not event.in_conversation and event.purpose == SUMMARY and self._asked_ms is not None:
            self._answered = True
            text = " ".join(item.text for item in event.items if item.text)
            if text and event.status is model_events.ResponseStatus.COMPLETED:
                self.summary = text

    def no_summary(self) -> None:
        """The present session gives none: nothing waits for it."""
        self._answered = True

    @property
    def _due(self) -> tuple[int, Why] | None:
        return None if self._age is None else self._age.due

    # -- the successor ----------------------------------------------------------------------

    def owns(self, leg_number: int) -> bool:
        """This leg is the successor's."""
        return self._next is not None and self._next.leg_number == leg_number

    def handle(self, event: events.Event, now_ms: int, out: list[Command]) -> None:
        """An event of the successor's leg."""
        successor = self._next
        assert successor is not None
        match event:
            case events.ModelConnected(dialect=dialect):
                successor.age, successor.dialect = SessionAge(self._plan, now_ms), dialect
                update = self._opening(successor.session, f"setup-{successor.leg_number}", ())
                out.append(SendStandby(successor.leg_number, update))
            case events.ModelConnectFailed(code=code, fatal=fatal, retry_after_ms=pause_ms):
                self._failed(code, now_ms, out, fatal=fatal, pause_ms=pause_ms)
            case events.ModelLegLost(code=code, retry_after_ms=pause_ms):
                self._failed(f"closed_{code}", now_ms, out, fatal=code in REFUSED_CLOSES, pause_ms=pause_ms)
            case events.ModelSaid(event=model_events.ModelError() as error) if not successor.ready:
                kind = error_kind(error)
                refused = kind in (ErrorKind.FATAL, ErrorKind.SETUP) or bool(error.event_id)
                if (
                    refused
                    and kind is not ErrorKind.FATAL
                    and self._asks_without_later(successor, error, out)
                ):
                    return
                if refused or kind is ErrorKind.RETRY:
                    self._failed(
                        error.code, now_ms, out, fatal=refused, pause_ms=named_wait_ms(error.message)
                    )
            case events.ModelSaid(event=model_events.SessionUpdated() as update) if not successor.ready:
                if not confirms_ulaw(update):
                    self._failed("audio_format", now_ms, out, fatal=True)
                elif self._now is not None:
                    successor.ready, self._now.ready_ms = True, now_ms
                    out.append(notes.SuccessorReady())
            case events.ModelSaid(event=model_events.ResponseCreated(response_id, in_conversation=True)):
                # It was not requested; the caller must not hear what is left of it after the switch.
                self._state.talk.playout.cut_off(response_id)
                out.append(SendStandby(successor.leg_number, CancelResponse(response_id)))
            case _:
                pass

    def _asks_without_later(
        self, successor: _Successor, error: model_events.ModelError, out: list[Command]
    ) -> bool:
        """A set-up was refused: ask again with what is in force without the updates that may be the cause."""
        in_force = self._state.session.in_force
        if successor.session == in_force.session and (names := in_force.doubted()):
            out.append(notes.SessionUpdateRefused(names, error.code, error.param))
        if successor.session == in_force.session:
            return False
        successor.session = in_force.session
        again = self._opening(successor.session, f"setup-{successor.leg_number}", ())
        out.append(SendStandby(successor.leg_number, again))
        return True

    def _dial(self, now_ms: int, after_ms: int, out: list[Command]) -> None:
        model = self._state.session
        leg_number = model.next_leg_number()
        self._next = _Successor(leg_number, model.in_force.session, now_ms + after_ms + _ATTEMPT_MS)
        self._quiet_ms = None
        out.append(ConnectStandby(leg_number, model.dialect, after_ms, model.endpoint))

    def _failed(
        self, code: str, now_ms: int, out: list[Command], *, fatal: bool = False, pause_ms: int = 0
    ) -> None:
        """The old session stays in use; try again, up to a limit."""
        renewal = self._now
        assert renewal is not None
        self._drop(out)
        out.append(notes.SuccessorFailed(code))
        if fatal or renewal.tries >= self._plan.most_tries:
            self._close("given up")
            self._age = None  # not again for this session
            return
        backoff_ms = _BACKOFF_MS[min(renewal.tries, len(_BACKOFF_MS)) - 1]
        renewal.tries += 1
        self._dial(now_ms, max(backoff_ms, pause_ms), out)

    def _drop(self, out: list[Command]) -> None:
        if self._next is not None:
            out.append(CloseModel(self._next.leg_number))
            self._next = None

    def _close(self, outcome: str) -> None:
        if self._now is not None:
            self._now.outcome = outcome
            self.renewals.append(self._now)
        self._now = self._asked_ms = None
        self._answered = False

    # -- after every event ------------------------------------------------------------------

    def settle(self, now_ms: int, out: list[Command]) -> int | None:
        """Do what is due; returns when to look again, None when only events can help."""
        if self._next is None and (self._due is None or now_ms < self._due[0]):
            return self._due[0] if self._due is not None and self._possible else None
        if any(isinstance(each, EndCall) for each in out):
            return None  # first it is decided whether this session, or the call, is over
        if self._next is None:
            if self._due is None or not self._possible:
                return None
            self._now = Renewed(self._due[1], now_ms, tries=1)
            out.append(notes.SessionDue(self._now.why.value))
            self._dial(now_ms, 0, out)
        elif not self._next.ready and now_ms >= self._next.deadline_ms:
            self._failed("timeout", now_ms, out)
        if self._next is None:
            return None
        return self._wait_for_quiet(now_ms, out) if self._next.ready else self._next.deadline_ms

    @property
    def _possible(self) -> bool:
        """Somebody is on the line, with a session, for longer than a goodbye."""
        state = self._state
        return state.session.ready and state.gate.open and not state.hanging_up

    def _wait_for_quiet(self, now_ms: int, out: list[Command]) -> int | None:
        plan, talk = self._plan, self._state.talk
        from_ms = talk.quiet_from_ms
        busy = talk.batches.running or not talk.playout.silent
        if from_ms is None or busy or not self._possible:
            self._quiet_ms = None
            return None
        self._quiet_ms = max(from_ms, now_ms if self._quiet_ms is None else self._quiet_ms)
        if now_ms < self._quiet_ms + plan.quiet_ms:
            return self._quiet_ms + plan.quiet_ms
        if self._asked_ms is None and self._wants_summary():
            self._asked_ms = now_ms
            out.append(SendModel(AskAside(self._state.setup.recovery.texts.summary_request, SUMMARY)))
        if self._asked_ms is not None and not self._answered:
            waits_until_ms = self._asked_ms + plan.summary_wait_ms
            if now_ms < waits_until_ms:
                return waits_until_ms
        self._switch(now_ms, out)
        return self._due[0] if self._due is not None else None

    def _wants_summary(self) -> bool:
        lines = self._state.talk.history.lines()
        return self._plan.summary and (self._is_refresh or any_wordless(lines, self._state.caller_audio))

    @property
    def _is_refresh(self) -> bool:
        return self._now is not None and self._now.why is not Why.LIMIT

    # -- the switch -------------------------------------------------------------------------

    def _switch(self, now_ms: int, out: list[Command]) -> None:
        state, talk = self._state, self._state.talk
        lines = talk.history.lines()
        if self._is_refresh:
            lines = last_turns(lines, self._plan.keep_turns, self._asked_ms)
        self._take_over("switched", now_ms, out)
        talk.session_lost(now_ms, out)
        state.retell(lines, out, self.summary)
        state.appended_bytes = 0  # the session counts its audio from here
        state.append(state.caller_audio.take(), out)
        out.append(notes.ModelRenewed())

    def take_over(self, now_ms: int, out: list[Command]) -> bool:
        """The present session is lost: a successor that is ready is the next one, at once."""
        if self._next is not None and self._next.ready:
            self._take_over("took over", now_ms, out)
            return True
        self.session_over(out)
        return False

    def session_over(self, out: list[Command]) -> None:
        """No session is to be renewed any more."""
        self._drop(out)
        self._close("dropped")
        self._age = None

    def call_ended(self) -> None:
        """Whatever was being made ready is not needed any more."""
        self._close("call ended")

    def _take_over(self, outcome: str, now_ms: int, out: list[Command]) -> None:
        successor, state = self._next, self._state
        assert successor is not None
        self._next = None
        out.append(SwitchModel(successor.leg_number))
        state.session.take_over(successor.leg_number, successor.dialect)
        told = successor.session
        newer = {
            key: value for key, value in state.session.in_force.session.items() if told.get(key) != value
        }
        if newer:  # updates that were sent while it stood by
            state.session.in_force.sent_again(newer, "renewal")
            out.append(SendModel(UpdateSession(newer, "renewal")))
        if self._now is not None:
            self._now.switched_ms = now_ms
        self._close(outcome)
        self._age = successor.age
