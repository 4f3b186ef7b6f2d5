"""Tokens of a call, added up over its responses.

Every response sends the whole conversation again as input, and what the server still had in its
cache is counted inside that input (facts §3.2, §3.3). So the cached share is the one figure that
says whether a prompt is laid out well: static text first, the call's own context last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.events import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable


def add(one: Usage, other: Usage) -> Usage:
    """Both together."""
    return Usage(*map(sum, zip(attrs.astuple(one), attrs.astuple(other), strict=True)))


def total(usages: Iterable[Usage]) -> Usage:
    """All together; nothing at all is an empty ``Usage``."""
    whole = Usage()
    for usage in usages:
        whole = add(whole, usage)
    return whole


def input_tokens(usage: Usage) -> int:
    """Tokens sent to the model, cached ones included."""
    return usage.input_text + usage.input_audio


def cached_tokens(usage: Usage) -> int:
    """The part of the input that the server still knew."""
    return usage.cached_text + usage.cached_audio


def output_tokens(usage: Usage) -> int:
    """Tokens the model produced."""
    return usage.output_text + usage.output_audio


def cached_share(usage: Usage) -> float:
    """Cached part of the input, 0.0 to 1.0; 0.0 when there was no input."""
    tokens = input_tokens(usage)
    return cached_tokens(usage) / tokens if tokens else 0.0
