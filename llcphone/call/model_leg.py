"""A leg to the model: connects, is read into the engine, closes. One task (``openai reader``) for each.

A session of the warm pool is taken before dialling. It was alive when the pool looked at it last, but the
connection may have been lost since without a sign; so it must answer its one ``session.update`` soon, or it
counts as lost and the engine dials again.
"""

from __future__ import annotations

import math
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call.core import BadMessageCount, CallCore
from llcphone.engine.events import ModelConnected, ModelConnectFailed, ModelExpires, ModelLegLost, ModelSaid
from llcphone.errors import LegClosed, ModelRefused, RemoteProtocolError
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.error_codes import is_busy, named_wait_ms
from llcphone.realtime.events import SessionUpdated
from llcphone.wire.leg import CLOSE_TIMEOUT_S
from llcphone.wire.websocket import HandshakeRefused
from llcphone.wire.websocket_leg import read_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.codec import ModelCodec
    from llcphone.call.session_source import EndpointSource, OpenLeg, UnsupportedMemory
    from llcphone.realtime.events import ModelEvent
    from llcphone.wire.leg import Leg

_ABNORMAL = 1006
_PROOF_S = 1.5
"""A warm session must have said something by then; an update takes about 0.3 s."""


@attrs.define(eq=False)
class ModelLeg:
    """One leg to the model, from dialling to closing."""

    leg_number: int
    _core: CallCore
    _changed: Callable[[], None]
    """Called when the leg is open, and when it takes nothing any more."""
    leg: Leg | None = attrs.field(default=None, init=False)
    """None: it is not open yet, or no longer."""
    codec: ModelCodec | None = attrs.field(default=None, init=False)
    """What it is written and read with, from when it is open."""
    unsupported: UnsupportedMemory | None = attrs.field(default=None, init=False)
    """What its endpoint does not understand, from when it is open."""
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    async def run(self, endpoint: int, dialect: Dialect | None, after_ms: int) -> None:
        """Open the leg and read it until it ends or is closed.

        Args:
            endpoint: number of the endpoint.
            dialect: what the endpoint speaks; None: as remembered, else this leg asks.
            after_ms: how long to wait before.
        """
        with self._scope:
            if after_ms:
                await trio.sleep(after_ms / 1000)
            await trio.lowlevel.checkpoint_if_cancelled()  # a call that is over takes nothing from the pool
            sessions = self._core.services.sessions
            source = sessions.endpoints[endpoint]
            warm = sessions.take_warm(self._core.engine.status(), endpoint, dialect)
            if warm is not None:  # ours from here on: no await before it is held
                await self._hold(warm, first_within_s=_PROOF_S)
            elif (dialect := dialect or await source.dialects.resolve()) is not None:
                await self._dial(source, dialect)
            else:
                with source.dialects.asking():
                    await self._dial(source, Dialect.FLAT)

    def close(self, reason: str) -> None:
        """Close it, open or still connecting."""
        self._scope.cancel(reason=reason)

    async def _dial(self, source: EndpointSource, dialect: Dialect) -> None:
        core = self._core
        try:
            opened = await source.dial(dialect, core.spawn)
        except HandshakeRefused as exc:
            fatal = exc.status in (400, 401, 403, 404)
            retry_ms = int((exc.retry_after or 0) * 1000)
            core.step(ModelConnectFailed(self.leg_number, failure_word(exc), fatal, retry_ms))
            return
        except (OSError, UnicodeError, trio.TooSlowError, RemoteProtocolError) as exc:
            core.step(ModelConnectFailed(self.leg_number, failure_word(exc)))
            return
        await self._hold(opened)

    async def _hold(self, opened: OpenLeg, *, first_within_s: float = math.inf) -> None:
        """Read an open leg to its end; it is closed whatever happens."""
        core, leg, codec = self._core, opened.leg, opened.codec
        try:
            leg.attach(core.spawn, lambda end: core.step(_ended(self.leg_number, end)))
            self.leg, self.codec, self.unsupported = leg, codec, opened.unsupported
            self._changed()
            core.step(ModelConnected(self.leg_number, codec.dialect, opened.unsupported.names))
            await self._pump(leg, codec, first_within_s)
        finally:
            self.leg = None
            self._changed()
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await say_bye(opened)
                await leg.aclose()
            leg.abort()

    async def _pump(self, leg: Leg, codec: ModelCodec, first_within_s: float) -> None:
        core, leg_number, bad = self._core, self.leg_number, BadMessageCount(self._core)
        proven = first_within_s == math.inf

        def on_message(message: bytes) -> None:
            try:
                event = codec.decode(message)
            except RemoteProtocolError:
                bad.one_more()
                return
            bad.in_row = 0
            if isinstance(event, tuple):
                for each in event:
                    said(each)
                if not event:
                    core.model_alive(leg)
            else:
                said(event)

        def said(event: ModelEvent) -> None:
            core.step(ModelSaid(leg_number, event))
            if isinstance(event, SessionUpdated):
                self._expires(event)

        try:
            with trio.fail_after(first_within_s):
                messages = await leg.receive()
            core.services.sessions.answered()
            proven = True
            for message in messages:
                on_message(message)
            await read_all(leg, on_message, core.services.poller)
        except LegClosed as exc:
            # What ended a session while it was in the pool says nothing about this call's settings.
            core.step(_ended(leg_number, exc) if proven else ModelLegLost(leg_number, _ABNORMAL))
        except trio.TooSlowError:
            core.step(ModelLegLost(leg_number, _ABNORMAL))

    def _expires(self, event: SessionUpdated) -> None:
        """The server gives the end in its Unix time; the engine has only the call's clock."""
        if event.expires_at is None:
            return
        left_s = event.expires_at - self._core.services.wall_clock()
        if left_s > 0:  # else one of the two clocks is wrong: then only the age counts
            self._core.step(ModelExpires(self.leg_number, round(left_s * 1000)))


async def say_bye(opened: OpenLeg) -> None:
    """End the session of an open leg as its API wants it, and wait for its end. The caller bounds it."""
    bye = None if opened.leg.closed else opened.codec.bye()
    if bye is None:
        return
    opened.leg.send_nowait(bye)
    with suppress(LegClosed):  # which GPT-Live does after its last word
        while True:
            await opened.leg.receive()


def _ended(leg_number: int, end: LegClosed) -> ModelLegLost:
    busy = is_busy(end.code, end.reason)
    return ModelLegLost(leg_number, end.code, busy, named_wait_ms(end.reason) if busy else 0)


NO_SESSION = (
    *(HandshakeRefused, ModelRefused, LegClosed, RemoteProtocolError, OSError, trio.TooSlowError),
    UnicodeError,
)
"""What opening a session raises when there is none; ``failure_word`` names it."""


def failure_word(exc: Exception) -> str:
    """Why there is no session, in a word; never the exception's text, which may name hosts and addresses."""
    match exc:
        case HandshakeRefused():
            return f"http_{exc.status}"
        case ModelRefused():
            return exc.code
        case LegClosed():
            return f"closed_{exc.code}"
        case trio.TooSlowError():
            return "timeout"
        case ssl.SSLError():
            return "tls"
        case ConnectionRefusedError():
            return "refused"
        case OSError() | UnicodeError():  # a resolver raises that for a host it cannot even ask for
            return "unreachable"
        case _:
            return "handshake"
