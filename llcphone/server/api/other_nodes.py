"""Requests about a call of another node: they are passed on to the node in its id, once.

A proxy in front of the nodes brings them to their node itself. So they come here only without one, or if it
has lost that node. The node is found in the table that the nodes share; the key is the client's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import attrs
import h11
import trio
from quart import Response, request

from llcphone.call.node_names import node_of
from llcphone.runtime.http_answer import AnswerTooLong, read_answer
from llcphone.server.api.errors import ApiError
from llcphone.shared.nodes import SILENT_S

if TYPE_CHECKING:
    from llcphone.phone.phone import Phone
    from llcphone.shared.nodes import SeenNode

PASSED_ON = "X-LLCPhone-Node"
"""In a request: which node has passed it on, so it is passed on no more. In an answer: whose it is."""
_CONNECT_S = 2.0
_WHOLE_S = 15.0
_SOON_S = 5
_SENT = ("Authorization", "Content-Type", "Idempotency-Key")
_RETURNED = frozenset({b"content-type", b"location", b"retry-after", b"allow", b"www-authenticate"})


class _NotConnected(Exception):
    pass


@attrs.frozen
class OtherNodes:
    """The way to the other nodes of a phone."""

    _phone: Phone

    def has(self, call_id: str) -> bool:
        """Whether another node has given a call its id."""
        name = node_of(call_id)
        return self._phone.shared is not None and name not in ("", self._phone.config.server.node)

    async def answer(self, call_id: str) -> Response | None:
        """What that node answers to the present request; None: it is gone, and a question is asked here.

        Raises:
            ApiError: it is gone or does not answer.
        """
        name, looks = node_of(call_id), request.method in ("GET", "HEAD")
        if PASSED_ON in request.headers or (node := self._living(name)) is None:
            if looks:
                return None  # the store has what is left
            raise _gone(name)
        body = cast("bytes", await request.get_data())
        exchange = request.scope.get("state", {}).get("llcphone.exchange")
        if exchange is not None:
            exchange.extend(_WHOLE_S + 1)
        try:
            with trio.fail_after(_WHOLE_S):
                return await self._ask(node, body)
        except _NotConnected:
            if looks:
                return None
            raise _gone(name) from None
        except (OSError, trio.TooSlowError, trio.BrokenResourceError, h11.ProtocolError, AnswerTooLong):
            text = f"node {name}, which has this call, does not answer; what was asked for may have been done"
            fix = "see the call: GET /calls/{id}; then repeat the request with the same Idempotency-Key"
            raise ApiError(504, "node_silent", text, fix, retry_after_s=_SOON_S) from None

    def _living(self, name: str) -> SeenNode | None:
        """Its newest life, if that beats."""
        shared = self._phone.shared
        nodes = (
            [] if shared is None else [each for each in shared.beat.seen if each.name == name and each.url]
        )
        return next((each for each in reversed(nodes) if each.silent_s < SILENT_S), None)

    async def _ask(self, node: SeenNode, body: bytes) -> Response:
        url = urlsplit(node.url)
        fields = [("Host", url.netloc), ("Connection", "close"), ("Content-Length", str(len(body)))]
        fields += [(name, request.headers[name]) for name in _SENT if name in request.headers]
        fields.append((PASSED_ON, self._phone.config.server.node or "-"))
        query = request.query_string.decode("ascii", "ignore")
        head = h11.Request(
            method=request.method, target=request.path + (f"?{query}" if query else ""), headers=fields
        )
        connection = h11.Connection(h11.CLIENT)
        wire = [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        sent = b"".join(connection.send(each) or b"" for each in wire)
        try:
            with trio.fail_after(_CONNECT_S):
                stream = await trio.open_tcp_stream(url.hostname or "", url.port or 80)
        except (OSError, trio.TooSlowError):
            raise _NotConnected from None
        async with stream:
            await stream.send_all(sent)
            response, text = await read_answer(stream, connection)
        headers = {name.decode(): value.decode() for name, value in response.headers if name in _RETURNED}
        return Response(text, response.status_code, {**headers, PASSED_ON: node.name})


def _gone(name: str) -> ApiError:
    text = f"node {name}, which had this call, is gone or does not answer; a call that goes on has a new id"
    fix = "find it by its call_sid in GET /calls, and ask there; llcphone status --nodes shows the nodes"
    return ApiError(503, "node_gone", text, fix, retry_after_s=_SOON_S)
