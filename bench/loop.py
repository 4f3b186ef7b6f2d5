"""The load generator's event loop: one thread, non-blocking sockets, one heap of timers.

It must cost much less than what it measures, so there are no tasks and no streams: a readable
socket is one method call, and a message is a slice of what was read. Its own lateness is measured
too (``busy_s``): a generator that cannot keep up would blame the bridge.
"""

from __future__ import annotations

import heapq
import itertools
import select
import selectors
import socket
import ssl
import time
from typing import TYPE_CHECKING

from websockets.speedups import apply_mask

if TYPE_CHECKING:
    from collections.abc import Callable

now = time.monotonic

TEXT, CLOSE, PING = 0x81, 0x88, 0x89


class Loop:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = itertools.count()
        self.stopped = False
        self.busy_s = 0.0

    def at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call ``function(*args)`` at that time of ``now()``."""
        heapq.heappush(self._timers, (when, next(self._count), function, args))

    def run(self) -> None:
        """Until somebody sets ``stopped``."""
        timers, poll = self._timers, self.selector.select
        waits = self.selector.fileno()  # epoll counts in ms; select over its descriptor counts in µs
        while not self.stopped:
            wait = min(timers[0][0] - now(), 0.2) if timers else 0.2
            if wait > 0:
                select.select([waits], [], [], wait)
            began = now()
            for key, mask in poll(0):
                key.data(mask)
            while timers and timers[0][0] <= now():
                _, _, function, args = heapq.heappop(timers)
                function(*args)
            self.busy_s += now() - began


class Conn:
    """A connection that starts as HTTP and may become a WebSocket; ``owner`` receives what comes.

    The owner has ``on_head(conn, head)`` for text up to a blank line, ``on_text(conn, payload, when)``
    and ``on_end(conn)``.
    """

    def __init__(self, loop: Loop, sock: socket.socket, owner: object, *, client: bool) -> None:
        self.loop, self.sock, self.owner, self.client = loop, sock, owner, client
        self.is_websocket = False
        self.ended = False
        self._in = b""
        self._out = b""
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._shaking = self._tls
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.selector.register(sock, selectors.EVENT_READ, self._ready)

    def send(self, data: bytes) -> None:
        """Bytes as they are; what the kernel does not take waits here."""
        if self.ended:
            return
        if not self._out and not self._shaking:
            try:
                data = data[self.sock.send(data) :]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self.close()
                return
        if data:
            self._out += data
            self.loop.selector.modify(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self._ready)

    def text(self, payload: bytes) -> None:
        self.send(frame(payload, client=self.client))

    def close(self) -> None:
        """At once. Idempotent."""
        if not self.ended:
            self.ended = True
            self.loop.selector.unregister(self.sock)
            self.sock.close()
            self.owner.on_end(self)

    def _ready(self, mask: int) -> None:
        if self._shaking:
            try:
                self.sock.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                self.close()
                return
            self._shaking = False
        if mask & selectors.EVENT_WRITE and self._out:
            data, self._out = self._out, b""
            self.loop.selector.modify(self.sock, selectors.EVENT_READ, self._ready)
            self.send(data)
        if mask & selectors.EVENT_READ:
            self._read()

    def _read(self) -> None:
        while not self.ended:
            try:
                data = self.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            when = now()
            if not data:
                self.close()
                return
            data = self._in + data if self._in else data
            if self.is_websocket:
                self._cut(data, when)
            else:
                self._head(data, when)
            if not self._tls and len(data) < 65536:  # TLS may hide more than the selector sees
                return

    def _head(self, data: bytes, when: float) -> None:
        head, blank, rest = data.partition(b"\r\n\r\n")
        self._in = data if not blank else b""
        if blank:
            self.owner.on_head(self, head, rest)
            if self.is_websocket and rest:
                self._cut(rest, when)

    def _cut(self, data: bytes, when: float) -> None:
        """Messages out of bytes. No bridge here fragments; a fragment would be an error of this program."""
        at, end = 0, len(data)
        while end - at >= 2:
            length = data[at + 1] & 0x7F
            body = at + 2
            if length >= 126:
                body += 2 if length == 126 else 8
                if body > end:
                    break
                length = int.from_bytes(data[at + 2 : body], "big")
            masked = data[at + 1] & 0x80
            start = body + 4 if masked else body
            stop = start + length
            if stop > end:
                break
            payload = data[start:stop]
            if masked:
                payload = apply_mask(payload, data[body:start])
            if data[at] == TEXT:
                self.owner.on_text(self, payload, when)
            elif data[at] == PING:
                self.send(frame(payload, client=self.client, kind=0x8A))
            elif data[at] == CLOSE:
                self.send(frame(payload, client=self.client, kind=CLOSE))
                self.close()
                return
            at = stop
        self._in = data[at:]


def frame(payload: bytes, *, client: bool, kind: int = TEXT) -> bytes:
    """A WebSocket frame. A client's mask is four zeros: the bridge unmasks at the same cost, we for free."""
    length, bit = len(payload), 0x80 if client else 0
    if length < 126:
        head = bytes((kind, bit | length))
    elif length < 65536:
        head = bytes((kind, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((kind, bit | 127)) + length.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload if client else head + payload


def connect(loop: Loop, port: int, owner: object) -> Conn:
    """A client connection to this machine; the kernel answers at once, even if the server accepts late."""
    return Conn(loop, socket.create_connection(("127.0.0.1", port), 5), owner, client=True)


class Listener:
    """Accepts on a free port; ``accepted(sock)`` receives each connection."""

    def __init__(self, loop: Loop, accepted: Callable[[socket.socket], None]) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._sock.setblocking(False)
        self._accepted = accepted
        self.port: int = self._sock.getsockname()[1]
        self._loop = loop
        loop.selector.register(self._sock, selectors.EVENT_READ, self._ready)

    def _ready(self, mask: int) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            self._accepted(sock)

    def close(self) -> None:
        """Accept no more."""
        self._loop.selector.unregister(self._sock)
        self._sock.close()
