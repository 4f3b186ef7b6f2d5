"""HTTP for the ``twilio`` package, on Trio: one request, one connection.

The package wants a client with ``is_async`` and an awaitable ``request``, and
nothing about it is bound to asyncio. Why not httpx below it:

- A create must never be sent twice, so after a failure we must know whether anything was sent. On a
  connection kept alive that cannot be known: the server may close it while we write. On a fresh one there is
  a line in this file before which nothing was sent. It costs two round trips; a phone rings longer.
- Cancelling closes the socket in every phase. httpcore 1.0 leaves it open when the TLS handshake is
  cancelled.
- httpx logs each URL at INFO, and the query of a look-up is a telephone number. Nothing is logged here.

An error answer never reaches the package: its exceptions carry the URL and Twilio's message, which
quotes the number. ``RequestFailed`` carries codes.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import h11
import trio
from attrs import frozen

from llcphone.runtime.http_answer import AnswerTooLong, read_answer
from llcphone.wire.websocket import default_tls

if TYPE_CHECKING:
    from collections.abc import Mapping

TOO_MANY_REQUESTS = 429


class RequestFailed(Exception):
    """A request without a usable answer, in codes (see ``orders``)."""

    def __init__(self, code: str, *, status: int = 0, sent: bool = True, retry_after_s: float = 0.0) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.sent = sent
        self.retry_after_s = retry_after_s

    @property
    def turned_away(self) -> bool:
        """Certainly not acted on, and only for the moment."""
        return not self.sent or self.status == TOO_MANY_REQUESTS or self.code == "20429"

    @property
    def certain(self) -> bool:
        """Certainly not acted on. A 408 may come from a proxy that had passed the request on."""
        return self.turned_away or (300 <= self.status < 500 and self.status != 408)

    @property
    def passing(self) -> bool:
        """What may be asked twice may be asked again."""
        return self.turned_away or not self.certain


@frozen
class Answer:
    """A good answer, in the shape of the package's own responses."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class TrioHttp:
    """The HTTP client that the ``twilio`` package is given.

    Args:
        api_url: replaces scheme, host and port of every request (a simulator); "" for Twilio itself.
        context: which certificates are trusted; the system's by default.
        timeout_s: of one request, from looking up the host to the last byte.
    """

    is_async = True

    def __init__(
        self, api_url: str = "", *, context: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ) -> None:
        self._override = urlsplit(api_url) if api_url else None
        self._context = context or default_tls()
        self._timeout_s = timeout_s

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the package's signature)
        allow_redirects: bool = False,
    ) -> Answer:
        """One request, as the package asks for it; redirects are never followed.

        Raises:
            RequestFailed: there was no answer, or none with status 2xx and a JSON object.
        """
        parts = urlsplit(url)
        if self._override is not None:
            parts = parts._replace(scheme=self._override.scheme, netloc=self._override.netloc)
        query = "&".join(filter(None, (parts.query, urlencode(params or {}, doseq=True))))
        body = urlencode(data or {}, doseq=True).encode()
        fields = dict(headers or {}) | {"Host": parts.netloc, "Connection": "close"}
        if auth is not None:
            fields["Authorization"] = "Basic " + b64encode(":".join(auth).encode()).decode()
        if body:
            fields["Content-Length"] = str(len(body))
        head = h11.Request(
            method=method.upper(),
            target=parts.path + ("?" + query if query else ""),
            headers=list(fields.items()),
        )
        assert parts.hostname is not None
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return _checked(*await self._exchange(parts.hostname, port, head, body, secure=secure))

    async def _exchange(
        self, host: str, port: int, head: h11.Request, body: bytes, *, secure: bool
    ) -> tuple[h11.Response, bytes]:
        sent, trusted = False, True
        answer: tuple[h11.Response, bytes] | None = None
        with trio.move_on_after(self._timeout_s):
            try:
                stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
                if secure:
                    stream = trio.SSLStream(
                        stream, self._context, server_hostname=host, https_compatible=True
                    )
                async with stream:
                    if isinstance(stream, trio.SSLStream):
                        await stream.do_handshake()
                    connection = h11.Connection(h11.CLIENT)
                    wire = [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
                    request = b"".join(connection.send(event) or b"" for event in wire)
                    sent = True  # from here on Twilio may have it
                    await stream.send_all(request)
                    answer = await read_answer(stream, connection)
            except AnswerTooLong:
                raise RequestFailed("unreadable") from None
            except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError) as exc:
                # What was read before counts.
                trusted = not isinstance(exc.__cause__, ssl.SSLCertVerificationError)
        if answer is None:
            unsent = "no_connection" if trusted else "tls"
            raise RequestFailed("no_answer" if sent else unsent, sent=sent)
        return answer


def _checked(response: h11.Response, body: bytes) -> Answer:
    status = response.status_code
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
    text = body.decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not 200 <= status < 300:
        code = content.get("code") if isinstance(content, dict) else None
        after = headers.get("retry-after", "")
        raise RequestFailed(
            str(code) if type(code) is int else f"http_{status}",
            status=status,
            retry_after_s=float(after) if after.isascii() and after.isdigit() else 0.0,
        )
    if not isinstance(content, dict):
        raise RequestFailed("unreadable", status=status)
    return Answer(status, text, headers)
