"""Telephone numbers as Twilio tells them: which are a person's, and which are the same person's.

A withheld number may look like one. And a few countries write one number in two ways, because their
numbering plan has changed or differs at home and from abroad; carriers send either. Such numbers are
compared by their ``identity`` and looked up by all their ``spellings``, never as text.
"""

from __future__ import annotations

import re

E164 = r"\+[1-9][0-9]{5,14}"
"""A number as E.164: +, country code and number, digits only."""
_E164 = re.compile(E164)

STAND_INS = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad: what carriers tell instead of a
withheld number (twilio.com/docs/voice/twiml, read 2026-11-20)."""

_MEXICO = re.compile(r"\+521([2-9][0-9]{9})")
"""Mobiles had a 1 behind the country code until 2019; many carriers still send it."""
_BRAZIL = re.compile(r"\+55([1-9][1-9])([6-9][0-9]{7})")
"""Mobiles had eight digits until 2016; a 9 was put before them."""
_BRAZIL_NOW = re.compile(r"\+55([1-9][1-9])9([6-9][0-9]{7})")
_ARGENTINA = re.compile(r"\+549([1-9][0-9]{9})")
"""Mobiles are dialled with a 9 from abroad and without it at home; the ten digits are one subscriber's."""


def is_number(text: str) -> bool:
    """Whether this is the number of a telephone, such as Twilio takes as ``callerId``.

    It may be ``anonymous``, the address of a SIP telephone or an app, or a number that stands for none.
    """
    return _E164.fullmatch(text) is not None and text not in STAND_INS


def is_withheld(text: str) -> bool:
    """Whether this says nothing of who calls: no number, and no address of a SIP telephone or an app."""
    return not is_number(text) and ":" not in text


def respelt(number: str) -> str:
    """An E.164 number as its country writes it today; any other text as it is."""
    if match := _MEXICO.fullmatch(number):
        return f"+52{match[1]}"
    if match := _BRAZIL.fullmatch(number):
        return f"+55{match[1]}9{match[2]}"
    return number


def identity(number: str) -> str:
    """The same text for every spelling of one number; for comparing, not for dialling."""
    if match := _ARGENTINA.fullmatch(number):
        return f"+54{match[1]}"
    return respelt(number)


def spellings(number: str) -> tuple[str, ...]:
    """Every spelling of a number, as it may have been written down."""
    one = identity(number)
    others: list[str] = []
    if re.fullmatch(r"\+52[2-9][0-9]{9}", one):
        others.append(f"+521{one[3:]}")
    elif re.fullmatch(r"\+54[1-9][0-9]{9}", one):
        others.append(f"+549{one[3:]}")
    elif match := _BRAZIL_NOW.fullmatch(one):
        others.append(f"+55{match[1]}{match[2]}")
    return (one, *others)
