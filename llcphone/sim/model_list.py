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


def model_and_key(head: bytes) -> tuple[str, str]:
    """The model that a request asks about, and the key that it shows."""
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    return line.split(" ")[1].rpartition("/")[2], headers.get("authorization", "").removeprefix("Bearer ")


def about_model(
    head: bytes, dialects: Dialects, accepted_key: str | None, status: int | None, unknowns: Unknowns
) -> bytes:
    """The answer to ``GET /v1/models/<model>``; a self-hosted flat server has no such list."""
    if dialects == "flat":
        return _plain_http(404, {"detail": "Not Found"})
    model, key = model_and_key(head)
    away = turned_away(Upgrade(PATH, PATH, model, key, {}, None), dialects, accepted_key)
    if status is None and away in (NO_KEY, BAD_KEY):
        status = 401
    if status is None:
        status = 200 if away is None and model not in unknowns.gone else 404
    return answer_about(model, status, unknowns.shutdown_dates.get(model))


def answer_about(model: str, status: int, ends: str | None = None) -> bytes:
    """An answer: 200 with the model, 404 for one that does not exist, or any other refusal.

    Args:
        model: its name.
        status: of the answer.
        ends: the model's ``shutdown_date``; None: the answer names none.
    """
    if status == 200:
        about = {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "system"}
        return _plain_http(200, about if ends is None else about | {"shutdown_date": ends})
    error: dict[str, Any] = {"type": "invalid_request_error"}
    if status == 404:
        text = f"The model '{model}' does not exist"
        error |= {"message": text, "param": "model", "code": "model_not_found"}
    else:
        text = "Refused by the simulator."
        error |= {"message": text, "param": None, "code": HTTP_CODES.get(status)}
    return _plain_http(status, {"error": error})


def _plain_http(status: int, content: dict[str, Any]) -> bytes:
    body = msgspec.json.encode(content)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
