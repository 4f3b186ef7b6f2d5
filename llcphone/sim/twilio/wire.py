"""The TCP or TLS connection under a simulated media stream, with the ways in which one goes wrong.

trio-websocket reads and writes through a ``Wire``, which can become deaf (reads no more, so the server's
writes pile up), mute (drops what is sent) or be reset. It also ends a handshake that the server breaks off,
which trio-websocket would wait for without end.

The caller's frames, fifty a second for each call, take a short way: ``send_now`` writes one text frame into
the kernel's buffer at once, unless trio-websocket is writing or the buffer is full.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from urllib.parse import urlsplit

import attrs
import trio

from llcphone.sim.twilio.http import LOOPBACK, Route

DIAL_TIMEOUT_S = 10.0


class StreamFailed(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


@attrs.frozen
class Place:
    host: str
    port: int
    tls: bool


@attrs.frozen
class StreamTarget:
    """Where a stream goes, worked out from the ``url`` attribute of ``<Stream>``."""

    url: str
    """Without the query string."""
    signed_url: str
    """The form that the signature covers: always ``wss``."""
    stripped_query: str
    host_header: str
    resource: str
    place: Place


def find_target(url: str, route: Route) -> StreamTarget:
    """Apply Twilio's rules to an absolute stream URL.

    Raises:
        StreamFailed: 31922, the scheme is not ``wss`` (``ws`` is taken on loopback only); 31923, not a URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise StreamFailed(31923, "malformed stream URL")
    tunnel = route.tunnelled(host, port)
    if parts.scheme == "wss":
        place = Place(*tunnel, tls=False) if tunnel else Place(host, port or 443, tls=True)
    elif parts.scheme == "ws" and host in LOOPBACK:
        place = Place(host, port or 80, tls=False)
    else:
        raise StreamFailed(31922, "the scheme of the stream URL is not wss")
    whole = f"{parts.netloc}{parts.path}"
    return StreamTarget(
        url=f"{parts.scheme}://{whole}",
        signed_url=f"wss://{whole}",
        stripped_query=parts.query,
        host_header=parts.netloc,
        resource=parts.path or "/",
        place=place,
    )


class Wire(trio.abc.Stream):
    """A stream whose ends can be cut off one by one."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream
        self._hears = trio.Event()
        self._hears.set()
        self.mute = False
        self.upgraded = False
        """Set by the owner when the WebSocket handshake is over."""
        self._busy = False
        self._rest = b""
        """What the kernel did not take of a frame sent at once; goes out before anything else."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self.hearing()
        data = await self._stream.receive_some(max_bytes)
        await self.hearing()  # it may have fallen deaf while the read was waiting
        if not data and not self.upgraded:
            raise StreamFailed(31920, "the server closed the connection during the handshake")
        return data

    @property
    def deaf(self) -> bool:
        """Nothing is read at present."""
        return not self._hears.is_set()

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        if deaf:
            self._hears = trio.Event()
        else:
            self._hears.set()

    async def hearing(self) -> None:
        """Wait until it is not deaf."""
        while self.deaf:
            await self._hears.wait()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.mute:
            await trio.lowlevel.checkpoint()
            return
        self._busy = True
        try:
            rest, self._rest = self._rest, b""
            await self._stream.send_all(rest + data)
        finally:
            self._busy = False

    def send_now(self, text: str) -> bool:
        """Send a text message without waiting; False if it has to go the long way."""
        if self._busy or self._rest or os.name == "nt" or not isinstance(self._stream, trio.SocketStream):
            return False
        payload = text.encode()
        if self.mute:
            return True
        if not 125 < len(payload) < 65536:
            return False
        frame = _mask(payload)
        try:
            taken = os.write(self._stream.socket.fileno(), frame)
        except BlockingIOError:
            return False
        except OSError:
            return True  # the connection is gone, which the reader notices
        self._rest = frame[taken:]
        return True

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def vanish(self) -> None:
        """Half-open: nothing is read or sent any more, the socket stays."""
        self.deaf = self.mute = True

    def reset(self) -> None:
        """End the connection with a TCP RST."""
        lowest = self._stream.transport_stream if isinstance(self._stream, trio.SSLStream) else self._stream
        lowest.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        lowest.socket.close()


def _mask(payload: bytes) -> bytes:
    """A final text frame of a client, with a 16-bit length (RFC 6455 section 5.2)."""
    length = len(payload)
    key = os.urandom(4)
    stream = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ stream).to_bytes(length, "big")
    return b"\x81\xfe" + length.to_bytes(2, "big") + key + masked


async def open_wire(place: Place) -> Wire:
    """Connect, with TLS where the place asks for it.

    Raises:
        StreamFailed: with the code Twilio logs for it.
    """
    try:
        with trio.fail_after(DIAL_TIMEOUT_S):
            stream = await trio.open_tcp_stream(place.host, place.port)
            return Wire(await _start_tls(stream, place.host) if place.tls else stream)
    except trio.TooSlowError:
        raise StreamFailed(31901, "no connection in time") from None
    except (ssl.SSLError, trio.BrokenResourceError):
        raise StreamFailed(31910, "TLS handshake failed") from None
    except OSError:
        raise StreamFailed(31902, "connection refused") from None


async def _start_tls(stream: trio.SocketStream, host: str) -> trio.SSLStream[trio.SocketStream]:
    secure = trio.SSLStream(stream, ssl.create_default_context(), server_hostname=host, https_compatible=True)
    try:
        await secure.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secure
