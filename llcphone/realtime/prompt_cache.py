"""Whether a prompt can be cached: what differs from call to call must stand last.

The server caches the beginning of the input as far as it is the same as before, in the order tools,
instructions, conversation. So text that stands behind something of one
call is paid in full each time, however static it is. Two calls of the same agent show it: what is the
same at the end of both prompts, and stands behind a difference, is in the wrong place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime.session import prompt_tokens, tools_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

ENOUGH = 48
"""Tokens behind a difference that are worth a word; a closing sentence is not."""


@attrs.frozen
class Layout:
    """How two prompts of one agent compare; tokens are estimates."""

    same_tokens: int
    """At the head of both: what can be cached."""
    misplaced_tokens: int
    """Static text behind a difference: never cached, though it could be."""

    @property
    def is_wrong(self) -> bool:
        """Something of one call stands before so much static text that it costs."""
        return self.misplaced_tokens >= ENOUGH


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Layout:
    """Compare the opening settings (flat names) of two calls of one agent."""
    first, second = one.get("instructions", ""), other.get("instructions", "")
    head = _common(first, second)
    same_tokens = prompt_tokens(head)
    end_tokens = prompt_tokens(_common_end(first[len(head) :], second[len(head) :]))
    if one.get("tools") != other.get("tools"):  # they stand before everything else
        return Layout(0, same_tokens + end_tokens)
    return Layout(tools_tokens(one.get("tools", ())) + same_tokens, end_tokens)


def _common(one: str, other: str) -> str:
    """The beginning of both. Found by halves: a prompt is long, and calls wait meanwhile."""
    same, differs = 0, min(len(one), len(other)) + 1
    while differs - same > 1:
        middle = (same + differs) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            differs = middle
    return one[:same]


def _common_end(one: str, other: str) -> str:
    return _common(one[::-1], other[::-1])[::-1]
