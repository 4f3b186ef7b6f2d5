"""A leg (``wire.leg.Leg``) in memory, whose far side is the test, and whose sends may fail."""

from __future__ import annotations

import base64
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.errors import LegClosed
from llcphone.wire.leg import LegStats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llcphone.wire.leg import OnLost, Spawn

Json = dict[str, Any]


class Failure(Enum):
    """How a send fails."""

    BROKEN = "EPIPE: nothing more is sent, and the reader finds the end behind what has come before"
    FULL = "send queue above its limit: the owner is told inside the send"
    CLOSED = "the far side had closed, and nobody has read it yet"


@attrs.define(eq=False)
class MemoryLeg:
    """A leg (``wire.leg.Leg``) whose far side is the test."""

    reply: Callable[[Json], Sequence[Json]] = lambda message: ()
    """The far side's immediate answer to each message sent to it."""
    fails_at: int = 0
    """The how-manieth message (from 1) cannot be sent; 0: all can."""
    failure: Failure = Failure.BROKEN
    stats: LegStats = attrs.field(factory=LegStats)
    sent: list[Json] = attrs.field(factory=list)
    senders: list[str] = attrs.field(factory=list)
    """The name of the task that sent each message, the failing one included."""
    closed: bool = False
    code: int = 1006
    freed_at: float | None = None
    """When the call had closed it."""
    failed_at: float | None = None
    _mute: bool = False
    _inbox: deque[bytes] = attrs.field(factory=deque)
    _news: trio.Event = attrs.field(factory=trio.Event)
    _on_lost: OnLost | None = None

    # The far side's hands

    def put(self, *messages: Json) -> None:
        """Let the call receive these."""
        self._inbox.extend(msgspec.json.encode(message) for message in messages)
        self._news.set()

    def end(self, code: int = 1006) -> None:
        """The far side closes, or is lost with 1006."""
        self._mute = self.closed = True
        self.code = code
        self._news.set()

    def kinds(self) -> list[str]:
        """What was sent, by kind."""
        return [message.get("event") or message["type"] for message in self.sent]

    @property
    def voice_ms(self) -> int:
        """Agent audio that was sent."""
        payloads = (message["media"]["payload"] for message in self.sent if message["event"] == "media")
        return sum(len(base64.b64decode(payload)) for payload in payloads) // 8

    # The call's side

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        self._on_lost = on_lost

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        if self._mute:
            return
        self.senders.append(trio.lowlevel.current_task().name)
        if len(self.senders) == self.fails_at:
            self._fail()
            return
        message = msgspec.json.decode(payload)
        self.sent.append(message)
        if answers := self.reply(message):
            self.put(*answers)

    def send_many_nowait(self, payloads: Sequence[bytes], *, media: bool = False) -> None:
        for payload in payloads:
            self.send_nowait(payload, media=media)

    def drop_media_nowait(self) -> int:
        return 0

    def receive_nowait(self) -> list[bytes]:
        messages = list(self._inbox)
        self._inbox.clear()
        self._news = trio.Event()
        if not messages and (self._mute or self.closed):
            self.closed = True
            raise LegClosed(self.code)
        return messages

    async def receive(self) -> list[bytes]:
        while True:
            if self._inbox or self._mute:
                await trio.lowlevel.checkpoint()
            else:
                await self._news.wait()
            if messages := self.receive_nowait():
                return messages

    def keepalive_nowait(self, now: float) -> float:
        return now + 1000.0

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.abort()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        self._mute = self.closed = True
        self._news.set()
        if self.freed_at is None:
            self.freed_at = trio.current_time()

    def _fail(self) -> None:
        self.failed_at = trio.current_time()
        self._mute = True
        self.closed = self.failure is not Failure.BROKEN
        self._news.set()
        if self.failure is Failure.FULL and self._on_lost is not None:
            self._on_lost(LegClosed(1006, "send queue full"))
