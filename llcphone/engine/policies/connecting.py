"""From the call's birth to a configured session.

There is one attempt at a time. Each has a *leg number*, so that events of an
older leg are recognised and dropped.

    warm        from birth: 10 s, including the dialect question and retries
    joined      the media stream came while an attempt was under way: that attempt has 4 s more
    cold        one more attempt with 5 s of its own. It replaces the joined one, or is made when a stream
                joins after the warm time has run out; a joined attempt that has only just begun gets
                these 5 s itself
    ready       ``session.updated`` confirmed 8 kHz µ-law both ways
    recovering  the session was lost with somebody on the line: attempts of 3 s and more, until the limit

Where there are several endpoints, a failed attempt leads to the next of them at once (``endpoint_order``),
and one that does not answer has 3 s. The pauses between attempts come when all have failed.

If a session is lost while no caller is on the line, the set-up starts again at the top. A refusal of the
dialect changes flat into GA once, inside the same deadline; so does an answer in flat that is not µ-law.
When settings with later updates are refused, the engine asks again without these updates. Any other
refusal means a bad setting, and asking again cannot help. An error that names neither an event nor a
known cause counts as a refusal if ``session.updated`` does not follow soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import (
    CloseModel,
    Command,
    ConnectModel,
    EndCall,
    RememberDialect,
    SendModel,
)
from llcphone.engine.events import EndReason, ModelConnected, ModelConnectFailed
from llcphone.engine.parts.endpoint_order import Next
from llcphone.engine.parts.model_session import Phase
from llcphone.realtime.dialects import REALTIME_DIALECTS, Dialect
from llcphone.realtime.error_codes import (
    REFUSED_CLOSES,
    ErrorKind,
    error_kind,
    is_dialect_refusal,
    is_known,
    named_wait_ms,
)
from llcphone.realtime.session import confirms_ulaw

if TYPE_CHECKING:
    from llcphone.engine.events import ModelLegLost
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import ModelError, SessionUpdated

_ATTEMPT_MS = 3_000
"""The first attempt to replace a lost session; connecting and configuring take about 0.6 s. Each
further one may take twice as long as the one before: the endpoint may only be slow."""
_SOON_MS = 10_000
"""A session that was lost within this time was of no use: its endpoint is tried last."""

_GRACE_MS = 300
"""How long ``session.updated`` may follow an error that does not say what it is about."""


class Connecting:
    """The attempts to reach a configured model session."""

    def __init__(self, state: CallState) -> None:
        setup = state.setup
        self._state, self._session, self._retry = state, state.session, state.retry
        self._limits = setup.limits
        self._redials = 0
        self._attempt_ms = _ATTEMPT_MS
        self._until_ms = 0
        """When a recovery is given up."""
        self._dialled_ms = 0
        """When the present attempt begins, or began."""
        self._ready_at_ms = 0
        """When the newest session was configured."""
        self._elsewhere_at_ms: int | None = None
        """When the present attempt of a set-up gives way to another endpoint; None: it does not."""
        self._update_id = ""

    @property
    def due_ms(self) -> int | None:
        """When ``deadline_passed`` is to be called."""
        unclear = self._session.unclear
        times = [
            self._session.deadline_ms,
            None if unclear is None else unclear[0],
            None if self._session.deadline_ms is None else self._elsewhere_at_ms,
        ]
        return min((each for each in times if each is not None), default=None)

    def born(self, now_ms: int) -> list[Command]:
        """Begin the warm attempt."""
        self._session.deadline_ms = now_ms + self._limits.warm_ms
        return self._dial(now_ms)

    def stream_joined(self, now_ms: int) -> list[Command]:
        """The caller is on the line and hears silence from now on."""
        if self._session.phase is Phase.WARM:
            self._session.phase = Phase.JOINED
            self._session.deadline_ms = now_ms + self._limits.join_grace_ms
        elif self._session.phase is Phase.EXPIRED:
            return self._go_cold(now_ms)
        return []

    def deadline_passed(self, now_ms: int) -> list[Command]:
        """The present attempt's time is up."""
        if self._session.unclear is not None and self._session.unclear[0] <= now_ms:
            return self._refuse(self._session.unclear[1], now_ms)
        session = self._session
        session.last_failure = session.last_failure or "timeout"
        if (
            self._elsewhere_at_ms is not None
            and self._elsewhere_at_ms <= now_ms
            and now_ms < (session.deadline_ms or 0)
        ):
            return [CloseModel(session.leg_number), *self._timed_out(), *self._after_failure(now_ms)]
        match session.phase:
            case Phase.WARM:
                self._session.phase = Phase.EXPIRED
                self._session.deadline_ms = None
                return [CloseModel(self._session.leg_number), notes.SetupPhase("expired")]
            case Phase.JOINED if now_ms - self._dialled_ms < _ATTEMPT_MS:
                self._cold(now_ms)  # it has only begun: beginning anew would only take longer
                return []
            case Phase.JOINED:
                failed = [CloseModel(self._session.leg_number), *self._timed_out()]
                self._session.endpoints.failed()
                return [*failed, *self._go_cold(now_ms)]
            case Phase.RECOVERING if now_ms < self._until_ms:
                failed = [CloseModel(self._session.leg_number), *self._timed_out()]
                if self._session.endpoints.failed() is not Next.AT_ONCE:
                    self._attempt_ms *= 2
                return [*failed, *self._dial(now_ms)]
            case Phase.RECOVERING:
                return [CloseModel(self._session.leg_number), EndCall(EndReason.MODEL_LOST)]
            case Phase.COLD:
                return [CloseModel(self._session.leg_number), EndCall(EndReason.MODEL_UNREACHABLE)]
            case _:
                return []

    def connected(self, event: ModelConnected) -> list[Command]:
        """The socket is open: configure it at once, without waiting for ``session.created``."""
        self._session.leg_dialect = event.dialect
        self._update_id = f"setup-{self._session.leg_number}"
        self._session.in_force.begins()
        return [self._opening()]

    def _opening(self) -> Command:
        """The first message of the leg: all settings in force, and what was said so far."""
        talk, session = self._state.talk, self._session.in_force.session
        return SendModel(talk.speech.opening(session, self._update_id, talk.history.lines()))

    def connect_failed(self, event: ModelConnectFailed, now_ms: int) -> list[Command]:
        """The socket could not be opened."""
        self._session.last_failure = event.code
        return self._after_failure(now_ms, event.retry_after_ms, refused=event.fatal)

    def leg_lost(self, event: ModelLegLost, now_ms: int) -> list[Command]:
        """The socket closed before it was configured."""
        self._session.last_failure = self._session.last_failure or f"closed_{event.code}"
        return self._after_failure(now_ms, event.retry_after_ms, refused=event.code in REFUSED_CLOSES)

    def speaks_ga(self, error: ModelError) -> bool:
        """Whether an ``error`` event is the refusal of a dialect that is still in question."""
        return self._flat_may_turn and is_dialect_refusal(error)

    def ask_again(self) -> list[Command]:
        """The same settings once more; what the endpoint does not know is taken out of them."""
        self._update_id += "-less"
        return [self._opening()]

    def refused(self, error: ModelError, now_ms: int) -> list[Command]:
        """An ``error`` event before the session was configured."""
        if self.speaks_ga(error):
            return self._turn_to_ga(now_ms, RememberDialect(Dialect.GA, self._session.endpoint))
        self._session.last_failure = error.code or "error"
        kind = error_kind(error)
        if kind is ErrorKind.RETRY:
            left = CloseModel(self._session.leg_number)
            return [left, *self._after_failure(now_ms, named_wait_ms(error.message))]
        if kind in (ErrorKind.FATAL, ErrorKind.SETUP) or error.event_id == self._update_id:
            return self._refuse(error, now_ms)
        if not error.event_id and not is_known(error):
            self._session.unclear = self._session.unclear or (now_ms + _GRACE_MS, error)
        return []

    def _refuse(self, error: ModelError, now_ms: int) -> list[Command]:
        unclear, self._session.unclear = self._session.unclear, None
        fatal = error_kind(error) is ErrorKind.FATAL
        if not fatal and (names := self._session.in_force.doubted()):
            self._update_id += "-opening"
            return [notes.SessionUpdateRefused(names, error.code, error.param), self._opening()]
        if unclear is not None and self._flat_may_turn:
            return self._turn_to_ga(now_ms)
        # A refused update leaves defaults behind: 24 kHz PCM, loud static on a telephone.
        return self._refused_for_good(now_ms)

    def _refused_for_good(self, now_ms: int) -> list[Command]:
        left, then = CloseModel(self._session.leg_number), self._after_failure(now_ms, refused=True)
        return then if any(isinstance(each, EndCall) for each in then) else [left, *then]

    @property
    def _flat_may_turn(self) -> bool:
        session = self._session
        return session.leg_dialect is Dialect.FLAT and session.may_switch[session.endpoint]

    def _turn_to_ga(self, now_ms: int, *known: Command) -> list[Command]:
        self._session.may_switch[self._session.endpoint] = False
        self._session.known_dialect = Dialect.GA
        return [CloseModel(self._session.leg_number), *known, *self._dial(now_ms)]

    def updated(self, event: SessionUpdated, now_ms: int) -> list[Command]:
        """``session.updated``: ready only if it confirms µ-law both ways."""
        if not confirms_ulaw(event):
            self._session.last_failure = "audio_format"
            if self._flat_may_turn:  # a server that skips what it does not know, and speaks GA
                return self._turn_to_ga(now_ms)
            return self._refused_for_good(now_ms)
        self._session.in_force.set_up()
        self._session.unclear = None
        self._session.phase = Phase.READY
        self._ready_at_ms = now_ms
        self._session.deadline_ms = None
        self._session.last_failure = ""
        dialect = self._session.leg_dialect
        return [RememberDialect(dialect, self._session.endpoint)] if dialect in REALTIME_DIALECTS else []

    def session_lost(self, now_ms: int) -> bool:
        """Choose the endpoint of the next session; returns whether it is another one.

        An endpoint whose session was lost soon, or who asked for time, is tried last.
        """
        session, retry = self._session, self._retry
        soon = now_ms - self._ready_at_ms < _SOON_MS
        lost_at, session.known_dialect = session.endpoint, session.dialect
        session.endpoints.begin(present_last=soon or retry.not_before_ms > now_ms)
        retry.goes_to(session.endpoint)
        return session.endpoint != lost_at

    def recover(self, now_ms: int, pause_ms: int, *, on_the_line: bool) -> list[Command]:
        """The configured session is lost: open another, again and again until the limit."""
        self._redials = 0
        self._attempt_ms = _ATTEMPT_MS
        if on_the_line:
            self._session.phase = Phase.RECOVERING
            self._until_ms = now_ms if self._retry.until_ms is None else self._retry.until_ms
        else:  # no caller hears the gap yet
            self._session.phase = Phase.JOINED if self._state.joined else Phase.WARM
            self._session.deadline_ms = now_ms + (
                self._limits.join_grace_ms if self._state.joined else self._limits.warm_ms
            )
        return [CloseModel(self._session.leg_number), *self._dial(now_ms, pause_ms)]

    # -- attempts ---------------------------------------------------------------------------

    def _dial(self, now_ms: int, after_ms: int = 0) -> list[Command]:
        session = self._session
        session.opens_at_present()
        self._retry.goes_to(session.endpoint)
        session.leg_number = session.next_leg_number()
        session.leg_dialect = session.unclear = None
        self._dialled_ms, self._elsewhere_at_ms = now_ms + after_ms, None
        if session.phase is Phase.RECOVERING:
            session.deadline_ms = min(now_ms + after_ms + self._attempt_ms, self._until_ms)
        elif session.endpoints.others_left:
            self._elsewhere_at_ms = now_ms + after_ms + _ATTEMPT_MS
        return [ConnectModel(session.leg_number, session.known_dialect, after_ms, session.endpoint)]

    def _timed_out(self) -> list[Command]:
        """With several endpoints, who does not answer counts against that one only."""
        session = self._session
        return [notes.ModelConnectFailed("timeout", session.endpoint)] if session.endpoints.count > 1 else []

    def _after_failure(self, now_ms: int, retry_after_ms: int = 0, *, refused: bool = False) -> list[Command]:
        """The present attempt gave no session: go on at another endpoint at once, or begin a new round."""
        session = self._session
        failed_at = session.endpoint
        if retry_after_ms and session.phase is Phase.RECOVERING:
            self._retry.heed(retry_after_ms, now_ms)
        after = session.endpoints.failed(refused=refused)
        self._retry.goes_to(session.endpoint)
        match after:
            case Next.AT_ONCE:
                return self._dial(now_ms)
            case Next.NOBODY:
                return [EndCall(EndReason.MODEL_REFUSED)]
            case Next.NEW_ROUND:
                return self._redial(now_ms, retry_after_ms if session.endpoint == failed_at else 0)

    def _redial(self, now_ms: int, retry_after_ms: int) -> list[Command]:
        if self._session.phase is Phase.RECOVERING:
            recovery_pause_ms = self._retry.pause_ms(now_ms)
            if recovery_pause_ms is None:  # no use in letting the caller wait for the limit
                return [EndCall(EndReason.MODEL_LOST)]
            return self._dial(now_ms, recovery_pause_ms)
        pause_ms = max(self._retry.growing_ms(self._redials), retry_after_ms)
        self._redials += 1
        if retry_after_ms and self._state.joined and now_ms + retry_after_ms > self._last_ms:
            return [EndCall(EndReason.MODEL_UNREACHABLE)]
        return self._dial(now_ms, pause_ms)

    @property
    def _last_ms(self) -> int:
        """When the set-up is given up, with the caller on the line."""
        later_ms = self._limits.cold_ms if self._session.phase is Phase.JOINED else 0
        return (self._session.deadline_ms or 0) + later_ms

    def _cold(self, now_ms: int) -> None:
        self._session.phase = Phase.COLD
        self._session.deadline_ms = now_ms + self._limits.cold_ms

    def _go_cold(self, now_ms: int) -> list[Command]:
        self._cold(now_ms)
        self._redials = 0
        return self._dial(now_ms)
