"""Reading the answer to the one HTTP request that a connection carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    import trio

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
