"""WebSocket frames, without I/O: the fast lane in, and the two ways out.

Nearly every frame of a call is one complete, unfragmented text frame. Those are cut out of the
bytes here, without touching the protocol object. Every other frame (control, fragment, binary,
anything odd) is fed whole to websockets' strict ``Protocol``, which therefore always sits at a
frame boundary and decides alone what is an error. A header it will refuse unseen (too long,
wrongly masked) is fed at once, without waiting for its body.

The limits that the protocol leaves open are drawn here: fragments per message, and slow
frames per turn (a megabyte of empty pings must not hold up the other calls).
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import attrs
from websockets.frames import BINARY, CONT, CloseCode, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.protocol import Protocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # no C extension on this platform
    from websockets.utils import apply_mask

MAX_FRAGMENTS = 4096
"""Most fragments of one message: the far side could otherwise send empty ones for ever."""
SLOW_FRAMES_PER_TURN = 64
"""Frames the protocol may handle (about 10 µs each) before the other tasks get their turn."""

_FIN_TEXT = 0x81
_MASK = 0x80
_SHORT = struct.Struct("!BB").pack
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """A server's frame for one text message."""
    length = len(payload)
    if length < 126:
        return _SHORT(_FIN_TEXT, length) + payload
    if length < 65536:
        return _MEDIUM(_FIN_TEXT, 126, length) + payload
    return _LONG(_FIN_TEXT, 127, length) + payload


def masked_text_frame(payload: bytes) -> bytes:
    """A client's frame for one text message, masked with a fresh random key."""
    length = len(payload)
    key = _next_key()
    if length < 126:
        return _SHORT(_FIN_TEXT, _MASK | length) + key + apply_mask(payload, key)
    if length < 65536:
        return _MEDIUM(_FIN_TEXT, _MASK | 126, length) + key + apply_mask(payload, key)
    return _LONG(_FIN_TEXT, _MASK | 127, length) + key + apply_mask(payload, key)


def _mask_keys() -> Iterator[bytes]:
    """Four unpredictable bytes per frame (RFC 6455 §10.3), one system call per 1024 frames."""
    while True:
        pool = os.urandom(4096)
        for start in range(0, 4096, 4):
            yield pool[start : start + 4]


_next_key = _mask_keys().__next__


@attrs.define(eq=False)
class FrameReader:
    """Cuts received bytes into text messages.

    After each ``feed`` whose ``attention`` is set, the owner sends ``protocol.data_to_send()``.
    """

    protocol: Protocol
    masked: bool
    """Whether frames come masked: from a client."""
    max_message: int

    attention: bool = attrs.field(default=False, init=False)
    """The protocol has handled a frame: it may have something to send, or have closed."""
    more: bool = attrs.field(default=False, init=False)
    """Whole frames may be left over: feed again, with nothing new, before waiting."""
    ended: bool = attrs.field(default=False, init=False)
    """A Close or an error ended the stream; what follows is to be thrown away."""
    skipped: int = attrs.field(default=0, init=False)

    _parts: list[bytes] = attrs.field(factory=list, init=False)
    _have: int = attrs.field(default=0, init=False)
    _need: int = attrs.field(default=0, init=False)
    _fragments: list[bytes] = attrs.field(factory=list, init=False)
    _fragment_count: int = attrs.field(default=0, init=False)
    _binary: bool = attrs.field(default=False, init=False)
    _medium: int = attrs.field(init=False)
    """Second byte of a frame whose length takes two more."""
    _allowed: tuple[int, bool] = attrs.field(init=False)
    """Most bytes the next frame may carry, and whether no fragmented message is open."""

    def __attrs_post_init__(self) -> None:
        self._allowed = (self.max_message, True)
        self._medium = (_MASK if self.masked else 0) | 126

    def single(self, data: bytes) -> bytes | None:
        """The message, if ``data`` is exactly one text frame of the usual size; None: feed it.

        Nine reads out of ten of a call are one frame: this is ``feed`` for them, without its loop.
        """
        header = 8 if self.masked else 4
        length = len(data) - header
        if (
            length < 126
            or data[0] != _FIN_TEXT
            or data[1] != self._medium
            or (data[2] << 8 | data[3]) != length
            or self._need
            or self.more
            or self.ended
        ):
            return None
        limit, whole = self._allowed
        if not whole or length > limit:
            return None
        payload = apply_mask(data[8:], data[4:8]) if self.masked else data[4:]
        return payload if payload.isascii() else None

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; returns the text messages that are now complete."""
        if self._need:  # the start of a frame waits: join once, when all of it is here
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
            self._need = 0
        self.more = False
        return self._cut(data)

    def _cut(self, data: bytes) -> list[bytes]:
        messages: list[bytes] = []
        masked = self.masked
        mask_bit, mask_bytes = (_MASK, 4) if masked else (0, 0)
        slow = at = 0
        end = len(data)
        limit, whole = self._allowed
        while at < end:
            body = at + 2
            if body > end:
                return self._keep(data, at, 2, messages)
            length = data[at + 1] ^ mask_bit
            if length == 126:
                body += 2
                if body > end:
                    return self._keep(data, at, 4, messages)
                length = data[at + 2] << 8 | data[at + 3]
            elif length == 127:
                body += 8
                if body > end:
                    return self._keep(data, at, 10, messages)
                length = int.from_bytes(data[at + 2 : body], "big")
            elif length >= _MASK:  # the mask bit is wrong
                length = limit + 1
            if length > limit:
                self._by_protocol(data[at:], messages)
                return messages
            start = body + mask_bytes
            stop = start + length
            if stop > end:
                return self._keep(data, at, stop - at, messages)
            if whole and data[at] == _FIN_TEXT:
                payload = data[start:stop]
                if masked:
                    payload = apply_mask(payload, data[body:start])
                if not payload.isascii() and not self._is_utf8(payload):
                    return messages
                messages.append(payload)
            else:
                self._by_protocol(data[at:stop], messages)
                if self.ended:
                    return messages
                limit, whole = self._allowed
                slow += 1
                if slow >= SLOW_FRAMES_PER_TURN and stop < end:
                    self.more = True
                    return self._keep(data, stop, 1, messages)
            at = stop
        return messages

    def _keep(self, data: bytes, at: int, need: int, messages: list[bytes]) -> list[bytes]:
        self._parts.append(data[at:] if at else data)
        self._have = len(data) - at
        self._need = need
        return messages

    def _by_protocol(self, data: bytes, messages: list[bytes]) -> None:
        protocol = self.protocol
        self.attention = True
        protocol.receive_data(data)
        gathered = protocol.current_size
        self._allowed = (self.max_message, True) if gathered is None else (self.max_message - gathered, False)
        for event in protocol.events_received():
            assert isinstance(event, Frame)  # the handshake is over
            if event.opcode <= BINARY:
                self._data_frame(event, messages)
        if protocol.close_rcvd is not None or protocol.parser_exc is not None:
            self.ended = True

    def _data_frame(self, frame: Frame, messages: list[bytes]) -> None:
        if frame.opcode is not CONT:
            self._fragments.clear()
            self._fragment_count = 0
            self._binary = frame.opcode is BINARY
        self._fragment_count += 1
        if frame.data and not self._binary:
            self._fragments.append(bytes(frame.data))
        if not frame.fin:
            if self._fragment_count >= MAX_FRAGMENTS:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif self._binary:
            self.skipped += 1
        else:
            payload = b"".join(self._fragments)
            self._fragments.clear()
            if self._is_utf8(payload):
                messages.append(payload)

    def _is_utf8(self, payload: bytes) -> bool:
        """Check a text (RFC 6455 §8.1); anything but UTF-8 ends the stream with 1007."""
        try:
            payload.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
            return False
        return True

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.attention = self.ended = True
        self.protocol.fail(code, reason)
