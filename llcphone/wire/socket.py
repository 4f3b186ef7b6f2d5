"""A non-blocking byte pipe: TCP, or TLS through the standard library's own non-blocking socket.

``recv`` and ``send`` never wait; ``wait_readable`` and ``wait_writable`` do nothing else. Two
rules of TLS shape this file:

- OpenSSL hides decrypted bytes from epoll, so a reader calls ``recv`` until it answers None
  before it waits (``must_drain``).
- A blocked ``SSL_write`` has already built its record: the next write must offer the same bytes
  again, never fewer. ``held`` says how many bytes are bound that way; their frames are begun,
  although ``send`` reported none of them.

Either direction of TLS may want the other (``recv`` a writable socket, ``send`` a readable
one). Then two tasks can want the same readiness; the second parks until the first has it.

A file descriptor is closed only after ``notify_closing``, or a task that waits for it hangs for ever.
"""

from __future__ import annotations

import socket as stdlib_socket
import ssl
from typing import TYPE_CHECKING, Self

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RECV_BYTES = 64 * 1024
"""One read of plain TCP."""
TLS_RECORD_BYTES = 16 * 1024
"""The largest TLS record: one read, and the most a blocked write can bind."""
UNSENT_LIMIT_BYTES = 16 * 1024
"""Most that the kernel holds unsent: a ``clear`` is not stuck behind audio."""


class Socket:
    """A connected TCP socket that never blocks."""

    must_drain = False
    """Whether a reader must see None from ``recv`` before it may wait."""
    held = 0
    """Bytes a blocked ``send`` has bound although it did not report them."""
    recv_wants_write = False
    """Whether ``recv`` lacked a writable socket (TLS only)."""

    def __init__(self, sock: stdlib_socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._fd = sock.fileno()

    @classmethod
    def from_accepted(cls, sock: stdlib_socket.socket) -> Self:
        """Take over a connected socket (its file descriptor is ours from now on)."""
        _tune(sock)
        return cls(sock)

    def recv(self) -> bytes | None:
        """What has arrived; None when that is nothing, empty at the end.

        Raises:
            OSError: the connection is broken.
        """
        try:
            return self._sock.recv(RECV_BYTES)
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """Hand bytes to the kernel; returns how many it took, 0 when it is full.

        Raises:
            OSError: the connection is broken.
        """
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._fd

    # Not coroutines themselves: every wake-up walks down all of a task's coroutines (0.3 µs each).

    def wait_readable(self) -> Awaitable[None]:
        """Wait until ``recv`` may have something. Raises ``ClosedResourceError`` when woken by ``wake``."""
        return wait_readable(self._open_fd())  # noqa: ASYNC105 (awaited by the caller)

    def wait_writable(self) -> Awaitable[None]:
        """Wait until ``send`` may take something. Raises ``ClosedResourceError`` when woken by ``wake``."""
        return wait_writable(self._open_fd())  # noqa: ASYNC105 (awaited by the caller)

    def wake(self) -> None:
        """Wake every task that waits here, with ``ClosedResourceError``; the socket stays open."""
        if self._fd >= 0:
            notify_closing(self._fd)

    def close(self) -> None:
        """Close at once, waiters first. Idempotent."""
        self.wake()
        self._fd = -1
        self._sock.close()

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise trio.ClosedResourceError("the socket is closed")
        return self._fd


class TLSSocket(Socket):
    """The same over TLS; ``handshake`` comes first."""

    must_drain = True

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._tls = sock
        self._send_waits = wait_writable
        self._second = trio.lowlevel.ParkingLot()

    async def handshake(self) -> None:
        """Agree on keys. Raises ``ssl.SSLError`` or another ``OSError`` when that fails."""
        while True:
            try:
                return self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await wait_readable(self._fd)
            except ssl.SSLWantWriteError:
                await wait_writable(self._fd)

    def recv(self) -> bytes | None:
        """As ``Socket.recv``: at most one record."""
        try:
            return self._tls.recv(TLS_RECORD_BYTES)
        except ssl.SSLWantReadError:
            self.recv_wants_write = False
        except ssl.SSLWantWriteError:
            self.recv_wants_write = True
        return None

    def send(self, data: bytes | memoryview) -> int:
        """As ``Socket.send``; after a short answer the next call must begin with the same ``held`` bytes."""
        self.held = sent = 0
        view = memoryview(data)
        while sent < len(data):
            record = view[sent : sent + TLS_RECORD_BYTES]
            try:
                sent += self._tls.send(record)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                self.held = len(record)
                self._send_waits = wait_readable if isinstance(want, ssl.SSLWantReadError) else wait_writable
                break
        return sent

    def wait_readable(self) -> Awaitable[None]:
        """As ``Socket.wait_readable``, for whatever the last ``recv`` lacked."""
        return self._wait(wait_writable if self.recv_wants_write else wait_readable)

    def wait_writable(self) -> Awaitable[None]:
        """As ``Socket.wait_writable``, for whatever the last ``send`` lacked."""
        return self._wait(self._send_waits)

    def close(self) -> None:
        """As ``Socket.close``. No close_notify: WebSocket's own Close tells an end from a cut."""
        super().close()
        self._second.unpark_all()

    async def _wait(self, ready: Callable[[int], Awaitable[None]]) -> None:
        try:
            await ready(self._open_fd())
        except trio.BusyResourceError:  # the other direction's task waits for the same readiness
            await self._second.park()
        finally:
            self._second.unpark_all()


async def dial(
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    server_hostname: str | None = None,
    timeout_s: float,
) -> Socket:
    """Connect, and agree on TLS if a context is given, under one deadline.

    Happy eyeballs by Trio; a numeric host is not looked up (no thread). A cancelled dial leaves nothing open.

    Raises:
        OSError: no address could be reached, or TLS failed (``ssl.SSLError``).
        trio.TooSlowError: ``timeout_s`` has passed.
    """
    with trio.fail_after(timeout_s):
        stream = await trio.open_tcp_stream(host, port)
        # No await from here to the try: the descriptor changes its owner.
        raw = stdlib_socket.socket(fileno=stream.socket.detach())
        try:
            raw.setblocking(False)
            _tune(raw)
            if tls is None:
                return Socket(raw)
            raw = tls.wrap_socket(raw, server_hostname=server_hostname or host, do_handshake_on_connect=False)
            secure = TLSSocket(raw)
            await secure.handshake()
        except BaseException:
            raw.close()  # nobody else waits for it yet
            raise
        return secure


def _tune(sock: stdlib_socket.socket) -> None:
    """No Nagle, no deep unsent buffer; a socket that cannot (a Unix pair in a test) goes without."""
    if sock.family in (stdlib_socket.AF_INET, stdlib_socket.AF_INET6):
        sock.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NODELAY, 1)
        if hasattr(stdlib_socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NOTSENT_LOWAT, UNSENT_LIMIT_BYTES)
