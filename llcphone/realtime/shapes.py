"""The shapes of the Realtime API's server events, as far as a call reads them.

One struct per shape, not per event: many events look alike, and both dialects' names share one.
A field without a default must be there and must have its type, or the event is broken. A field
with a default may be missing, null or of another type (``lenient``), because servers differ in what
they leave out and in how they write it. Fields not named here are skipped, whatever OpenAI adds.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Milliseconds = int | float
"""An integer by the specification; some self-hosted servers write 1236.0."""


class Kind(Struct):
    type: str


class AudioPiece(Struct):
    """Both dialects' names stand here, so that one pass over 5 KB of base64 is enough."""

    type: Literal["response.output_audio.delta", "response.audio.delta"]
    response_id: str
    item_id: str
    delta: str


class SessionShape(Struct):
    session: dict[str, Any] | None = None


class ItemMoment(Struct):
    """Something happened to an item of the conversation; each event uses its own fields."""

    item_id: str | None = None
    previous_item_id: str | None = None
    audio_start_ms: Milliseconds | None = None
    audio_end_ms: Milliseconds | None = None


class Part(Struct):
    text: str | None = None
    transcript: str | None = None


class ItemBody(Struct):
    type: str
    id: str | None = None
    status: str | None = None
    role: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """JSON text by the specification; many gateways write the object itself."""
    content: list[Part] | None = None


class ItemShape(Struct):
    item: ItemBody
    previous_item_id: str | None = None
    response_id: str | None = None


class CallerWords(Struct):
    item_id: str
    delta: str | None = None
    transcript: str | None = None


class ErrorBody(Struct):
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None
    error: Any = None
    """Some gateways wrap the vendor's error in one of their own."""


class CallerWordsFailed(Struct):
    item_id: str
    error: Any = None


class ErrorShape(Struct):
    """The error itself may be an object, a text or missing; its words may stand beside it instead."""

    error: Any = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class Piece(Struct):
    """Of the agent's words or audio: ``delta`` while it comes, ``transcript`` when it is whole."""

    response_id: str
    item_id: str
    delta: str | None = None
    transcript: str | None = None


class StatusDetails(Struct):
    type: str | None = None
    reason: str | None = None
    error: Any = None


class CachedDetails(Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None


class InputDetails(Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None
    cached_tokens: int | None = None
    cached_tokens_details: CachedDetails | None = None


class OutputDetails(Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None


class UsageBody(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: InputDetails | None = None
    output_token_details: OutputDetails | None = None


class ResponseBody(Struct):
    id: str
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[ItemBody] | None = None
    usage: UsageBody | None = None
    conversation_id: str | UnsetType | None = UNSET
    """null says "in no conversation"; the flat dialect's servers may leave the key out."""
    metadata: dict[str, Any] | None = None


class ResponseShape(Struct):
    response: ResponseBody


class RateLimit(Struct):
    name: str
    limit: int | float | None = None
    remaining: int | float | None = None
    reset_seconds: int | float | None = None


class RateLimitsShape(Struct):
    rate_limits: list[RateLimit] | None = None
