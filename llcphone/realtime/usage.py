"""Tokens of a call, added up over its responses.

Every response sends the whole conversation again as input, and what the server still had in its
cache is counted inside that input. So the cached share is the one figure that
says whether a prompt is laid out well: static text first, the call's own context last.
"""

from __future__ import annotations

import attrs

from llcphone.realtime.events import Usage
from llcphone.realtime.shapes import CachedDetails, InputDetails, OutputDetails, UsageBody

_MOST = 10**9
"""A count beyond this is no count of one response: the context of the largest model is far smaller."""


def usage_of(body: UsageBody | None) -> Usage:
    """Tokens by kind, as far as a server tells: never negative, nothing lost, cached within its input.

    What a sum holds beyond the kinds that are told belongs to the kind that is not told, or is text.
    Cached tokens without a kind are text first, as the input begins with text, then audio.
    """
    body = body or UsageBody()
    given = body.input_token_details or InputDetails()
    made = body.output_token_details or OutputDetails()
    input_text, input_audio = _by_kind(body.input_tokens, given.text_tokens, given.audio_tokens)
    output_text, output_audio = _by_kind(body.output_tokens, made.text_tokens, made.audio_tokens)
    kinds = given.cached_tokens_details or CachedDetails()
    cached_text, cached_audio = _by_kind(given.cached_tokens, kinds.text_tokens, kinds.audio_tokens)
    if kinds == CachedDetails():
        cached_audio = max(0, cached_text - input_text)
    return Usage(
        input_text=input_text,
        input_audio=input_audio,
        cached_text=min(cached_text, input_text),
        cached_audio=min(cached_audio, input_audio),
        output_text=output_text,
        output_audio=output_audio,
    )


def _by_kind(whole: int | None, text: int | None, audio: int | None) -> tuple[int, int]:
    text, audio = _count(text), _count(audio)
    rest = max(0, (_count(whole) or 0) - (text or 0) - (audio or 0))
    if audio is None and text is not None:
        return text, rest
    return (text or 0) + rest, audio or 0


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= _MOST else None


def add(one: Usage, other: Usage) -> Usage:
    """Both together."""
    return Usage(*map(sum, zip(attrs.astuple(one), attrs.astuple(other), strict=True)))


def input_tokens(usage: Usage) -> int:
    """Tokens sent to the model, cached ones included."""
    return usage.input_text + usage.input_audio


def cached_tokens(usage: Usage) -> int:
    """The part of the input that the server still knew."""
    return usage.cached_text + usage.cached_audio


def cached_share(usage: Usage) -> float:
    """Cached part of the input, 0.0 to 1.0; 0.0 when there was no input."""
    tokens = input_tokens(usage)
    return cached_tokens(usage) / tokens if tokens else 0.0
