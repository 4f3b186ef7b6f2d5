"""Reads one request of a client that is not authenticated, and answers it with a bare status.

Every wait in here is bounded by its caller's cancel scope, every read by a limit in bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.server.head import HEAD_END, RequestHead, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

LINGER_S = 1.0
"""How long we wait for a peer to read our answer and close."""
LINGER_BYTES = 65_536

_READ_BYTES = 4096
HEAD_LIMIT = 16_384
"""Longest request head in bytes; Twilio's have about 1,000."""
BODY_LIMIT = 65_536
"""Longest request body in bytes; a webhook has about 1,000."""
BODY_TIMEOUT_S = 5.0
"""Longest time from a request head to its complete body."""

_PHRASES = {
    200: b"OK",
    304: b"Not Modified",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}


def bare_answer(status: int) -> bytes:
    """The whole of an answer that says only its status."""
    return b"HTTP/1.1 %d %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, _PHRASES[status])


def page(
    method: bytes, status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None
) -> bytes:
    """The whole of a small answer; to HEAD without the body."""
    lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close"]
    head = b"HTTP/1.1 %d %b\r\n%b\r\n\r\n" % (status, _PHRASES[status], "\r\n".join(lines).encode("ascii"))
    return head if method == b"HEAD" else head + body


async def read_head(stream: trio.SocketStream, limit: int) -> tuple[bytes, bytes]:
    """The head with its blank line, and what came behind it; two empty ones when the peer left."""
    received = bytearray()
    searched = 0
    while (end := received.find(HEAD_END, searched)) < 0:
        if len(received) > limit:
            raise RequestRefused(431, f"its head is longer than {limit} bytes")
        searched = max(0, len(received) - len(HEAD_END) + 1)
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            return b"", b""
        received += data
        if not received[:1].isalpha():  # a TLS hello or noise: no blank line would ever come
            raise RequestRefused(400, "its first byte is no letter (TLS, or another protocol)")
    end += len(HEAD_END)
    if end > limit:
        raise RequestRefused(431, f"its head is longer than {limit} bytes")
    return bytes(received[:end]), bytes(received[end:])


async def read_body(
    stream: trio.SocketStream, head: RequestHead, rest: bytes, limit: int
) -> tuple[bytes, bytes]:
    """The whole body, and what came behind it: that is no business of this connection."""
    length = head.content_length
    if length > limit:
        raise RequestRefused(413, f"its body is longer than {limit} bytes")
    if head.expects_continue and len(rest) < length:
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray(rest)
    while len(body) < length:
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            raise trio.BrokenResourceError("peer left in the middle of its body")
        body += data
    return bytes(body[:length]), bytes(body[length:])


async def linger(stream: trio.SocketStream) -> None:
    """Let the peer read our answer: a close over unread input sends RST, which destroys it.

    Where all that came has been read there is no need: the kernel delivers what we have sent.
    """
    unread = LINGER_BYTES
    with trio.move_on_after(LINGER_S):
        await stream.send_eof()
        while unread > 0 and (data := await stream.receive_some(_READ_BYTES)):
            unread -= len(data)
