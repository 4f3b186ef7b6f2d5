"""Audio that says which frame it is: base64 text with a label spliced in.

A bridge passes base64 on, perhaps cut at whole groups, so a label in the text survives. Caller
frames carry one label; an answer's delta carries one at its start and one at its end, so the
last piece of a delta that a bridge cuts in pieces is recognized. The rest is one letter.
"""

from __future__ import annotations

FRAME_MS = 20
LABEL = 16
"""Characters of a label: a letter, seven digits of the call, eight of the number."""

_FILL = b"f"


def label(letter: bytes, call: int, number: int) -> bytes:
    """Sixteen characters that are base64 too."""
    return b"%b%07d%08d" % (letter, call, number)


def read_label(text: bytes) -> tuple[int, int]:
    return int(text[1:8]), int(text[8:16])


def base64_chars(ms: int) -> int:
    """How long the text of that much audio is, padding left out."""
    audio = ms * 8
    return (audio * 4 + 2) // 3


def caller_tail() -> bytes:
    """What follows the label in a caller's frame."""
    return _FILL * (base64_chars(FRAME_MS) - LABEL) + b"=" * (-base64_chars(FRAME_MS) % 4)


def delta(call: int, number: int, ms: int) -> bytes:
    """A delta's text: label S, filling, label E, padding."""
    chars = base64_chars(ms)
    fill = _FILL * (chars - 2 * LABEL)
    return label(b"S", call, number) + fill + label(b"E", call, number) + b"=" * (-chars % 4)
