"""Reads the body and the key of a request that does something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
from quart import request

from llcphone.server.api.call_requests import CallRequest
from llcphone.server.api.errors import ApiError
from llcphone.server.api.models import BODY_LIMIT

if TYPE_CHECKING:
    Body = TypeVar("Body", bound=msgspec.Struct)

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


async def read_request() -> CallRequest:
    """What identifies the request.

    Raises:
        ApiError: its body is too large, or its Idempotency-Key is none.
    """
    body = cast("bytes", await request.get_data())
    if len(body) > BODY_LIMIT:
        raise ApiError(413, "too_large", "the body is too large", f"send at most {BODY_LIMIT} bytes")
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        text = "Idempotency-Key is not 1 to 128 printable ASCII characters without spaces"
        raise ApiError(422, "bad_header", text, "use a UUID, for instance")
    return CallRequest(request.path, body, key or "")


def body_as(shape: type[Body], body: bytes, fields: str = "/openapi.json") -> Body:
    """A request's body as this type; ``fields`` is where they are described.

    Raises:
        ApiError: it is none.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(422, "bad_field", str(error), f"see {fields} for the fields") from None
    except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
        raise ApiError(400, "not_json", "the body is not JSON", "send one JSON object in UTF-8") from None
