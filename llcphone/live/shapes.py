"""The shapes of GPT-Live's server events, as far as a call reads them.

The rules are those of ``realtime.shapes``: a field without a default must be there; one with a default may be
missing, null or of another type; all else is skipped.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from llcphone.realtime.shapes import Milliseconds  # noqa: TC001 - msgspec reads the annotations


class Chunk(Struct):
    """The event that comes ten times a second; the literal makes one pass over it enough."""

    type: Literal["session.output_audio.delta"]
    delta: str


class SessionShape(Struct):
    session: dict[str, Any]


class Fragment(Struct):
    delta: str
    start_ms: Milliseconds | None = None
    end_ms: Milliseconds | None = None


class BackendItem(Struct):
    type: str
    id: str | None = None
    status: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CachedDetails(Struct):
    cached_tokens: int | None = None


class BackendUsage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: CachedDetails | None = None


class IncompleteDetails(Struct):
    reason: str | None = None


class BackendResponse(Struct):
    id: str
    usage: BackendUsage | None = None
    error: Any = None
    incomplete_details: IncompleteDetails | None = None


class ResponseInside(Struct):
    """An event of the backend about a whole response."""

    response: BackendResponse


class ItemInside(Struct):
    """An event of the backend about an item of its present response, which it does not name."""

    item: BackendItem


class BackendKind(Struct):
    type: str


class BackendEvent(Struct):
    event: dict[str, Any]
    delegation_id: str | None = None


class SessionSeconds(Struct):
    seconds: int | float


class UsageShape(Struct):
    usage: SessionSeconds


class ClosedShape(Struct):
    reason: str | None = None
    usage: SessionSeconds | None = None


class ErrorBody(Struct):
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    client_event_id: str | None = None


class ErrorShape(Struct):
    error: Any = None
    client_event_id: str | None = None
