"""The head of one HTTP/1 request: read strictly, and written anew for the HTTP stack.

Request smuggling needs two readers that disagree about one head. And hypercorn 0.18 ends the process on
some heads that its parser accepts (docs/vendor-facts.md, HTTP and WebSocket libraries). So the public
listener reads the head by the narrowest grammar that real clients use, and passes on a head that it writes
itself: one request, `Connection: close`, no upgrade. A head outside the grammar is refused with a status
and a reason.

A proxy may add headers of its own in any encoding (the caller's city, say). Nothing reads their values: one
that is not ASCII is left out.

This room is pure: bytes in, a value or `RequestRefused` out.
"""

from __future__ import annotations

import re

import attrs

from llcphone.errors import RemoteProtocolError

HEAD_END = b"\r\n\r\n"
MAX_HEADERS = 100

_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (/[\x21-\x7e]*) (HTTP/[0-9]\.[0-9])")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_HOST = re.compile(
    rb"((([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?)?"
)
_MEDIA_PATH = re.compile(rb"/media/([A-Za-z0-9._~-]{1,256})")

# Twice is one too many: which of the two counts is what a smuggler hopes we and a proxy differ on.
_SINGLE = frozenset(
    [
        b"content-length",
        b"host",
        b"transfer-encoding",
        b"upgrade",
        b"x-twilio-signature",
        b"sec-websocket-key",
    ]
)
# Read by us or by the HTTP stack: a value that is not ASCII is refused, not left out.
_MATTERS = _SINGLE | {b"authorization", b"connection", b"content-type", b"expect", b"idempotency-key"}
_MATTERS_ALL = (b"sec-websocket-",)
# Between a client and its neighbour only (RFC 9110 section 7.6.1), or answered by the listener itself
# (Expect).
_NOT_PASSED_ON = frozenset(
    [b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"http2-settings", b"te", b"expect"]
)
# Offers that are not accepted here; hypercorn would accept permessage-deflate unasked.
_NOT_NEGOTIATED = frozenset([b"sec-websocket-extensions", b"sec-websocket-protocol"])


class RequestRefused(RemoteProtocolError):
    """A request that is answered with ``status`` and nothing more.

    Attributes:
        status: of the answer.
        why: a phrase for the log, in our words only.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"request refused with {status}: {why}")
        self.status = status
        self.why = why


@attrs.frozen
class RequestHead:
    """One request head that has passed the grammar; header names are lower case."""

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    raw: bytes = attrs.field(repr=False)
    """The bytes as they came, blank line included, but for headers that were left out: the WebSocket
    handshake reads them itself."""

    def get(self, name: bytes) -> bytes:
        """The first header of this lower-case name; empty when there is none."""
        return next((value for key, value in self.headers if key == name), b"")

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def content_length(self) -> int:
        return int(self.get(b"content-length") or b"0")

    @property
    def expects_continue(self) -> bool:
        return self.get(b"expect").lower() == b"100-continue"

    @property
    def wants_websocket(self) -> bool:
        """A WebSocket handshake; any other upgrade is ignored, as RFC 9110 section 7.8 allows."""
        tokens = b",".join(value for name, value in self.headers if name == b"connection").lower().split(b",")
        return (
            self.method == b"GET"
            and self.get(b"upgrade").lower() == b"websocket"
            and b"upgrade" in [token.strip() for token in tokens]
        )

    @property
    def media_token(self) -> str | None:
        """The one-time token of `/media/<token>`; None when this is another path."""
        match = _MEDIA_PATH.fullmatch(self.path)
        return match[1].decode("ascii") if match else None

    def as_single_request(self) -> bytes:
        """The head of a plain request that is alone on its connection."""
        return self._written(_NOT_PASSED_ON, [(b"connection", b"close")])

    def as_plain_upgrade(self) -> bytes:
        """The head of a WebSocket handshake without extensions or subprotocols."""
        asked = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        return self._written(_NOT_PASSED_ON | _NOT_NEGOTIATED, asked)

    def _written(self, dropped: frozenset[bytes], added: list[tuple[bytes, bytes]]) -> bytes:
        kept = [header for header in self.headers if header[0] not in dropped]
        lines = [b"%b %b %b" % (self.method, self.target, self.version)]
        lines += [b"%b: %b" % header for header in [*kept, *added]]
        return b"\r\n".join(lines) + HEAD_END


def parse_head(raw: bytes) -> RequestHead:
    """Read a complete head, blank line included.

    Raises:
        RequestRefused: with the status to answer; never anything else, whatever the bytes are.
    """
    line, *lines = raw.removesuffix(HEAD_END).split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(line)
    if request is None or request[1] == b"CONNECT":
        raise RequestRefused(400, "its first line is no HTTP request to us")
    if request[3] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise RequestRefused(505, "it is neither HTTP/1.1 nor 1.0")
    if len(lines) > MAX_HEADERS:
        raise RequestRefused(431, f"it has more than {MAX_HEADERS} headers")
    read = [(each, _read_header(each)) for each in lines]
    headers = tuple(header for _, header in read if header is not None)
    if len(headers) < len(lines):
        kept = [each for each, header in read if header is not None]
        raw = b"\r\n".join([line, *kept]) + HEAD_END
    head = RequestHead(request[1], request[2], request[3], headers, raw)
    _check_framing(head)
    return head


def _read_header(line: bytes) -> tuple[bytes, bytes] | None:
    """Name and value; None for what is left out."""
    # No line folding, no space before the colon, no control byte: fullmatch has no room for any of them.
    match = _HEADER.fullmatch(line)
    if match is None:
        raise RequestRefused(400, "a header is outside the grammar")
    name, value = match[1].lower(), match[2].strip(b" \t")
    if not value.isascii():
        if name in _MATTERS or name.startswith(_MATTERS_ALL):
            raise RequestRefused(400, "a header that matters is not ASCII")
        return None
    return name, value


def _check_framing(head: RequestHead) -> None:
    """Refuse whatever leaves it open where this request ends or whom it is for."""
    names = [name for name, _ in head.headers]
    if any(names.count(name) > 1 for name in _SINGLE.intersection(names)):
        raise RequestRefused(400, "a header that may appear once appears twice")
    if b"host" not in names and head.version == b"HTTP/1.1":
        raise RequestRefused(400, "it has no Host")
    if not _HOST.fullmatch(head.get(b"host")):
        raise RequestRefused(400, "its Host is no host")
    length = head.get(b"content-length")
    if b"content-length" in names and not (length.isdigit() and len(length) <= 10):
        raise RequestRefused(400, "its Content-Length is no number")
    if b"transfer-encoding" in names:
        # Twilio always sends a length. With both, the two disagree by design: a smuggler's head.
        if b"content-length" in names:
            raise RequestRefused(400, "it has a Content-Length and a Transfer-Encoding")
        raise RequestRefused(411, "its body has no length: a proxy must send Content-Length, not chunks")
    if head.wants_websocket and head.content_length:
        raise RequestRefused(400, "a WebSocket handshake has a body")
