"""What goes to the phone: messages that follow each other in one step leave in one kernel send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.twilio.media import Clear, MediaEncoder

if TYPE_CHECKING:
    from llcphone.twilio.media import PhoneMessage
    from llcphone.wire.leg import Leg


class PhoneWriter:
    """Writes to the phone's leg, once there is one and its stream is known."""

    def __init__(self) -> None:
        self.leg: Leg | None = None
        self.waiting: list[bytes] = []
        """Messages of the present step that have not been sent."""
        self._encoder: MediaEncoder | None = None

    def stream_started(self, stream_sid: str) -> None:
        """From now on messages can be written."""
        self._encoder = MediaEncoder(stream_sid)

    def write(self, message: PhoneMessage) -> None:
        """Let a message wait for ``flush``. ``Clear`` is sent at once, and drops unsent media."""
        if isinstance(message, Clear):
            self._clear()
        elif self._encoder is not None:
            self.waiting.append(self._encoder.encode(message))

    def flush(self) -> None:
        """Send what waits."""
        if self.leg is not None:
            self.leg.send_many_nowait(self.waiting, media=True)
        self.waiting.clear()

    def _clear(self) -> None:
        if self.waiting:
            self.flush()
        if self.leg is not None and self._encoder is not None:
            self.leg.drop_media_nowait()
            self.leg.send_nowait(self._encoder.clear())
