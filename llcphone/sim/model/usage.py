"""Token arithmetic of one response: an honest model of the bill, not of the tokenizer.

Caller audio costs 1 token per 100 ms, agent audio 1 per 50 ms, text about one per 4
characters. The whole conversation is the input of every response; what repeats the beginning of the input
before it is cached, in steps of 64 tokens as recorded usage shows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from llcphone.sim.model.conversation import Item

CACHE_STEP = 64


@attrs.frozen
class Tokens:
    """Text and audio tokens of one piece of the input or the output."""

    text: int = 0
    audio: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        """Both kinds."""
        return self.text + self.audio


Piece = tuple[str, Tokens]
"""A piece of the input: what it says, exactly, and what it costs."""


def text_tokens(text: str) -> int:
    return -(-len(text) // 4)


def spoken_tokens(text: str, audio_ms: int) -> Tokens:
    """Tokens of agent speech and its transcript."""
    return Tokens(text_tokens(text), -(-audio_ms // 50))


def context(session: dict[str, Any], items: list[Item]) -> list[Piece]:
    """The input of a response: tools and instructions at its head, then the conversation."""
    head = [json.dumps(session["tools"]), session["instructions"]]
    pieces = [(text, Tokens(text_tokens(text))) for text in head]
    for item in items:
        audio_tokens = item.kept_ms // (50 if item.role == "assistant" else 100)
        cost = Tokens(text_tokens(item.text), audio_tokens)
        pieces.append((f"{item.id} {item.text} {item.kept_ms}", cost))
    return pieces


def usage(now: list[Piece], before: list[list[Piece]], output: Tokens) -> dict[str, Any]:
    """The ``usage`` object of ``response.done``; ``before`` are the inputs that the cache knows."""
    given = sum((cost for _, cost in now), Tokens())
    cached = max((_cached(now, each) for each in before), key=lambda each: each.total, default=Tokens())
    return {
        "total_tokens": given.total + output.total,
        "input_tokens": given.total,
        "output_tokens": output.total,
        "input_token_details": {
            "text_tokens": given.text,
            "audio_tokens": given.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total,
            "cached_tokens_details": {
                "text_tokens": cached.text,
                "audio_tokens": cached.audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": output.text, "audio_tokens": output.audio},
    }


def _cached(now: list[Piece], before: list[Piece]) -> Tokens:
    repeated = Tokens()
    for (text, cost), (old_text, _) in zip(now, before, strict=False):
        if text != old_text:
            break
        repeated += cost
    whole = repeated.total - repeated.total % CACHE_STEP
    text_part = min(whole, repeated.text)
    return Tokens(text_part, whole - text_part)
