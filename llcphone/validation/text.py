"""Text of others, made into text that can be kept and sent everywhere.

A lone surrogate (half a character, as ``json.loads`` and ``os.fsdecode`` let through) cannot be written as
UTF-8: sending it ends a leg. PostgreSQL refuses NUL, XML (TwiML) every control character. So text is
cleaned once, where it enters; whatever reads it behind that need not ask again.
"""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""All but XML's ``Char``."""


def clean_text(text: str) -> str:
    """The same text, each character that not every receiver takes replaced by U+FFFD."""
    return _UNFIT.sub(REPLACEMENT, text)


def is_clean(text: str) -> bool:
    """Whether ``clean_text`` would leave it as it is."""
    return _UNFIT.search(text) is None
