"""Calls from the account to its own number: placed one at a time, and hung up whatever happens."""

from __future__ import annotations

import secrets
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio
from attrs import define, field, frozen

from llcphone.carrier.orders import Amd, CarrierError, CreateRefused, CreateUnknown, DialOrder
from llcphone.carrier.rest import open_carrier
from llcphone.certify.answer import Unanswered
from llcphone.certify.telephone.port import Port, Webhook, twiml
from llcphone.errors import ConfigError
from llcphone.server.run import bind
from llcphone.twilio.addresses import same_address
from llcphone.twilio.twiml import busy, connect_stream, hang_up, stream_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llcphone.carrier.rest import Carrier
    from llcphone.certify.fixtures import Recording
    from llcphone.certify.telephone.stream import Stream
    from llcphone.config import Config

RING_S = 20
"""How long a call rings."""
CALL_S = 60
"""Longest call: one begun minute of either leg. Twilio ends it if llcphone does not."""
START_S = 30.0
"""Longest wait for a stream."""
HANG_UP_S = 25.0
"""Longest time for hanging up, tries included."""


@frozen
class Legs:
    """A call that is answered: its two media streams."""

    caller: Stream
    """Of the call that was placed."""
    callee: Stream
    """Of the call that has arrived at the number."""


@frozen
class Placed:
    """A call that was placed."""

    sid: str
    find: Callable[[], Awaitable[list[str]]]
    """CallSids of our live calls to the number, by Twilio's list."""


@define(eq=False, kw_only=True)
class Line:
    """The account's number, while it is asked."""

    config: Config
    to: str = field(repr=False)
    port: Port
    carrier: Carrier = field(repr=False)

    def path(self) -> str:
        """A fresh path for webhooks of one call."""
        return f"/certify/{secrets.token_hex(8)}"

    def url(self, path: str) -> str:
        """Its public address."""
        return self.config.server.public_url + path

    @asynccontextmanager
    async def legs(self, *, action: str = "") -> AsyncIterator[Legs]:
        """A call that is answered, with a media stream on either leg; hung up at the end.

        Args:
            action: path that is asked when the called leg's stream has ended; "": the leg hangs up.

        Raises:
            Unanswered: there is no such call.
        """
        caller, callee = secrets.token_hex(16), secrets.token_hex(16)
        self.port.tokens |= {caller, callee}
        path = self.path()
        self.port.answers[path] = lambda _: self._connect(caller)
        self.port.answers["/twiml"] = lambda _: self._connect(callee, action)
        async with self.placed(path):
            first = await self.port.stream(caller, START_S)
            second = await self.port.stream(callee, START_S)
            if first is None or second is None:
                raise Unanswered("no_media_stream")
            try:
                yield Legs(first, second)
            finally:
                first.leg.abort()
                second.leg.abort()

    @asynccontextmanager
    async def placed(self, path: str, *, fragment: str = "", amd: Amd | None = None) -> AsyncIterator[Placed]:
        """Place a call to the number. It is hung up at the end, also if it is not known to be placed.

        Args:
            path: asked for TwiML when it is answered.
            fragment: Twilio's connection overrides of that address.
            amd: answering machine detection.

        Raises:
            Unanswered: Twilio refused it, or did not answer.
        """
        order = DialOrder(
            to=self.to,
            from_=self.config.twilio.phone_number,
            url=self.url(path) + fragment,
            status_callback=self.url(f"{path}/status"),
            ring_timeout_s=RING_S,
            time_limit_s=CALL_S,
            amd=amd,
        )
        self.port.answers[f"{path}/status"] = lambda _: twiml(hang_up())
        began_s, sid = time.time(), ""
        try:
            try:
                sid = await self.carrier.dial(order)
            except CreateRefused as refused:
                began_s = 0.0
                raise Unanswered(f"twilio_{refused.code}") from None
            except CreateUnknown as unknown:
                raise Unanswered(f"twilio_{unknown.code}") from None
            yield Placed(sid, partial(self.carrier.find, order, began_s))
        finally:
            if began_s:
                with trio.move_on_after(HANG_UP_S, shield=True):
                    await self._hang_up(order, sid, began_s)

    async def _hang_up(self, order: DialOrder, sid: str, began_s: float) -> None:
        """End the call; without a CallSid end every call of ours to the number since then."""
        try:
            for each in [sid] if sid else await self.carrier.find(order, began_s):
                await self.carrier.hang_up(each)
        except CarrierError:
            pass  # its time limit ends it

    def _connect(self, token: str, action: str = "") -> bytes:
        where = stream_url(self.config.server.public_url, token)
        return twiml(connect_stream(where, action=self.url(action) if action else None))

    def answer_calls(self) -> None:
        """Calls that arrive at the number are answered, with a stream on which nothing is said."""
        token = secrets.token_hex(16)
        self.port.tokens.add(token)
        self.port.answers["/twiml"] = lambda _: self._connect(token)

    def reject_calls(self) -> None:
        """Calls that arrive at the number get a busy tone, which costs nothing."""
        self.port.answers["/twiml"] = _busy


def _busy(_: Webhook) -> bytes:
    return twiml(busy())


def check_ready(config: Config) -> None:
    """Whether all is set that a call to the own number needs.

    Raises:
        ConfigError: something is missing.
    """
    for key, value, fix in (
        ("twilio.account_sid", config.twilio.account_sid, "set TWILIO_ACCOUNT_SID"),
        ("twilio.auth_token", config.twilio.auth_token, "set TWILIO_AUTH_TOKEN"),
        ("twilio.phone_number", config.twilio.phone_number, "set TWILIO_PHONE_NUMBER"),
        ("server.public_url", config.server.public_url, "set PUBLIC_URL"),
    ):
        if not value:
            raise ConfigError(key, "is not set: questions about calls need it", f"{fix}, or --only model")


@asynccontextmanager
async def open_line(config: Config, to: str, recording: Recording) -> AsyncIterator[Line]:
    """Open the public port, and see that the number's calls come here.

    Raises:
        ConfigError: a setting is missing, the port is taken, or the number's calls go elsewhere.
    """
    check_ready(config)
    async with open_carrier(config) as carrier:
        await _check_number(config, carrier, to)
        listeners = await bind(config.server)
        async with trio.open_nursery() as nursery:
            port = Port(config, recording, nursery)
            line = Line(config=config, to=to, port=port, carrier=carrier)
            line.reject_calls()
            nursery.start_soon(port.serve, listeners, name="certify port")
            try:
                yield line
            finally:
                for stream in port.streams.values():
                    stream.leg.abort()
                nursery.cancel_scope.cancel(reason="all was asked")


async def _check_number(config: Config, carrier: Carrier, to: str) -> None:
    try:
        number = await carrier.number(to)
    except CarrierError as error:
        raise ConfigError(
            "twilio", f"Twilio gives no usable answer [{error.code}]", "llcphone doctor"
        ) from None
    if number is None:
        raise ConfigError("--to", "is no number of this account", "name one of its numbers")
    if not (number.voice_url_counts and same_address(number.voice_url, f"{config.server.public_url}/twiml")):
        raise ConfigError("--to", "calls to this number do not come here", "llcphone number set-webhook")
