"""One parked model session: how it is made, when it has ended, and when the next attempt may be made.

A parked session is a value. No task waits on its leg, so its owner checks it regularly (``has_ended``).
If the leg asks for a task, the session counts as lost (``lose``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.call.endpoint import configure
from llcphone.call.setup import plan_session
from llcphone.errors import LegClosed, ModelRefused, RemoteProtocolError
from llcphone.realtime.events import ModelError
from llcphone.realtime.messages import UpdateSession
from llcphone.realtime.session import confirms_ulaw
from llcphone.wire.leg import CLOSE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.call.endpoint import Endpoint
    from llcphone.call.session_source import OpenLeg
    from llcphone.config import Config
    from llcphone.realtime.dialects import Dialect
    from llcphone.wire.leg import Leg

BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after consecutive failures; the last one is repeated."""
_LONGEST_PAUSE_S = 300.0
"""The longest pause, even if the server asks for a longer one."""
_MAKE_S = 10.0
"""For connecting and configuring one session."""


@attrs.frozen
class SessionSpec:
    """What a session is configured with; ``key`` says whether two are the same."""

    dialect: Dialect
    fields: Mapping[str, Any] = attrs.field(eq=False)
    key: bytes


def spec_of(config: Config, agent: Agent, dialect: Dialect) -> SessionSpec:
    """The opening update of this agent's calls, without any call's context."""
    fields = plan_session(config, agent)
    return SessionSpec(dialect, fields, msgspec.json.encode(fields))


def key_of(config: Config, agent: Agent) -> bytes:
    """What a session must have been configured with to serve this agent."""
    return msgspec.json.encode(plan_session(config, agent))


@attrs.define(eq=False)
class WarmSession:
    """A session that waits for a call; times are Trio's."""

    opened: OpenLeg
    spec: SessionSpec
    began_s: float
    ready_s: float
    expires_at: int | None
    """Unix time at which the server ends it, if it said so."""
    until_s: float = 0.0
    """When its owner replaces it."""
    _lost: bool = False

    @property
    def leg(self) -> Leg:
        """What it is held by."""
        return self.opened.leg

    @property
    def took_ms(self) -> int:
        """What it took to make."""
        return round((self.ready_s - self.began_s) * 1000)

    def lose(self, *args: object, **names: object) -> None:
        """The leg died, or asks for a task because the kernel takes no more bytes: the peer does not read."""
        self._lost = True

    def has_ended(self) -> bool:
        """Read what has come, pings and Close included; never waits."""
        try:
            messages, codec = self.leg.receive_nowait(), self.opened.codec
            return self._lost or any(isinstance(codec.decode(each), ModelError) for each in messages)
        except (LegClosed, RemoteProtocolError):
            return True


async def make(endpoint: Endpoint, spec: SessionSpec, nursery: trio.Nursery) -> WarmSession:
    """Connect and configure a session. What fails is closed; what is returned is the caller's to close.

    Raises:
        LLCPhoneError, OSError, trio.TooSlowError: there is none, for the reason ``failure_word`` names.
    """
    began_s = trio.current_time()
    with trio.fail_after(_MAKE_S):
        opened = await endpoint.dial(spec.dialect, nursery.start_soon)
        leg = opened.leg
        try:
            leg.attach(nursery.start_soon, lambda end: None)
            answer = await configure(opened, UpdateSession(spec.fields, "warm"))
            if isinstance(answer, ModelError):
                raise ModelRefused(answer.code)
            if not confirms_ulaw(answer):
                raise ModelRefused("audio_format")
        except BaseException:
            await close(leg)
            raise
    parked = WarmSession(opened, spec, began_s, trio.current_time(), answer.expires_at)
    leg.attach(parked.lose, parked.lose)
    return parked


async def close(leg: Leg) -> None:
    """Close a leg politely, whatever happens, within ``CLOSE_TIMEOUT_S``."""
    try:
        with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await leg.aclose()
    finally:
        leg.abort()


@attrs.define
class Backoff:
    """When the endpoint may be tried again."""

    failures: int = 0
    """In a row."""
    until_s: float = 0.0
    _failed_s: float = 0.0

    def failed(self, asked_s: float = 0.0) -> None:
        """An attempt or a session has failed; several that fail together count once."""
        now = trio.current_time()
        if now >= self.until_s:
            pause_s = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
            self.until_s = now + max(pause_s, min(asked_s, _LONGEST_PAUSE_S))
            self.failures += 1
            self._failed_s = now

    def has_lasted(self, since_s: float) -> None:
        """A session made at that time is well; if nothing has failed since, all is."""
        if since_s > self._failed_s:
            self.failures = 0
