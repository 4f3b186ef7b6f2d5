"""The list of models, plain HTTP on the port of the sessions: ``GET /v1/models/<model>``.

OpenAI answers 200 with the model, 404 ``model_not_found``, or 401 for a key that it does not know.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.sim.model.door import BAD_KEY, HTTP_CODES, NO_KEY, PATH, Upgrade, turned_away

if TYPE_CHECKING:
    from llcphone.sim.model.door import Dialects
    from llcphone.sim.model.link import Tap
    from llcphone.sim.model.unknowns import Unknowns

_ASKS = b"GET /v1/models/"
_MOST_BYTES = 65_536


async def question(tap: Tap) -> bytes | None:
    """The whole of a request about a model; None of any other, of which nothing is lost."""
    head = bytes(await tap.receive_some(_MOST_BYTES))
    if not head.startswith(_ASKS):
        tap.unread(head)
        return None
    while b"\r\n\r\n" not in head and len(head) < _MOST_BYTES:
        if not (more := await tap.receive_some(_MOST_BYTES)):
            break
        head += more
    return head


def about_model(
    head: bytes, dialects: Dialects, accepted_key: str | None, status: int | None, unknowns: Unknowns
) -> bytes:
    """The answer to ``GET /v1/models/<model>``; a self-hosted flat server has no such list."""
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    model = line.split(" ")[1].rpartition("/")[2]
    key = headers.get("authorization", "").removeprefix("Bearer ")
    if dialects == "flat":
        return _plain_http(404, {"detail": "Not Found"})
    upgrade = Upgrade(PATH, PATH, model, key, {}, None)
    away = turned_away(upgrade, dialects, accepted_key)
    if status is not None or away in (NO_KEY, BAD_KEY):
        status = status or 401
        error = {"message": "Refused by the simulator.", "type": "invalid_request_error", "param": None}
        return _plain_http(status, {"error": error | {"code": HTTP_CODES.get(status)}})
    if away is not None or model in unknowns.gone:
        error = {"message": f"The model '{model}' does not exist", "type": "invalid_request_error"}
        return _plain_http(404, {"error": error | {"param": "model", "code": "model_not_found"}})
    about = {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "system"}
    if (ends := unknowns.shutdown_dates.get(model)) is not None:
        about["shutdown_date"] = ends
    return _plain_http(200, about)


def _plain_http(status: int, content: dict[str, Any]) -> bytes:
    body = msgspec.json.encode(content)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
