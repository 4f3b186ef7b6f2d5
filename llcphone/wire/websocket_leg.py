"""The fast leg: a WebSocket as a value (descriptor, parser, send queue), not as a set of tasks.

Nothing runs behind an idle leg, so it can be parked, polled and handed to another owner by one
assignment. A batch of frames in wakes the one task in ``receive``, or no task when the
``Poller`` reads the leg. ``sending`` is the other half.

The end has three parts, each known at its own time:

- ``_mute``: nothing more may be sent (the leg has ended, or a send failed);
- ``_end``: what ``receive`` raises, once what came before is delivered;
- ``_peer_done``: Close, EOF or an error has come, so nothing is left to wait for in ``aclose``.

Closing is a conversation: a socket closed with unread bytes in it resets the connection, and the
reset can overtake our own Close. So after a Close of ours, ``aclose`` reads on until the far
side has answered, at most ``close_timeout_s``. Twilio goes on with its TwiML only when it has seen ours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

import trio
from websockets.protocol import OPEN, Protocol, Side

from llcphone.errors import LegClosed
from llcphone.wire.frames import FrameReader
from llcphone.wire.keepalive import Keepalive
from llcphone.wire.leg import LegLimits, OnLost, Spawn
from llcphone.wire.poller import PolledReader
from llcphone.wire.send_side import SendingSide
from llcphone.wire.socket import RECV_BYTES, Socket

if TYPE_CHECKING:
    from llcphone.wire.leg import Leg, OnMessage
    from llcphone.wire.poller import Poller

READS_PER_TURN = 16
"""Reads before the other tasks get their turn."""
ABNORMAL = 1006
REASON_BYTES = 123
"""A Close frame carries at most 125 bytes, two of them the code (RFC 6455 §5.5)."""


class WebSocketLeg(SendingSide):
    """A leg over websockets' sans-I/O protocol with a fast lane for text (see ``wire.leg.Leg``)."""

    def __init__(
        self,
        sock: Socket,
        protocol: Protocol,
        *,
        max_message: int,
        rest: bytes = b"",
        limits: LegLimits | None = None,
    ) -> None:
        """OnMessage over a socket whose handshake is done; ``rest`` is what was read behind it."""
        client = protocol.side is Side.CLIENT
        super().__init__(sock, masked=client, limits=limits or LegLimits())
        self._protocol = protocol
        self._reader = FrameReader(protocol, masked=not client, max_message=max_message)
        self._rest = rest
        self._more = True  # bytes may wait here or inside TLS: look before the first wait
        self._on_lost: OnLost | None = None
        self._end: LegClosed | None = None
        self._peer_done = False
        self._linger = False
        self._polled: PolledReader | None = None
        self._ping = Keepalive(self._limits)
        self._write(protocol.data_to_send(), False)  # a server owes its 101; a client owes nothing

    @property
    def closed(self) -> bool:
        """Whether the leg has ended."""
        return self._end is not None

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        """See ``Leg.attach``; what already waits in the send queue starts to flow."""
        self._spawn = spawn
        self._on_lost = on_lost
        self._need_flush()

    def keepalive_nowait(self, now: float) -> float:
        """See ``Leg.keepalive_nowait``."""
        if not self._mute:
            if self._ping.overdue(now, self.stats.bytes_in):
                self._lose("no answer to a ping")
            elif (payload := self._ping.due(now, self.stats.bytes_in)) is not None:
                self._protocol.send_ping(payload)
                self._write(self._protocol.data_to_send(), False)
        return math.inf if self._mute else self._ping.look_again_s(now)

    # Receiving

    async def receive(self) -> list[bytes]:
        """See ``Leg.receive``."""
        while True:
            if self._more or self._end is not None:
                await trio.lowlevel.checkpoint()
            else:
                try:
                    await self._sock.wait_readable()
                except trio.ClosedResourceError:
                    self._more = True  # woken: the leg has been closed or lost
            if messages := self.receive_nowait():
                return messages

    def receive_nowait(self) -> list[bytes]:
        """See ``Leg.receive_nowait``."""
        if self._end is None and (messages := self._read_turn()):
            return messages
        if self._end is not None:
            raise LegClosed(self._end.code, self._end.reason)
        return []

    async def poll_with(self, poller: Poller, on_message: OnMessage) -> None:
        """Let the poller give the messages to ``on_message``, until only ``receive`` can go on.

        Raises:
            Exception: whatever ``on_message`` raised.
        """

        def serve() -> bool:
            for message in self._read_turn():
                on_message(message)
            return not self._more and self._end is None and not self._sock.recv_wants_write

        if not self._more and self._end is None:
            self._polled = PolledReader(poller, self._sock.fileno(), serve)
            try:
                await self._polled.finished()
            finally:
                self._polled = None

    def _wake(self) -> None:
        """Wake the tasks that read or flush; they look again."""
        if self._polled is not None:
            self._more = True
            self._polled.end()
        self._sock.wake()

    def _read_turn(self) -> list[bytes]:
        """Read what is there, at most 16 reads; the text messages in it."""
        messages: list[bytes] = []
        reader, sock, stats = self._reader, self._sock, self.stats
        self._more = False
        if reader.more or self._rest:
            rest, self._rest = self._rest, b""
            messages += self._take(rest)
        for _ in range(READS_PER_TURN):
            if reader.more or self._peer_done:
                break
            try:
                data = sock.recv()
            except OSError:
                data = b""
            if data is None:
                if self._mute and self._end is None:  # our send failed, and now all is read
                    self._finish(LegClosed(ABNORMAL, "send failed"))
                return messages
            if not data:
                self._peer_done = True
                self._finish(LegClosed(ABNORMAL, "no close frame"))
                return messages
            if (one := reader.single(data)) is not None:
                stats.bytes_in += len(data)
                stats.frames_in += 1
                messages.append(one)
            else:
                messages += self._take(data)
            if len(data) < RECV_BYTES and not sock.must_drain and not self._mute:
                self._more = reader.more
                return messages
        self._more = True
        return messages

    def _take(self, data: bytes) -> list[bytes]:
        reader, stats = self._reader, self.stats
        stats.bytes_in += len(data)
        if reader.ended:
            return []
        messages = reader.feed(data)
        stats.frames_in += len(messages)
        if reader.attention:
            reader.attention = False
            self._serve_protocol()
        return messages

    def _serve_protocol(self) -> None:
        """Send the pongs and the Close that the protocol owes; notice the end."""
        protocol = self._protocol
        self.stats.skipped = self._reader.skipped
        writes = [data for data in protocol.data_to_send() if data]  # an empty one would mean "half-close"
        if not self._reader.ended:
            if writes and not self._mute:
                self._write(writes, False)
            return
        self._peer_done = protocol.close_rcvd is not None
        if not self._mute:
            self._write_last(b"".join(writes))
        close = protocol.close_rcvd or protocol.close_sent
        self._finish(LegClosed(close.code, close.reason) if close else LegClosed(ABNORMAL))

    # Ending

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """See ``Leg.aclose``."""
        try:
            self._say_goodbye(code, reason)
            self._wake()  # a receive or a flush in flight ends now; the descriptor is ours alone
            linger, self._linger = self._linger, False
            with trio.move_on_after(self._limits.close_timeout_s):
                await trio.lowlevel.checkpoint()
                while linger and not self._peer_done:
                    self._read_turn()
                    if self._more:
                        await trio.lowlevel.checkpoint()
                    elif not self._peer_done:
                        await self._sock.wait_readable()
        except trio.ClosedResourceError:
            pass  # another task closed it while we waited
        finally:
            self._sock.close()

    def abort(self) -> None:
        """See ``Leg.abort``."""
        self._finish(LegClosed(ABNORMAL, "aborted"))
        self._wake()
        self._sock.close()

    def _say_goodbye(self, code: int, reason: str) -> None:
        if self._end is None and not self._mute and self._protocol.state is OPEN:
            reason = reason.encode()[:REASON_BYTES].decode(errors="ignore")
            self._protocol.send_close(code, reason)
            self._write_last(b"".join(self._protocol.data_to_send()))
        self._finish(LegClosed(code, reason))

    def _write_last(self, data: bytes) -> None:
        """Write our Close, unless a partial frame is out; frames that wait in the send queue are given up."""
        if not data or self._queue.begun:
            return
        try:
            self._linger = self._sock.send(data) == len(data)
        except OSError:
            self._peer_done = True

    def _finish(self, end: LegClosed) -> None:
        """The leg has ended; the first reason stands."""
        self._mute = True
        self._queue.clear()
        if self._end is None:
            self._end = end

    def _send_failed(self) -> None:
        """Stop sending and let the reader find the far side's last words, and then the end."""
        self._mute = self._more = True
        self._queue.clear()
        self._wake()

    def _lose(self, why: str) -> None:
        """The leg died where no read can notice it."""
        if self._end is None:
            self._finish(LegClosed(ABNORMAL, why))
            self._wake()
            if self._on_lost is not None and self._end is not None:
                self._on_lost(self._end)


async def read_all(leg: Leg, on_message: OnMessage, poller: Poller | None) -> NoReturn:
    """Give every message of a leg to ``on_message``, in order, until it ends; through the poller, if any.

    Raises:
        LegClosed: the leg has ended, and everything received before was given.
        Exception: whatever ``on_message`` raised.
    """
    while True:
        for message in await leg.receive():
            on_message(message)
        if poller is not None and isinstance(leg, WebSocketLeg):
            await leg.poll_with(poller, on_message)
