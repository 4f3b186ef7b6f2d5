"""Reading the answer to the one HTTP request that a connection carries; and asking for JSON that way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11
import trio

if TYPE_CHECKING:
    from urllib.parse import SplitResult

ASK_S = 2.0
"""A loop that carries calls answers within milliseconds."""
BODY_LIMIT = 1_048_576
"""Bytes of an answer; a page of 50 calls has about 100,000."""


class AnswerTooLong(ValueError):
    """An answer beyond ``BODY_LIMIT``."""


async def read_answer(stream: trio.abc.Stream, connection: h11.Connection) -> tuple[h11.Response, bytes]:
    """The answer and its body.

    Raises:
        AnswerTooLong: it is no answer to anything we ask.
        RemoteProtocolError: it is no HTTP, or it ends too soon (h11's).
    """
    response: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_LIMIT:
                raise AnswerTooLong("the answer is too long")
        elif isinstance(event, h11.EndOfMessage):
            assert response is not None
            return response, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("closed without an answer")


async def get_json(url: str) -> dict[str, Any] | None:
    """A JSON object from a server of ours, whatever its status; None without one."""
    with trio.move_on_after(ASK_S):
        try:
            said = json.loads(await _body_at(urlsplit(url)))
        except (OSError, trio.BrokenResourceError, h11.ProtocolError, ValueError, RecursionError):
            return None
        return said if isinstance(said, dict) else None
    return None


async def _body_at(url: SplitResult) -> bytes:
    fields = [("Host", url.netloc), ("Connection", "close"), ("Accept", "application/json")]
    target = url.path + ("?" + url.query if url.query else "")
    connection = h11.Connection(h11.CLIENT)
    head = connection.send(h11.Request(method="GET", target=target, headers=fields)) or b""
    connection.send(h11.EndOfMessage())
    async with await trio.open_tcp_stream(url.hostname or "", url.port or 80) as stream:
        await stream.send_all(head)
        return (await read_answer(stream, connection))[1]
