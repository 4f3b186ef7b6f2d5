"""What a session's settings come to: whether the audio is the telephone's, and how large a prompt is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.realtime.events import SessionUpdated

TELEPHONE_FORMAT = "g711_ulaw"


def confirms_ulaw(updated: SessionUpdated) -> bool:
    """Whether the server took 8 kHz µ-law both ways; anything else would be loud static on the line."""
    return updated.input_audio_format == updated.output_audio_format == TELEPHONE_FORMAT


def prompt_tokens(text: str) -> int:
    """Estimated tokens of a text, to show and to compare with; the bill is in ``usage``.

    OpenAI's tokenizers take about four characters of English per token and, in other scripts,
    about two characters per token. No tokenizer package: an estimate needs no dependency.
    """
    ascii_only = len(text.encode("ascii", "ignore"))
    return -(-(ascii_only + 2 * (len(text) - ascii_only)) // 4)


def tools_tokens(tools: Sequence[Mapping[str, Any]]) -> int:
    """Estimated tokens of tool schemas, by their compact JSON."""
    return prompt_tokens(msgspec.json.encode(list(tools)).decode()) if tools else 0
