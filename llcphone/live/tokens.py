"""Estimated tokens of what GPT-Live is told, and text cut to a limit of them.

GPT-Live refuses a text that is too long. An estimate needs no tokenizer, but it must not be too low, so it
has a margin: 1,750 characters of Spanish were measured to pass where 500 tokens are allowed, 1,900 were not.
"""

from __future__ import annotations

from llcphone.realtime.session import prompt_tokens

APPEND_TOKENS = 500
"""Most of one append to a running session."""
INPUT_TOKENS = 8_192
"""Most of the history in ``session.start``."""
INPUT_MESSAGES = 128

_MARGIN_PERCENT = 115


def estimated_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    return -(-prompt_tokens(text) * _MARGIN_PERCENT // 100)


def fitting(text: str, most: int) -> str:
    """The beginning of a text that has at most this many tokens; whole words, if one fits."""
    return text[: _end(text, 0, most)].rstrip()


def pieces(text: str, most: int) -> list[str]:
    """The whole text in pieces of at most this many tokens; none for a blank one.

    Args:
        text: cut between words; a word that is too long for a piece is cut.
        most: tokens of a piece, at least 2.
    """
    parts, at = [], 0
    while at < len(text):
        end = _end(text, at, most)
        if part := text[at:end].strip():
            parts.append(part)
        at = end
    return parts


def _end(text: str, at: int, most: int) -> int:
    """Where a piece ends that begins here: before a word that does not fit any more, or at the text's end."""
    # prompt_tokens takes a quarter of a token for an ASCII character and half a token for any other.
    left = most * 100 // _MARGIN_PERCENT * 4
    word_ends = at
    for place in range(at, len(text)):
        character = text[place]
        if character.isspace():
            word_ends = place
        left -= 1 if character.isascii() else 2
        if left < 0:
            return word_ends if text[at:word_ends].strip() else max(place, at + 1)
    return len(text)
