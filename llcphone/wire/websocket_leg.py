"""The fast leg: a WebSocket as a value (descriptor, parser, outbox), not as a set of tasks.

Nothing runs behind an idle leg, so it can be parked, polled and handed to another owner by one
assignment. A frame out is one system call inside ``send_nowait``; a batch of frames in is one
wake-up of the one task in ``receive``, or none when that task lends the leg to the ``Hub``. A flush
task exists only while the kernel refuses bytes.

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
from typing import TYPE_CHECKING

import outcome
import trio
from websockets.protocol import OPEN, Protocol, Side

from llcphone.errors import LegClosed
from llcphone.wire.frames import FrameReader, masked_text_frame, text_frame
from llcphone.wire.keepalive import Keepalive
from llcphone.wire.leg import LegLimits, LegStats, OnLost, Spawn
from llcphone.wire.outbox import Outbox
from llcphone.wire.socket import RECV_BYTES, Socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.wire.hub import Hub
    from llcphone.wire.leg import Take

READS_PER_TURN = 16
"""Reads before the other tasks get their turn."""
ABNORMAL = 1006
REASON_BYTES = 123
"""A Close frame carries at most 125 bytes, two of them the code (RFC 6455 §5.5)."""


class WebSocketLeg:
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
        """Take over a socket whose handshake is done; ``rest`` is what was read behind it."""
        client = protocol.side is Side.CLIENT
        self.stats = LegStats()
        self._sock = sock
        self._protocol = protocol
        self._limits = limits or LegLimits()
        self._frame = masked_text_frame if client else text_frame
        self._reader = FrameReader(protocol, masked=not client, max_message=max_message)
        self._rest = rest
        self._more = True  # bytes may wait here or inside TLS: look before the first wait
        self._outbox = Outbox()
        self._flushing = False
        self._spawn: Spawn | None = None
        self._on_lost: OnLost | None = None
        self._mute = False
        self._end: LegClosed | None = None
        self._peer_done = False
        self._linger = False
        self._hub: Hub | None = None
        self._reader_task: trio.lowlevel.Task | None = None
        """Who has lent the leg to the hub, and is parked."""
        self._given_to: Take | None = None
        self._ping = Keepalive(self._limits)
        self._write(protocol.data_to_send(), False)  # a server owes its 101; a client owes nothing

    @property
    def closed(self) -> bool:
        """Whether the leg has ended."""
        return self._end is not None

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        """See ``Leg.attach``; what already waits in the outbox starts to flow."""
        self._spawn = spawn
        self._on_lost = on_lost
        self._need_flush()

    # Sending

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        """See ``Leg.send_nowait``."""
        if self._mute:
            return
        frame = self._frame(payload)
        stats = self.stats
        stats.frames_out += 1
        if self._outbox.size_bytes:
            self._outbox.put((frame,), media)
            self._check_outbox()
            return
        try:
            sent = self._sock.send(frame)
        except OSError:
            self._send_failed()
            return
        stats.bytes_out += sent
        if sent < len(frame):
            self._keep_rest((frame,), media, sent)

    def send_many_nowait(self, payloads: Sequence[bytes], *, media: bool = False) -> None:
        """See ``Leg.send_many_nowait``."""
        if self._mute or not payloads:
            return
        self.stats.frames_out += len(payloads)
        self._write([self._frame(payload) for payload in payloads], media)

    def drop_media_nowait(self) -> int:
        """See ``Leg.drop_media_nowait``."""
        dropped = self._outbox.drop_media() if self._outbox.size_bytes else 0
        self.stats.dropped += dropped
        return dropped

    def keepalive_nowait(self, now: float) -> float:
        """See ``Leg.keepalive_nowait``."""
        if not self._mute:
            if self._ping.overdue(now, self._reader.pong):
                self._lose("no pong")
            elif (payload := self._ping.due(now)) is not None:
                self._protocol.send_ping(payload)
                self._write(self._protocol.data_to_send(), False)
        return math.inf if self._mute else self._ping.look_again_s(now)

    def _write(self, frames: Sequence[bytes], media: bool) -> None:
        if self._outbox.size_bytes:
            self._outbox.put(frames, media)
            self._check_outbox()
            return
        if not (data := b"".join(frames)):
            return
        try:
            sent = self._sock.send(data)
        except OSError:
            self._send_failed()
            return
        self.stats.bytes_out += sent
        if sent < len(data):
            self._keep_rest(frames, media, sent)

    def _keep_rest(self, frames: Sequence[bytes], media: bool, sent: int) -> None:
        self._outbox.put_rest(frames, media, sent=sent, held=self._sock.held)
        self._check_outbox()

    def _check_outbox(self) -> None:
        if self._outbox.size_bytes > self._limits.outbox_limit_bytes:
            self._lose("outbox full")
        else:
            self._need_flush()

    def _need_flush(self) -> None:
        if self._spawn is not None and self._outbox.size_bytes and not self._flushing:
            self._flushing = True
            self._spawn(self._flush, name="flush")

    async def _flush(self) -> None:
        """Empty the outbox; give the leg up when the kernel takes nothing for ``stall_timeout_s``."""
        stall_timeout_s = self._limits.stall_timeout_s
        try:
            with trio.move_on_after(stall_timeout_s) as patience:
                while self._outbox.size_bytes:
                    await self._sock.wait_writable()
                    if accepted := self._outbox.flush(self._sock):
                        self.stats.bytes_out += accepted
                        patience.deadline = trio.current_time() + stall_timeout_s
        except trio.ClosedResourceError:
            return  # closed or lost meanwhile, and said so elsewhere
        except OSError:
            self._send_failed()
            return
        finally:
            self._flushing = False
        if patience.cancelled_caught:
            self._lose("stalled")

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

    async def lend(self, hub: Hub, take: Take) -> None:
        """Let the hub give the messages to ``take``, until only ``receive`` can go on.

        Raises:
            Exception: whatever ``take`` raised.
        """
        if self._more or self._end is not None:
            return  # ``receive`` waits for nothing now
        hub.watch(self._sock.fileno(), self._readable)
        self._hub, self._given_to = hub, take
        self._reader_task = trio.lowlevel.current_task()

        def cancelled(_: object) -> trio.lowlevel.Abort:
            self._take_back()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(cancelled)

    def _readable(self) -> None:
        """The hub's: read what is there."""
        result: outcome.Outcome[None] = outcome.Value(None)
        try:
            take = self._given_to
            assert take is not None
            for message in self._read_turn():
                take(message)
            if not self._more and self._end is None and not self._sock.recv_wants_write:
                return
        except BaseException as exc:
            result = outcome.Error(exc)
        self._give_back(result)

    def _give_back(self, result: outcome.Outcome[None]) -> None:
        if (task := self._reader_task) is not None:
            self._take_back()
            trio.lowlevel.reschedule(task, result)

    def _take_back(self) -> None:
        assert self._hub is not None
        self._hub.forget(self._sock.fileno())
        self._hub = self._given_to = self._reader_task = None

    def _wake(self) -> None:
        """Whoever reads or flushes looks again."""
        if self._reader_task is not None:
            self._more = True
            self._give_back(outcome.Value(None))
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
            pass  # closed by somebody else while we waited
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
        """Write our Close, unless a partial frame is out; frames that wait in the outbox are given up."""
        if not data or self._outbox.begun:
            return
        try:
            self._linger = self._sock.send(data) == len(data)
        except OSError:
            self._peer_done = True

    def _finish(self, end: LegClosed) -> None:
        """The leg has ended; the first reason stands."""
        self._mute = True
        self._outbox.clear()
        if self._end is None:
            self._end = end

    def _send_failed(self) -> None:
        """Stop sending and let the reader find the far side's last words, and then the end."""
        self._mute = self._more = True
        self._outbox.clear()
        self._wake()

    def _lose(self, why: str) -> None:
        """The leg died where no read can notice it."""
        if self._end is None:
            self._finish(LegClosed(ABNORMAL, why))
            self._wake()
            if self._on_lost is not None and self._end is not None:
                self._on_lost(self._end)
