"""A leg over another library's WebSocket object, which stays with its handler.

The object (quart's, or a trio-websocket connection) may only be used inside its handler's
task, and both its ends wait. So two pumps run in that task, ``await leg.pump()``, and the call
talks to two bounded queues: ``send_nowait`` fills one, ``receive`` empties the other. A cancelled
handler ends the leg with 1001; it never cancels the call.

A send that is cancelled half-way leaves half a frame behind, so a stuck
send always ends the leg.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import trio
from trio_websocket import ConnectionClosed

from llcphone.errors import LegClosed
from llcphone.wire.leg import LegLimits, LegStats, OnLost, Spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Verb = Callable[..., Awaitable[Any]]

TRIO_WEBSOCKET = ("get_message", "send_message", "aclose")
QUART = ("receive", "send", "close")
"""What a foreign socket must have: how it receives, sends and closes; quart-trio's is quart's."""
RECEIVE_MESSAGES = 256
"""Messages that may wait for ``receive``: 5 s of caller audio. One more and the leg is lost."""
SEND_MESSAGES = 1024
"""Messages that may wait to be sent: 20 s of agent audio in 20 ms frames."""
ABNORMAL = 1006
GOING_AWAY = 1001


class ForeignLeg:
    """A leg whose socket belongs to a handler that runs ``pump`` (see ``wire.leg.Leg``)."""

    def __init__(self, websocket: Any, *, limits: LegLimits | None = None) -> None:
        """Wrap quart's websocket (the object behind its proxy) or a trio-websocket connection."""
        self.stats = LegStats()
        self._receive, self._send, self._close = _verbs(websocket)
        self._limits = limits or LegLimits()
        self._inbox, self._received = trio.open_memory_channel[bytes](RECEIVE_MESSAGES)
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._queue_bytes = 0
        self._work = trio.Event()
        self._scope = trio.CancelScope()
        self._pump_running = False
        self._pump_done = trio.Event()
        self._on_lost: OnLost | None = None
        self._end: LegClosed | None = None
        self._goodbye: tuple[int, str] | None = None

    @property
    def closed(self) -> bool:
        """Whether the leg has ended."""
        return self._end is not None

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        """See ``Leg.attach``; no task is ever spawned, the pumps are the handler's."""
        self._on_lost = on_lost

    # The call's side

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        """See ``Leg.send_nowait``."""
        self.send_many_nowait((payload,), media=media)

    def send_many_nowait(self, payloads: Sequence[bytes], *, media: bool = False) -> None:
        """See ``Leg.send_many_nowait``."""
        if self._end is not None:
            return
        self.stats.frames_out += len(payloads)
        self._queue.extend((payload, media) for payload in payloads)
        self._queue_bytes += sum(map(len, payloads))
        behind = self._queue_bytes - len(self._queue[0][0]) if self._queue else 0
        if len(self._queue) > SEND_MESSAGES or behind > self._limits.queue_limit_bytes:
            self.lose("send queue full")
        else:
            self._work.set()

    def drop_media_nowait(self) -> int:
        """See ``Leg.drop_media_nowait``; the message a pump is sending has left the queue."""
        kept = deque(entry for entry in self._queue if not entry[1])
        dropped = len(self._queue) - len(kept)
        self._queue = kept
        self._queue_bytes = sum(len(payload) for payload, _ in kept)
        self.stats.dropped += dropped
        return dropped

    async def receive(self) -> list[bytes]:
        """See ``Leg.receive``."""
        try:
            first = await self._received.receive()
        except trio.EndOfChannel:
            raise self._ended() from None
        return [first, *self._waiting()]

    def receive_nowait(self) -> list[bytes]:
        """See ``Leg.receive_nowait``."""
        messages = self._waiting()
        if not messages and self._end is not None:
            raise self._ended()
        return messages

    def keepalive_nowait(self, now: float) -> float:
        """Nothing to do: the socket's owner sends the pings."""
        return math.inf

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """See ``Leg.aclose``; the handler's task writes the Close."""
        if self._end is None:
            self._goodbye = (code, reason)
        self._finish(LegClosed(code, reason))
        if self._pump_running:
            with trio.move_on_after(self._limits.close_timeout_s):
                await self._pump_done.wait()
        else:
            await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """See ``Leg.abort``."""
        self._finish(LegClosed(ABNORMAL, "aborted"))

    def lose(self, why: str) -> None:
        """End the leg for a reason that no read can notice."""
        if self._end is None:
            self._finish(LegClosed(ABNORMAL, why))
            if self._on_lost is not None:
                self._on_lost(self._ended())

    def _waiting(self) -> list[bytes]:
        messages = []
        try:
            while True:
                messages.append(self._received.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return messages

    def _ended(self) -> LegClosed:
        end = self._end or LegClosed(ABNORMAL)
        return LegClosed(end.code, end.reason)

    def _finish(self, end: LegClosed) -> None:
        """The leg has ended; the first reason stands. What was received can still be read."""
        if self._end is None:
            self._end = end
        self._inbox.close()
        self._queue.clear()
        self._queue_bytes = 0
        self._scope.cancel()

    # The handler's side

    async def pump(self) -> None:
        """Carry messages both ways, in the handler's task, until the leg or the socket ends.

        An error of the socket object itself passes through to the handler, whose framework logs it.
        """
        self._pump_running = True
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump_in, name="leg pump in")
                    nursery.start_soon(self._pump_out, name="leg pump out")
            if self._goodbye is not None:
                with trio.move_on_after(self._limits.close_timeout_s, shield=True):
                    await self._close(*self._goodbye)
        finally:
            cancelled = trio.current_effective_deadline() == -math.inf
            self._finish(LegClosed(GOING_AWAY, "handler cancelled") if cancelled else LegClosed(ABNORMAL))
            self._pump_running = False
            self._pump_done.set()

    async def _pump_in(self) -> None:
        while True:
            try:
                message = await self._receive()
            except ConnectionClosed as exc:
                close = exc.reason
                self._finish(LegClosed(close.code, close.reason or "") if close else LegClosed(ABNORMAL))
                return
            if not isinstance(message, str):
                self.stats.skipped += 1
                continue
            payload = message.encode()
            try:
                self._inbox.send_nowait(payload)
            except trio.WouldBlock:
                self.lose("receive queue full")
                return
            self.stats.frames_in += 1
            self.stats.bytes_in += len(payload)

    async def _pump_out(self) -> None:
        while True:
            while self._queue:
                payload, _ = self._queue.popleft()
                self._queue_bytes -= len(payload)
                with trio.move_on_after(self._limits.stall_timeout_s) as patience:
                    try:
                        await self._send(payload.decode())
                    except ConnectionClosed:
                        return  # the reading pump knows why
                if patience.cancelled_caught:
                    self.lose("stalled")
                    return
                self.stats.bytes_out += len(payload)
            self._work = trio.Event()
            await self._work.wait()


def _verbs(websocket: Any) -> tuple[Verb, Verb, Verb]:
    """The object's own words for receive, send and close."""
    names = TRIO_WEBSOCKET if hasattr(websocket, TRIO_WEBSOCKET[0]) else QUART
    receive, send, close = (getattr(websocket, name) for name in names)
    return receive, send, close
