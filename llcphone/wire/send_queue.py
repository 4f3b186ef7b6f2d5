"""Whole frames that the kernel did not take yet.

Only whole frames may be removed: once a byte of a frame is out, the rest must follow or the
far side reads garbage. So the send queue is a *begun* remainder, which nothing touches, and
behind it frames that can still be dropped. Under TLS a frame is begun as soon as it was
offered (``Socket.held``).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.wire.socket import Socket


@attrs.define(eq=False)
class SendQueue:
    """A queue of frames behind a full socket."""

    size_bytes: int = 0
    """Bytes that wait."""
    _begun: memoryview = attrs.field(factory=lambda: memoryview(b""))
    _frames: deque[tuple[bytes, bool]] = attrs.field(factory=deque)

    @property
    def begun(self) -> bool:
        """Whether a frame is partly out: no other frame may be written now."""
        return len(self._begun) > 0

    @property
    def behind_bytes(self) -> int:
        """Bytes that wait behind the message whose turn it is."""
        return self.size_bytes - (len(self._begun) or (len(self._frames[0][0]) if self._frames else 0))

    def put(self, frames: Sequence[bytes], media: bool) -> None:
        """Queue whole frames."""
        self._frames.extend((frame, media) for frame in frames)
        self.size_bytes += sum(map(len, frames))

    def put_rest(self, frames: Sequence[bytes], media: bool, *, sent: int, held: int) -> None:
        """Queue what is left of frames whose joined bytes were offered to the socket; the queue was empty.

        Those not yet begun may be dropped if they are ``media``. The socket took ``sent`` bytes and has bound
        ``held`` more.
        """
        begun = bytearray()
        at = 0
        for frame in frames:
            if at + len(frame) > sent:
                if at < sent + held:
                    begun += frame[max(sent - at, 0) :]
                else:
                    self._frames.append((frame, media))
            at += len(frame)
        self._begun = memoryview(bytes(begun))
        self.size_bytes = at - sent

    def drop_media(self) -> int:
        """Remove media frames not yet begun; returns how many."""
        kept = [entry for entry in self._frames if not entry[1]]
        dropped = len(self._frames) - len(kept)
        self._frames = deque(kept)
        self.size_bytes = len(self._begun) + sum(len(frame) for frame, _ in kept)
        return dropped

    def clear(self) -> None:
        """Forget everything: nothing will be sent any more."""
        self._begun = memoryview(b"")
        self._frames.clear()
        self.size_bytes = 0

    def flush(self, sock: Socket) -> int:
        """Offer frames until the socket is full or none is left; returns the bytes it took."""
        accepted = 0
        while self.size_bytes:
            head = self._begun or memoryview(self._frames[0][0])
            taken = sock.send(head)
            if not self._begun and (taken or sock.held):
                self._frames.popleft()
                self._begun = head
            if self._begun:
                self._begun = self._begun[taken:]
            accepted += taken
            self.size_bytes -= taken
            if taken < len(head):
                break
        return accepted
