"""The shapes of the Realtime API's server events, as far as a call reads them.

One struct per shape, not per event: many events look alike, and both dialects' names share one.
A field without a default must be there and must have its type, or the event is broken. A field
with a default may be missing or null, because servers differ in what they leave out. Fields not
named here are skipped, whatever OpenAI adds.
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
    content_index: int = 0


class SessionShape(Struct):
    session: dict[str, Any]


class ItemMoment(Struct):
    """Something happened to an item of the conversation; each event uses its own fields."""

    item_id: str | None = None
    previous_item_id: str | None = None
    audio_start_ms: Milliseconds = 0
    audio_end_ms: Milliseconds = 0


class Part(Struct):
    text: str | None = None
    transcript: str | None = None


class ItemBody(Struct):
    id: str
    type: str
    status: str | None = None
    role: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
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


class CallerWordsFailed(Struct):
    item_id: str
    error: ErrorBody | None = None


class ErrorShape(Struct):
    error: ErrorBody


class Piece(Struct):
    """Of the agent's words or audio: ``delta`` while it comes, ``transcript`` when it is whole."""

    response_id: str
    item_id: str
    delta: str | None = None
    transcript: str | None = None


class StatusDetails(Struct):
    reason: str | None = None
    error: ErrorBody | None = None


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
    limit: Milliseconds = 0
    remaining: Milliseconds = 0
    reset_seconds: float = 0.0


class RateLimitsShape(Struct):
    rate_limits: list[RateLimit]
