"""Reading a request of the console: whose it is, and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from quart import request

from llcphone.server.api.errors import ApiError
from llcphone.server.api.reading import body_as

if TYPE_CHECKING:
    import msgspec

    from llcphone.console.access import Session

    Body = TypeVar("Body", bound=msgspec.Struct)


def session_of() -> Session:
    """Whose request is being answered."""
    return cast("Session", request.scope["state"]["llcphone.exchange"].session)


def need_act() -> Session:
    """The session, if it may act.

    Raises:
        ApiError: it is read-only.
    """
    session = session_of()
    if not session.act:
        fix = "open a link that may act, by llcphone console; console.act must be true"
        raise ApiError(403, "read_only", "this link is read-only", fix)
    return session


async def read_body(shape: type[Body]) -> Body:
    """The body as this type.

    Raises:
        ApiError: it is something else.
    """
    return body_as(shape, cast("bytes", await request.get_data()), "docs/12-console.md")
