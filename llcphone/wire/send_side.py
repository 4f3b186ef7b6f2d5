"""The sending half of the fast leg: into the kernel at once, and into the send queue what it refuses.

A frame out is one system call inside ``send_nowait``. A flush task exists only while the kernel
refuses bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.wire.frames import masked_text_frame, text_frame
from llcphone.wire.leg import LegLimits, LegStats, Spawn
from llcphone.wire.send_queue import SendQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.wire.socket import Socket


class SendingSide:
    """What a leg sends with; its owner says what a failed send means."""

    def __init__(self, sock: Socket, *, masked: bool, limits: LegLimits) -> None:
        """``masked``: we are the client."""
        self.stats = LegStats()
        self._sock = sock
        self._limits = limits
        self._frame = masked_text_frame if masked else text_frame
        self._queue = SendQueue()
        self._flushing = False
        self._spawn: Spawn | None = None
        self._mute = False

    def _send_failed(self) -> None:
        raise NotImplementedError

    def _lose(self, why: str) -> None:
        raise NotImplementedError

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        """See ``Leg.send_nowait``."""
        if self._mute:
            return
        frame = self._frame(payload)
        stats = self.stats
        stats.frames_out += 1
        if self._queue.size_bytes:
            self._queue.put((frame,), media)
            self._check_queue()
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
        dropped = self._queue.drop_media() if self._queue.size_bytes else 0
        self.stats.dropped += dropped
        return dropped

    def _write(self, frames: Sequence[bytes], media: bool) -> None:
        if self._queue.size_bytes:
            self._queue.put(frames, media)
            self._check_queue()
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
        self._queue.put_rest(frames, media, sent=sent, held=self._sock.held)
        self._check_queue()

    def _check_queue(self) -> None:
        if self._queue.behind_bytes > self._limits.queue_limit_bytes:
            self._lose("send queue full")
        else:
            self._need_flush()

    def _need_flush(self) -> None:
        if self._spawn is not None and self._queue.size_bytes and not self._flushing:
            self._flushing = True
            self._spawn(self._flush, name="flush")

    async def _flush(self) -> None:
        """Empty the send queue; give the leg up when the kernel takes nothing for ``stall_timeout_s``."""
        stall_timeout_s = self._limits.stall_timeout_s
        try:
            with trio.move_on_after(stall_timeout_s) as patience:
                while self._queue.size_bytes:
                    await self._sock.wait_writable()
                    if accepted := self._queue.flush(self._sock):
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
