"""Reading a request of the console: whose it is, and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
from quart import request

from llcphone.server.api.errors import ApiError

if TYPE_CHECKING:
    from llcphone.console.access import Session

Body = TypeVar("Body", bound=msgspec.Struct)


def session_of() -> Session:
    """Whose request is being answered."""
    return cast("Session", request.scope["state"]["llcphone.exchange"].session)


def need_act() -> Session:
    """The session, if it may act.

    Raises:
        ApiError: it may only look.
    """
    session = session_of()
    if not session.act:
        why, fix = "with this link one may only look", "open one that acts: llcphone console (console.act)"
        raise ApiError(403, "read_only", why, fix)
    return session


async def read_body(shape: type[Body]) -> Body:
    """The body as this type.

    Raises:
        ApiError: it is something else.
    """
    try:
        return msgspec.json.decode(await request.get_data(), type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(422, "bad_field", str(error), "see docs/12-console.md") from None
    except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
        raise ApiError(400, "not_json", "the body is no JSON", "send one JSON object in UTF-8") from None
