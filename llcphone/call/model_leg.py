"""The openai reader: connects a model leg, reads it, closes it. One task per generation.

A parked session of the warm pool goes before dialling. It was alive when it was last looked at, but a
path may have forgotten it without a word; so it must answer its one ``session.update`` soon, or
it counts as lost and the engine redials.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from llcphone.call.bad_messages import BadMessageCount
from llcphone.engine.events import ModelConnected, ModelConnectFailed, ModelExpires, ModelLegLost, ModelSaid
from llcphone.errors import LegClosed, ModelRefused, RemoteProtocolError
from llcphone.realtime.decode import audio_delta_fast, decode
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.error_codes import is_busy, named_wait_ms
from llcphone.realtime.events import SessionUpdated
from llcphone.runtime.log_lines import logger
from llcphone.wire.leg import Leg, Spawn
from llcphone.wire.read_loop import read_all
from llcphone.wire.websocket import HandshakeRefused

if TYPE_CHECKING:
    from llcphone.call.run import CallRun
    from llcphone.engine.commands import ConnectModel, ConnectStandby

log = logger("llcphone.call")

DialModel = Callable[[Dialect, Spawn], Awaitable[Leg]]
"""Opens a model leg in a dialect; the phone passes it in with URL, key and transport bound."""

_ABNORMAL = 1006
_PROOF_S = 1.5
"""An adopted leg must have said something by then; an update takes about 0.3 s
(docs/vendor-facts.md, Session set-up)."""


async def read_model(call: CallRun, command: ConnectModel | ConnectStandby) -> None:
    """Open the leg of this generation and read it until it ends or is replaced."""
    if command.after_ms:
        await trio.sleep(command.after_ms / 1000)
    await trio.lowlevel.checkpoint_if_cancelled()  # a call that is over takes nothing from the pool
    warm = call.warmth.connecting(call.status, command.dialect)
    if warm is not None:  # ours from here on: no await before it is held
        await _hold(call, command.generation, warm.leg, warm.dialect, first_within_s=_PROOF_S)
        return
    dialect = command.dialect or await call.dialects.resolve()
    if dialect is not None:
        await _read(call, command.generation, dialect)
    else:
        with call.dialects.asking():
            await _read(call, command.generation, Dialect.FLAT)


async def _read(call: CallRun, generation: int, dialect: Dialect) -> None:
    try:
        leg = await call.dial_model(dialect, call.spawn)
    except HandshakeRefused as exc:
        fatal = exc.status in (400, 401, 403, 404)
        retry_ms = int((exc.retry_after or 0) * 1000)
        call.step(ModelConnectFailed(generation, failure_word(exc), fatal, retry_ms))
        return
    except (OSError, UnicodeError, trio.TooSlowError, RemoteProtocolError) as exc:
        call.step(ModelConnectFailed(generation, failure_word(exc)))
        return
    await _hold(call, generation, leg, dialect)


async def _hold(
    call: CallRun, generation: int, leg: Leg, dialect: Dialect, *, first_within_s: float = math.inf
) -> None:
    """Read an open leg to its end; it is closed whatever happens."""
    try:
        leg.attach(call.spawn, lambda end: call.step(_ended(generation, end)))
        call.models.connected(generation, leg, dialect)
        call.step(ModelConnected(generation, dialect))
        await _pump(call, generation, leg, first_within_s)
    finally:
        call.models.gone(leg)
        with trio.move_on_after(call.close_timeout_s, shield=True):
            await leg.aclose()
        leg.abort()


async def _pump(call: CallRun, generation: int, leg: Leg, first_within_s: float) -> None:
    bad = BadMessageCount(call)
    proven = first_within_s == math.inf

    def on_message(message: bytes) -> None:
        try:
            event = audio_delta_fast(message) or decode(message)
        except RemoteProtocolError:
            bad.one_more()
        else:
            bad.in_row = 0
            call.step(ModelSaid(generation, event))
            if isinstance(event, SessionUpdated):
                _tell_expiry(call, generation, event)

    try:
        with trio.fail_after(first_within_s):
            messages = await leg.receive()
        call.warmth.answered()
        proven = True
        for message in messages:
            on_message(message)
        await read_all(leg, on_message, call.poller)
    except LegClosed as exc:
        # What ended a session while it was parked is no word about this call's settings.
        call.step(_ended(generation, exc) if proven else ModelLegLost(generation, _ABNORMAL))
    except trio.TooSlowError:
        call.step(ModelLegLost(generation, _ABNORMAL))


def _ended(generation: int, end: LegClosed) -> ModelLegLost:
    busy = is_busy(end.code, end.reason)
    return ModelLegLost(generation, end.code, busy, named_wait_ms(end.reason) if busy else 0)


def _tell_expiry(call: CallRun, generation: int, event: SessionUpdated) -> None:
    """The server names the end in its Unix time; the engine has only the call's clock."""
    if event.expires_at is None:
        return
    left_s = event.expires_at - call.wall_clock()
    if left_s > 0:  # else one of the two clocks is wrong: then only the age counts
        call.step(ModelExpires(generation, round(left_s * 1000)))


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
