"""The frames of a client, cut from what TCP delivers (RFC 6455 section 5.2).

``ClientFrames`` opens the ordinary ones: a whole text message in one masked frame, shorter than 64 KiB. Pings
and pongs are passed on. The first frame of any other kind, well-formed or not, and all that follows it are
passed on as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A
"""First bytes of final frames."""
_LONGEST = {_TEXT: 126, _PING: 125, _PONG: 125}
"""The highest length in the second byte; 126 means that two bytes of length follow."""
_MASKED = 0x80


@attrs.define(eq=False)
class ClientFrames:
    """Reads one connection, from the beginning of a frame on."""

    _on_text: Callable[[str], None]
    over: bool = attrs.field(default=False, init=False)
    """Everything from now on is passed on."""
    _part: bytes = attrs.field(default=b"", init=False)
    """The beginning of a frame."""

    def take(self, data: bytes) -> bytes:
        """Give the text messages in ``data`` to ``on_text``, in order.

        Args:
            data: what was received; empty when the client sends nothing more.

        Returns:
            What is passed on: whole frames, or everything once it is ``over``.
        """
        if not data:
            self.over = True
        data, passed, at = self._part + data, b"", 0
        while not self.over and len(data) >= at + 2:
            kind, length, begin = data[at], data[at + 1] - _MASKED, at + 6
            if not 0 <= length <= _LONGEST.get(kind, -1):
                self.over = True
                break
            if length == 126:
                length, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            if (end := begin + length) > len(data):
                break
            if begin == at + 8 and length < 126:
                self.over = True  # a length not written in its shortest form
            elif kind == _TEXT:
                try:
                    text = _unmasked(data[begin:end], data[begin - 4 : begin]).decode()
                except UnicodeDecodeError:
                    self.over = True
                    break
                at = end
                self._on_text(text)  # which may say that it is over
            else:
                passed, at = passed + data[at:end], end
        self._part = b"" if self.over else data[at:]
        return passed + data[at:] if self.over else passed


def _unmasked(payload: bytes, key: bytes) -> bytes:
    length = len(payload)
    stream = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    return (int.from_bytes(payload, "big") ^ stream).to_bytes(length, "big")
