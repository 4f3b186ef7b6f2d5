"""The carrier: which requests may be repeated, and when a create may be sent.

Twilio has no idempotency key for calls, so a repeated create would dial twice. A create is repeated only if
Twilio certainly did not accept it: nothing was sent, or the answer was 429. Any other failure, except a clear
refusal, is ``CreateUnknown``; then ``find`` tells what happened. Looking up, hanging up and setting a webhook
are idempotent, so they are simply tried again.

Every method is bounded: 10 s per request, 20 s with its repetitions. Only a dial waits longer, for its turn:
by default an account places one call per second, and Twilio queues the rest where we cannot see it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]

from llcphone.carrier.http import RequestFailed, TrioHttp
from llcphone.carrier.orders import (
    CallState,
    CarrierError,
    CreateRefused,
    CreateUnknown,
    DialOrder,
    NumberSettings,
)
from llcphone.config import TwilioConfig
from llcphone.errors import ConfigError, StoreUnavailable
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from llcphone.config import Config

log = logger("llcphone.carrier")

REPEAT_LIMIT_S = 20.0
"""Longest a request and its repetitions may take together."""
BACK_OFFS_S = (0.5, 2.0)
"""The longest pauses before the second and the third try; there is no fourth."""
LONGEST_WAIT_S = 10.0
"""If Retry-After asks for a longer pause, the request fails instead."""
CLOCK_SKEW_S = 5.0
"""How far Twilio's clock and ours may be apart."""
PAGE = 50

PACE_UNKNOWN = "pace_of_all_nodes_unknown"
"""Code of an order that was not sent, because nobody said when its turn is."""

Turn = Callable[[], "Awaitable[None]"]

LIVE = ("queued", "ringing", "in-progress")
EVENTS = ["initiated", "ringing", "answered", "completed"]
GONE = frozenset({"20404", "http_404", "21220"})
"""There is no such call, or it is over already."""

_UNREADABLE = (TwilioException, AttributeError, KeyError, TypeError, ValueError)
"""What the package raises for JSON of another shape than its own; a page of calls, say, that is none."""


class Carrier:
    """One Twilio account's REST API; made by ``open_carrier``.

    Cancelling any method closes its socket. A dial that is cancelled is as uncertain as
    ``CreateUnknown``: after cancelling it, call ``find`` and ``hang_up``.
    """

    def __init__(self, client: Any, *, calls_per_second: float, turn: Turn | None = None) -> None:
        self._client = client
        self._pace = Pace(1 / calls_per_second, turn)

    async def dial(
        self,
        order: DialOrder,
        go_ahead: Callable[[], bool] = lambda: True,
        wanted: Callable[[], bool] = lambda: True,
    ) -> str:
        """Place a call when its turn has come; returns its CallSid.

        Args:
            order: what to dial.
            go_ahead: asked right before anything is sent; False withdraws the order, which then
                has taken no turn.
            wanted: asked before a turn is taken among all nodes, which cannot be given back.

        Raises:
            CreateRefused: no call was placed.
            CreateUnknown: a call may have been placed; ``find`` tells.
        """
        create = partial(self._client.calls.create_async, **_fields(order))
        try:
            call = await _ask(create, again=_turned_away, before=partial(self._pace.turn, go_ahead, wanted))
        except RequestFailed as failed:
            if failed.certain:
                raise CreateRefused(failed.code, retryable=failed.turned_away) from None
            raise CreateUnknown(failed.code) from None
        if not isinstance(call.sid, str) or not call.sid:
            raise CreateUnknown("unreadable")
        return call.sid

    async def hang_up(self, call_sid: str) -> None:
        """End a call, ringing or answered; one that is over already is no error."""
        try:
            await _repeat(partial(self._client.calls(call_sid).update_async, status="completed"))
        except CarrierError as error:
            if error.code not in GONE:
                raise

    async def redirect(self, call_sid: str, url: str, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Let a call that is in progress go on with the TwiML of this URL; False: it is over.

        Args:
            call_sid: the call's.
            url: asked for the TwiML; it may be asked twice, for a redirection may be repeated.
            wanted: asked before each try; False: the URL was asked meanwhile, so it has worked.
        """

        async def before() -> None:
            await trio.lowlevel.checkpoint()
            if not wanted():
                raise RequestFailed("done")

        call = self._client.calls(call_sid)
        try:
            await _repeat(partial(call.update_async, url=url, method="POST"), before=before)
        except CarrierError as error:
            if error.code == "done":
                return True
            if error.code not in GONE:
                raise
            return False
        return True

    async def find(self, order: DialOrder, since_unix_s: float) -> list[str]:
        """CallSids of our live calls from and to the order's numbers, created since then.

        Twilio's own time filter is of no use here: it is by StartTime, which a queued call has not.
        """
        found: dict[str, None] = {}
        # In the order of a call's life: one that moves on meanwhile is seen twice, never missed.
        for status in LIVE:
            ask = partial(
                self._client.calls.list_async, to=order.to, from_=order.from_, status=status, limit=PAGE
            )
            for call in await _repeat(ask):
                born = call.date_created
                recent = born is None or born.timestamp() >= since_unix_s - CLOCK_SKEW_S
                if recent and call.direction == "outbound-api":
                    found[_text(call.sid)] = None
        return list(found)

    async def fetch(self, call_sid: str) -> CallState:
        """How a call stands; for when no status callback came."""
        call = await _repeat(self._client.calls(call_sid).fetch_async)
        duration = str(call.duration or "")
        return CallState(
            call_sid=_text(call.sid),
            status=_text(call.status),
            answered_by=call.answered_by or None,
            duration_s=int(duration) if duration.isdecimal() else None,
        )

    async def number(self, e164: str) -> NumberSettings | None:
        """The settings of one of the account's numbers; None when it has no such number."""
        # Twilio's filter also finds numbers that only contain the text.
        ask = partial(self._client.incoming_phone_numbers.list_async, phone_number=e164, limit=PAGE)
        for each in await _repeat(ask):
            if each.phone_number == e164:
                return NumberSettings(
                    number_sid=_text(each.sid),
                    voice_url=each.voice_url or "",
                    voice_method=each.voice_method or "",
                    voice_fallback_url=each.voice_fallback_url or "",
                    status_callback=each.status_callback or "",
                    voice_application_sid=each.voice_application_sid or "",
                    trunk_sid=each.trunk_sid or "",
                )
        return None

    async def set_webhook(self, number_sid: str, voice_url: str) -> None:
        """Let a number ask this URL for TwiML when it rings."""
        number = self._client.incoming_phone_numbers(number_sid)
        await _repeat(partial(number.update_async, voice_url=voice_url, voice_method="POST"))

    async def send_sms(self, to: str, from_: str, body: str) -> str:
        """Send a text message; returns its MessageSid. Repeated only when it certainly did not go out."""
        create = partial(self._client.messages.create_async, to=to, from_=from_, body=body)
        try:
            return _text((await _ask(create, again=_turned_away)).sid)
        except RequestFailed as failed:
            raise CarrierError(failed.code) from None


class Pace:
    """Lets one at a time go, in the order of asking, an interval apart.

    The lock is first come, first served, and its holder sleeps. So a caller that gives up while waiting takes
    no turn and delays no other.
    """

    def __init__(self, interval_s: float, among_all: Turn | None = None) -> None:
        """``among_all`` waits for a turn among all nodes, where there are several."""
        self._interval_s = interval_s
        self._among_all = among_all
        self._next_at = -math.inf
        self._lock = trio.Lock()

    async def turn(self, go_ahead: Callable[[], bool], wanted: Callable[[], bool]) -> None:
        """Wait for one's turn.

        Raises:
            RequestFailed: the turn has come, and is not wanted any more; or it is not known when it comes.
        """
        async with self._lock:
            await trio.sleep_until(self._next_at)
            if self._among_all is not None and wanted():
                try:
                    await self._among_all()
                except StoreUnavailable:
                    raise RequestFailed(PACE_UNKNOWN, sent=False) from None
            if not go_ahead():
                raise RequestFailed("withdrawn", sent=False)
            self._next_at = trio.current_time() + self._interval_s


@asynccontextmanager
async def open_carrier(
    config: Config, *, calls_per_second: float = 1.0, turn: Turn | None = None
) -> AsyncIterator[Carrier]:
    """Open the account of ``[twilio]``. Nothing is sent, and no socket stays open between requests.

    Raises:
        ConfigError: the account or its token is missing.
    """
    for key in ("account_sid", "auth_token"):
        if not getattr(config.twilio, key):
            raise ConfigError(
                f"twilio.{key}", "is missing: dialling and transfers need it", f"set TWILIO_{key.upper()}"
            )
    from twilio.rest import Client  # type: ignore[import-untyped]  # takes 100 ms; not all need it

    settings = config.twilio
    simulated = settings.api_url != TwilioConfig().api_url
    client = Client(
        settings.account_sid,
        settings.auth_token,
        # An edge alone means us1 to the package too; its host is api.<edge>.<region>.twilio.com.
        edge=settings.edge or None,
        region=settings.region or None,
        http_client=TrioHttp(settings.api_url if simulated else ""),
        # Else it would read TWILIO_EDGE and TWILIO_REGION behind the settings' back. {} counts as none.
        environment={"": ""},
    )
    # The package imports each part at its first use, two thirds of a second in all: now, while no
    # call is live, and not at the first dial, when it would hold up every frame of every call.
    _ = client.calls, client.incoming_phone_numbers, client.messages
    yield Carrier(client, calls_per_second=calls_per_second, turn=turn)


def _fields(order: DialOrder) -> dict[str, Any]:
    """The order in the package's words; it leaves out what is None."""
    fields: dict[str, Any] = {
        "to": order.to,
        "from_": order.from_,
        "twiml": order.twiml,
        "url": order.url,
        "status_callback": order.status_callback,
        "status_callback_event": EVENTS,  # as repeated fields; "completed" alone is the default
        "timeout": order.ring_timeout_s,
        "time_limit": order.time_limit_s,
        "send_digits": order.send_digits,
    }
    if order.amd:
        fields["machine_detection"] = "DetectMessageEnd" if order.amd.message_end else "Enable"
        fields["machine_detection_timeout"] = order.amd.timeout_s
        if order.amd.kind == "async":
            fields |= {"async_amd": "true", "async_amd_status_callback": order.amd.callback}
    return fields


def _text(value: Any) -> str:
    """A value that only Twilio's good answers have."""
    if not isinstance(value, str) or not value:
        raise CarrierError("unreadable")
    return value


def _turned_away(failed: RequestFailed) -> bool:
    return failed.turned_away


def _passing(failed: RequestFailed) -> bool:
    return failed.passing


async def _repeat(
    ask: Callable[[], Awaitable[Any]],
    *,
    before: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
) -> Any:
    """Ask what may be asked twice; CarrierError when it fails for good or takes too long."""
    with trio.move_on_after(REPEAT_LIMIT_S):
        try:
            return await _ask(ask, again=_passing, before=before)
        except RequestFailed as failed:
            raise CarrierError(failed.code) from None
    raise CarrierError("no_answer")


async def _ask(
    ask: Callable[[], Awaitable[Any]],
    *,
    again: Callable[[RequestFailed], bool],
    before: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
) -> Any:
    """Ask up to three times, as long as ``again`` allows it, with growing and random pauses."""
    for back_off_s in (*BACK_OFFS_S, None):
        await before()
        try:
            return await ask()
        except RequestFailed as failed:
            if back_off_s is None or not again(failed):
                raise
            wait_s = max(failed.retry_after_s, back_off_s * random.uniform(0.5, 1.0))
            if wait_s > LONGEST_WAIT_S:
                raise
            log.info("a request to Twilio is tried again", extra={"code": failed.code})
        except _UNREADABLE:
            raise RequestFailed("unreadable") from None
        await trio.sleep(wait_s)
    raise AssertionError("unreachable")
