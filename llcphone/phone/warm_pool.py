"""The warm pool: model sessions that are connected and configured before a call comes.

A parked session is a value, not a task: a fast leg needs no task of its own. One task checks all sessions
once a second without waiting. It answers pings, sends its own, and notices a Close, an error, or a session
that is too old. ``take`` is synchronous: it checks the session again and removes it. From then on the call
owns the leg and closes it, so no two tasks ever share a socket.

A parked session has received the ``session.update`` that a call of the phone's agent would send, without the
call's context. The key of a session is the whole update, because an update leaves unset keys as they are:
a call of another agent would inherit the tools, for example. No response is requested, so an idle pool costs
no tokens.

There are never more sockets than ``warm.sessions``; sessions that are being made or closed count as well.
A failure in the pool never costs a call, only the time saved: the pool backs off, a session that ends early
counts as a failure, and a call that gets no parked session dials its own.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.agent import Agent
from llcphone.call.model_leg import failure_word
from llcphone.call.session_source import WarmLeg
from llcphone.errors import ConfigError, LLCPhoneError
from llcphone.phone.warm_session import Backoff, SessionSpec, WarmSession, close, key_of, make, spec_of
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import logger
from llcphone.wire.websocket import HandshakeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.call.endpoint import Endpoint
    from llcphone.call.session_source import TakeWarm
    from llcphone.config import Config
    from llcphone.realtime.dialects import Dialect

log = logger("llcphone.warm")

LOOK_S = 1.0
"""Between two checks of the parked sessions."""
STEADY_S = 30.0
"""A session that ends sooner counts as a failure, or a server that ends all of them is dialled for ever."""

_AT_ONCE = 4
"""Sessions made at the same time; one while the endpoint fails."""
_EXPIRY_MARGIN_S = 60.0
"""A session is replaced this long before the server would end it."""
_SPREAD = 0.1
"""Those made together are replaced apart, over this share of their age: the pool is never empty for it."""
_BATCH = 64
"""Sessions looked at before the other tasks get their turn."""


@attrs.define
class WarmHealth:
    """Figures of the pool; all but the first two count from the phone's start."""

    ready: int = 0
    """WarmSession now."""
    dialling: int = 0
    """Being connected or configured now."""
    taken: int = 0
    """Adopted by calls."""
    misses: int = 0
    """Calls that asked and found none that fits."""
    died: int = 0
    """Ended by the server or the path while parked."""
    recycled: int = 0
    """Closed by us: too old, or made for settings that have changed."""
    failed: int = 0
    """Attempts that gave no session."""


class WarmPool:
    """Up to ``warm.sessions`` parked sessions of one endpoint for one agent."""

    def __init__(
        self,
        config: Config,
        endpoint: Endpoint,
        agent: Agent | Callable[[Mapping[str, str]], Agent],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Take settings and endpoint; nothing is dialled before ``run``; a function is asked once.

        Raises:
            ConfigError: other settings do not go with a pool.
        """
        self.sessions = config.warm.sessions
        self.agent: Agent | None = None
        """Whose sessions are kept."""
        if self.sessions:
            _check(config)
        self.keep_for(agent)
        self.faults = Faults(log)
        """What failed in the pool; no call fails for it."""
        self._config = config
        self._endpoint = endpoint
        self._wall_clock = wall_clock
        self._ready: dict[WarmSession, None] = {}
        """In the order in which they became ready."""
        self._dialling = self._closing = self._made = 0
        self._counts = WarmHealth()
        self._backoff = Backoff()
        self._wake = trio.Event()
        self._scope = trio.CancelScope()
        self._shut = False
        self._over: trio.Event | None = None

    @property
    def health(self) -> WarmHealth:
        """The figures of this moment."""
        return attrs.evolve(self._counts, ready=len(self._ready), dialling=self._dialling)

    def keep_for(self, agent: Agent | Callable[[Mapping[str, str]], Agent]) -> None:
        """Keep sessions of this agent from now on; those of another are closed.

        Raises:
            ConfigError: the function that chooses the agent failed.
        """
        if self.sessions:
            self.agent = _default(agent)

    # -- taking -----------------------------------------------------------------------------

    def taker(self, agent: Agent) -> TakeWarm | None:
        """``take`` for one call of this agent; None when there is no pool."""
        return partial(self.take, key_of(self._config, agent)) if self.sessions else None

    def take(self, key: bytes, dialect: Dialect | None = None) -> WarmLeg | None:
        """The newest working session of this key, in that dialect or in any; the taker closes it."""
        if self._shut:
            return None
        now = trio.current_time()
        for parked in list(reversed(self._ready)):
            spec = parked.spec
            if spec.key != key or dialect not in (None, spec.dialect) or now >= parked.until_s:
                continue
            if self._has_ended(parked):
                self._discard(parked)
                continue
            del self._ready[parked]
            self._counts.taken += 1
            self._wake.set()
            return WarmLeg(parked.leg, parked.opened.codec, parked.opened.unsupported, parked.took_ms)
        self._counts.misses += 1
        return None

    # -- the pool's task --------------------------------------------------------------------

    async def run(self) -> None:
        """Keep sessions ready until cancelled or closed; then close them, within a limit."""
        if not self.sessions or self._shut:
            return
        self._over = trio.Event()
        try:
            with self._scope:
                await self._endpoint.accepted.wait()  # till then the dialect question knocks, and backs off
                await self.faults.keep("warm pool failed", self._keep)
        finally:
            self._shut = True
            await self._close_all()
            self._over.set()

    async def aclose(self) -> None:
        """Give out no more sessions and close the parked ones; bounded, idempotent."""
        self._shut = True
        self._scope.cancel(reason="pool closed")
        if self._over is not None:
            await self._over.wait()

    async def _keep(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                spec = self._spec()
                await self._look(spec, nursery)
                next_look_s = trio.current_time() + LOOK_S
                while trio.current_time() < next_look_s:
                    if spec is not None:
                        self._fill(spec, nursery)
                    self._wake = trio.Event()
                    with trio.move_on_at(next_look_s):
                        await self._wake.wait()

    def _spec(self) -> SessionSpec | None:
        dialect = self._endpoint.dialects.answer
        if dialect is None or self.agent is None:
            return None
        return spec_of(self._config, self.agent, dialect)

    async def _look(self, spec: SessionSpec | None, nursery: trio.Nursery) -> None:
        """Keep working sessions, discard ended ones, replace those that are old or have other settings."""
        now = trio.current_time()
        for count, parked in enumerate(list(self._ready), start=1):
            if count % _BATCH == 0:
                await trio.lowlevel.checkpoint()
            if parked not in self._ready:
                continue  # taken meanwhile
            if self._has_ended(parked):
                self._discard(parked)
            elif now >= parked.until_s or parked.spec != spec:
                self._recycle(parked, nursery)
            else:
                parked.leg.keepalive_nowait(now)
                if now - parked.ready_s >= STEADY_S:
                    self._backoff.has_lasted(parked.ready_s)

    def _has_ended(self, parked: WarmSession) -> bool:
        with self.faults.contained("warm session failed"):
            return parked.has_ended()
        return True

    def _discard(self, parked: WarmSession) -> None:
        with self.faults.contained("warm session not closed"):
            parked.leg.abort()
        self._counts.died += 1
        self._gone(parked)
        self._was_it_short(parked)

    def _recycle(self, parked: WarmSession, nursery: trio.Nursery) -> None:
        self._counts.recycled += 1
        self._closing += 1
        nursery.start_soon(self._close, parked, name="warm close")
        self._gone(parked)
        if trio.current_time() >= parked.until_s:  # else our own settings have changed, which is no failure
            self._was_it_short(parked)

    def _gone(self, parked: WarmSession) -> None:
        del self._ready[parked]
        log.info("warm session ended", extra={"age_s": round(trio.current_time() - parked.ready_s)})
        self._wake.set()

    def _was_it_short(self, parked: WarmSession) -> None:
        if trio.current_time() - parked.ready_s < STEADY_S:
            self._backoff.failed()

    # -- making and closing -----------------------------------------------------------------

    def _fill(self, spec: SessionSpec, nursery: trio.Nursery) -> None:
        """Start what is missing, unless failures make us wait."""
        while (
            self._dialling < (1 if self._backoff.failures else _AT_ONCE)
            and len(self._ready) + self._dialling + self._closing < self.sessions
            and trio.current_time() >= self._backoff.until_s
        ):
            self._dialling += 1
            nursery.start_soon(self._make, spec, nursery, name="warm session")

    async def _make(self, spec: SessionSpec, nursery: trio.Nursery) -> None:
        parked: WarmSession | None = None
        try:
            with contained() as failure:
                parked = await make(self._endpoint, spec, nursery)
                parked.until_s = self._until_s(parked)
                self._ready[parked] = None
            if (exc := failure.error) is not None:
                self._counts.failed += 1
                asked_s = exc.retry_after if isinstance(exc, HandshakeRefused) else None
                self._backoff.failed(asked_s or 0.0)
                if isinstance(exc, LLCPhoneError | OSError | trio.TooSlowError):
                    fields = {"trouble": failure_word(exc), "row": self._backoff.failures}
                    log.warning("no warm session", extra=fields)
                else:
                    self.faults.count("warm session failed", failure.kinds)
                if parked is not None:
                    parked.leg.abort()
        finally:
            self._dialling -= 1
            self._wake.set()

    def _until_s(self, parked: WarmSession) -> float:
        """When a session is too old: by our own setting, and well before the server's limit."""
        self._made += 1
        share = _SPREAD * (self._made % self.sessions) / self.sessions
        until_s = parked.began_s + self._config.warm.max_age_s * (1 - share) - LOOK_S
        if parked.expires_at is None:
            return until_s
        left_s = parked.expires_at - self._wall_clock() - _EXPIRY_MARGIN_S
        # Nothing left at birth means a wrong clock, the server's or ours: then only the age counts.
        return min(until_s, parked.ready_s + left_s) if left_s > 0 else until_s

    async def _close(self, parked: WarmSession) -> None:
        try:
            await close(parked.leg)
        finally:
            self._closing -= 1
            self._wake.set()

    async def _close_all(self) -> None:
        with trio.CancelScope(shield=True):  # bounded: every close in it is
            async with trio.open_nursery() as nursery:
                for parked in self._ready:
                    nursery.start_soon(close, parked.leg, name="warm close")
        self._ready.clear()


def _check(config: Config) -> None:
    """Reject settings that do not work with a pool, before anything is opened."""
    if config.wire.model != "fast":
        fix = 'set wire.model = "fast", or warm.sessions = 0'
        raise ConfigError("warm.sessions", 'warm sessions need wire.model = "fast"', fix)
    if config.realtime.safety_salt:
        fix = "leave realtime.safety_salt empty, or set warm.sessions = 0"
        why = "sessions opened before the caller is known cannot carry the caller's safety identifier"
        raise ConfigError("warm.sessions", why, fix)


def _default(agent: Agent | Callable[[Mapping[str, str]], Agent]) -> Agent:
    if isinstance(agent, Agent):
        return agent
    with contained():
        chosen: object = agent({})  # the user's function, asked without a call
        if isinstance(chosen, Agent):
            return chosen
    fix = "let it answer an empty form with the agent whose sessions are kept, or set warm.sessions = 0"
    raise ConfigError("warm.sessions", "the function that chooses the agent failed", fix)
