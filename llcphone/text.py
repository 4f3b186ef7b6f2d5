"""Text of others, made into text that can be kept and sent everywhere.

A lone surrogate (half a character, as ``json.loads`` and ``os.fsdecode`` let through) cannot be written as
UTF-8: sending it ends a leg. PostgreSQL refuses NUL, XML (TwiML) every control character. So text is
cleaned once, where it enters; whatever reads it behind that need not ask again.
"""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""All but XML's ``Char``."""


def clean_text(text: str) -> str:
    """The same text, each character that not every receiver takes replaced by U+FFFD."""
    return _UNFIT.sub(REPLACEMENT, text)


def is_clean(text: str) -> bool:
    """Whether ``clean_text`` would leave it as it is."""
    return _UNFIT.search(text) is None


def shortened(text: str, most: int) -> str:
    """The text, or as much of it as makes ``most`` characters together with how many are left out.

    It is cut between characters as people see them: no accent, half flag or half family is left over.
    """
    if len(text) <= most:
        return text
    end = max(0, most - len(_left_out(len(text))))
    while end and _joins(text[end - 1], text[end]):
        end -= 1
    return text[:end] + _left_out(len(text) - end)


def _left_out(count: int) -> str:
    return f"…(cut, {count} characters left out)"


_JOINER = "\u200d"


def _joins(before: str, after: str) -> bool:
    """Whether two neighbours belong to one character as people see it (flags: never between two halves)."""
    if before == _JOINER or after == _JOINER or unicodedata.category(after) in ("Mn", "Mc", "Me"):
        return True
    return "\U0001f3fb" <= after <= "\U0001f3ff" or (_half_flag(before) and _half_flag(after))


def _half_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
