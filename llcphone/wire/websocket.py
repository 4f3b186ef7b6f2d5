"""Opening a fast leg: as a client (the model) and as a server (the phone).

websockets' sans-I/O protocols judge the handshake; no extension is offered or accepted, so no
frame is ever compressed. Only the HTTP head is fed to them: the first frames may come in the same
packet, and those belong to the leg's own reader.
"""

from __future__ import annotations

import logging
import ssl
from functools import cache
from typing import TYPE_CHECKING

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CLOSE
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI, parse_uri

from llcphone.errors import LLCPhoneError, LocalProtocolError, RemoteProtocolError
from llcphone.wire.socket import Socket, dial
from llcphone.wire.websocket_leg import WebSocketLeg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.datastructures import Headers
    from websockets.frames import Frame

    from llcphone.wire.leg import LegLimits


__all__ = ["HandshakeRefused", "WebSocketLeg", "accept", "connect", "default_tls", "parse_url"]

MODEL_MESSAGE_BYTES = 16 * 2**20
"""Largest message from the model."""
PHONE_MESSAGE_BYTES = 64 * 1024
"""Largest message from the phone."""
HEAD_LIMIT_BYTES = 64 * 1024
BODY_LIMIT_BYTES = 4 * 1024

# The protocol's own logger would write headers, with the key in them, and frames: it is silent.
SILENT = logging.Logger("llcphone.wire.silent")
SILENT.disabled = True


class _CloseAnywhere(Protocol):
    """A Close may come between the fragments of a message, which is then given up (RFC 6455 §5.4).

    websockets answers it with 1002 instead of the code that it was sent.
    """

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class Client(_CloseAnywhere, ClientProtocol):
    """Our end of the model's socket."""


class Server(_CloseAnywhere, ServerProtocol):
    """Our end of the phone's socket."""


class HandshakeRefused(LLCPhoneError):
    """The far side answered the upgrade with an HTTP status of its own.

    Attributes:
        status: that status.
        body: the first 4 KiB of the answer's body; the vendor's words, never to be logged.
        retry_after: seconds of its ``Retry-After``, if it gave any.
    """

    def __init__(self, status: int, body: bytes = b"", retry_after: float | None = None) -> None:
        super().__init__(f"the WebSocket handshake was refused with HTTP {status}")
        self.status = status
        self.body = bytes(body[:BODY_LIMIT_BYTES])
        self.retry_after = retry_after


async def connect(
    url: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    tls: ssl.SSLContext | None = None,
    timeout_s: float,
    max_message: int = MODEL_MESSAGE_BYTES,
) -> WebSocketLeg:
    """Open a client leg: look-up, TCP, TLS and handshake under one deadline.

    Args:
        url: ``ws://`` or ``wss://``.
        headers: extra request headers, credentials included.
        tls: context for ``wss://``; by default the system's certificates.
        timeout_s: the one deadline.
        max_message: largest message accepted.

    Raises:
        HandshakeRefused: the far side answered with another status than 101.
        RemoteProtocolError: its answer is not a WebSocket handshake.
        OSError: it could not be reached, TLS failed, or it hung up.
        trio.TooSlowError: ``timeout_s`` has passed.
        LocalProtocolError: the URL or a header is malformed.
    """
    uri = parse_url(url)
    protocol = Client(uri, max_size=max_message, logger=SILENT)
    request = protocol.connect()
    add_headers(request.headers, headers)
    protocol.send_request(request)
    context = (tls or default_tls()) if uri.secure else None
    with trio.fail_after(timeout_s):
        sock = await dial(uri.host, uri.port, tls=context, timeout_s=timeout_s)
        try:
            await _send_all(sock, b"".join(protocol.data_to_send()))
            rest = await _read_answer(sock, protocol)
        except BaseException:
            sock.close()
            raise
    return WebSocketLeg(sock, protocol, max_message=max_message, rest=rest)


def accept(sock: Socket, head: bytes, rest: bytes = b"", *, limits: LegLimits | None = None) -> WebSocketLeg:
    """Answer an upgrade with 101 and return the leg.

    Args:
        sock: the connection; on an error it stays the caller's.
        head: the complete request head, blank line included.
        rest: bytes read behind it.
        limits: the leg's patience.

    Raises:
        RemoteProtocolError: the head is not a valid WebSocket upgrade. Nothing has been answered.
    """
    head, blank, behind = head.partition(b"\r\n\r\n")
    protocol = Server(max_size=PHONE_MESSAGE_BYTES, logger=SILENT)
    protocol.receive_data(head + blank)
    events = protocol.events_received()
    if not events or not isinstance(events[0], Request):
        raise RemoteProtocolError("not an HTTP request head")
    response = protocol.accept(events[0])
    if response.status_code != 101:
        raise RemoteProtocolError("not a WebSocket upgrade")
    protocol.send_response(response)
    return WebSocketLeg(sock, protocol, max_message=PHONE_MESSAGE_BYTES, rest=behind + rest, limits=limits)


@cache
def default_tls() -> ssl.SSLContext:
    """The system's certificates, loaded once: it reads files, so a server calls it before its first call."""
    return ssl.create_default_context()


def parse_url(url: str) -> WebSocketURI:
    """Take a WebSocket URL apart.

    Raises:
        LocalProtocolError: it is not one; the text does not repeat it, for it may carry a key.
    """
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError):
        raise LocalProtocolError("not a ws:// or wss:// address") from None


def retry_after_s(value: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header; its date form, which no vendor of ours uses, counts as none."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None


def add_headers(to: Headers, headers: Sequence[tuple[str, str]]) -> None:
    """Add request headers.

    Raises:
        LocalProtocolError: a value holds what HTTP forbids; the text does not repeat it, for it may be a key.
    """
    for name, value in headers:
        try:
            to[name] = value
        except InvalidHandshake:
            raise LocalProtocolError(f"header {name} has a value that HTTP does not allow") from None


async def _send_all(sock: Socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[sock.send(view) :]
        if view:
            await sock.wait_writable()


async def _read_answer(sock: Socket, protocol: Client) -> bytes:
    """Read the response head (and the body of a refusal); returns the bytes behind a 101."""
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > HEAD_LIMIT_BYTES:
            raise RemoteProtocolError("the handshake's answer has no end")
        head += await _recv(sock)
    head, blank, rest = head.partition(b"\r\n\r\n")
    protocol.receive_data(head + blank)
    if protocol.state is OPEN:
        protocol.events_received()
        return rest
    if rest:
        protocol.receive_data(rest)
    while protocol.handshake_exc is None:  # a refusal, whose body is still coming
        if data := await _recv(sock, at_end=b""):
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
    raise _refusal(protocol.handshake_exc)


async def _recv(sock: Socket, *, at_end: bytes | None = None) -> bytes:
    """At least one byte, or ``at_end`` at the end."""
    while True:
        data = sock.recv()
        if data:
            return data
        if data is not None:
            if at_end is not None:
                return at_end
            raise ConnectionResetError("the far side hung up during the handshake")
        await sock.wait_readable()


def _refusal(exc: Exception) -> LLCPhoneError:
    if isinstance(exc, InvalidStatus):
        response = exc.response
        retry_after = response.headers.get_all("Retry-After")
        return HandshakeRefused(
            response.status_code, bytes(response.body), retry_after_s(retry_after[0] if retry_after else None)
        )
    return RemoteProtocolError("the answer is not a WebSocket handshake")
