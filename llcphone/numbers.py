"""Telephone numbers as Twilio tells them: which are a person's, and which only stand for a withheld one."""

from __future__ import annotations

import re

_E164 = re.compile(r"\+[1-9][0-9]{5,14}")

STAND_INS = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad: what carriers tell instead of a
withheld number (twilio.com/docs/voice/twiml, read 2026-11-20)."""


def is_number(text: str) -> bool:
    """Whether this is the number of a telephone, such as Twilio takes as ``callerId``.

    It may be ``anonymous``, the address of a SIP telephone or an app, or a number that stands for none.
    """
    return _E164.fullmatch(text) is not None and text not in STAND_INS
