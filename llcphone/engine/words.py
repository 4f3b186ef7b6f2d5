"""Text in any script: where it may be cut, and how long it takes to say.

Words run ahead of the voice and are not aligned with it, so what was heard is a share of the text. Most
scripts are cut at white space. Some are written without it (Chinese, Japanese, Thai ...): those are cut
between two text elements, behind a mark of punctuation if one is near. A cut never falls inside a text
element: a letter with its accents, an emoji of several parts.

Everything is decided by the kind of each character, and each kind has one character that represents it.
So ``masked`` text (``engine.tape``) is cut where the text itself is, and shows nothing of it.
"""

from __future__ import annotations

import functools
import unicodedata
from enum import Enum
from itertools import accumulate


class Sign(Enum):
    """A kind of character: the one that represents it, and how long it takes to say, in Latin letters."""

    LETTER = "x", 1.0
    """Of a script with spaces between words."""
    SPACE = " ", 1.0
    HANGUL = "한", 3.0
    """A syllable; Korean has spaces."""
    EXTENDS = "\u0301", 1.0
    """Part of the text element before it."""
    JOINS = "\u200d", 1.0
    """Part of that, and what follows too."""
    SYLLABLE = "漢", 4.0
    """Han; from here on scripts without spaces."""
    KANA = "か", 2.2
    ELEMENT = "ก", 1.0
    """Any other text element behind which a text may be cut: Thai, Lao, Khmer, Burmese, Tibetan, emoji."""
    OPENS = "「", 1.0
    """What follows belongs to it: a bracket, a vowel written before its consonant."""
    PAUSE = "。", 1.0
    """The best place for a cut is behind it."""

    def __init__(self, mask: str, letters: float) -> None:
        self.mask = mask
        self.letters = letters


_FREE = frozenset({Sign.SYLLABLE, Sign.KANA, Sign.ELEMENT, Sign.PAUSE})
_BOUND = frozenset({Sign.EXTENDS, Sign.JOINS})

_CLOSERS = frozenset("、。，．！？；：…‥・」』）】〉》〕］｝｡､｣។៕၊။་།")
_OPENERS = frozenset("「『（【〈《〔［｛｢เแโใไເແໂໃໄ")
_JOINERS = frozenset("\u200d\u17d2\u1039")
"""Zero width joiner; Khmer and Burmese stack the next consonant below the last one."""
_EXTENDERS = frozenset("\u200c\u0e33\u0eb3\uff9e\uff9f")
"""What Unicode's text segmentation (UAX #29) extends by beyond the categories of marks."""

_RANGES: tuple[tuple[int, int, Sign], ...] = (
    (0x0E00, 0x0FFF, Sign.ELEMENT),  # Thai, Lao, Tibetan
    (0x1000, 0x109F, Sign.ELEMENT),  # Burmese
    (0x1780, 0x17FF, Sign.ELEMENT),  # Khmer
    (0x3003, 0x3007, Sign.SYLLABLE),
    (0x3041, 0x30FF, Sign.KANA),
    (0x3100, 0x312F, Sign.KANA),
    (0x31F0, 0x31FF, Sign.KANA),
    (0x3400, 0x4DBF, Sign.SYLLABLE),
    (0x4E00, 0x9FFF, Sign.SYLLABLE),
    (0xAC00, 0xD7A3, Sign.HANGUL),
    (0xF900, 0xFAFF, Sign.SYLLABLE),
    (0xFF66, 0xFF9D, Sign.KANA),
    (0x1F3FB, 0x1F3FF, Sign.EXTENDS),  # skin tones
    (0x1F1E6, 0x1F1FF, Sign.LETTER),  # flags are pairs of these
    (0x20000, 0x3FFFF, Sign.SYLLABLE),
    (0xE0020, 0xE007F, Sign.EXTENDS),  # flags of regions
)

_NEAR = 3
"""A pause this many characters before the place is better than the place: about half a second."""


@functools.lru_cache(4096)
def sign_of(character: str) -> Sign:
    """The kind of a character."""
    if character.isspace() or character == "\u200b":
        return Sign.SPACE
    for sign, known in (
        (Sign.PAUSE, _CLOSERS),
        (Sign.OPENS, _OPENERS),
        (Sign.JOINS, _JOINERS),
        (Sign.EXTENDS, _EXTENDERS),
    ):
        if character in known:
            return sign
    category = unicodedata.category(character)
    if category in ("Mn", "Mc", "Me"):
        return Sign.EXTENDS
    point = ord(character)
    for first, last, sign in _RANGES:
        if first <= point <= last:
            return sign
    return Sign.ELEMENT if category == "So" and point >= 0x2190 else Sign.LETTER


class _Masks(dict[int, str]):
    """The character that represents each, made when it is first met."""

    def __missing__(self, point: int) -> str:
        sign = sign_of(character := chr(point))
        mask = character if sign is Sign.SPACE else sign.mask
        if len(self) < _MOST_MASKS:
            self[point] = mask
        return mask


_MOST_MASKS = 8_192
_MASKS = _Masks()


def masked(text: str) -> str:
    """The text's shape: as long, cut where it is cut, said as long; its white space as it was."""
    return text.translate(_MASKS)


def cut_words(text: str, end: int) -> str:
    """The first ``end`` characters of a text at most, without half a word at the end."""
    if end <= 0:
        return ""
    return text[: end if end >= len(text) else _cut_before(text, end)].rstrip()


def _cut_before(text: str, end: int) -> int:
    signs = [sign_of(each) for each in text[: end + 1]]
    bases = list(accumulate(signs, _base))
    at = next((at for at in range(end, 0, -1) if _may_cut(signs, bases, at)), 0)
    for better in range(at, max(0, at - _NEAR), -1):
        if _may_cut(signs, bases, better) and {bases[better - 1], signs[better]} & {Sign.PAUSE, Sign.SPACE}:
            return better
    return at


def _base(before: Sign, sign: Sign) -> Sign:
    return before if sign in _BOUND else sign


def _may_cut(signs: list[Sign], bases: list[Sign], at: int) -> bool:
    before, after = signs[at - 1], signs[at]
    if after in _BOUND or before is Sign.JOINS:
        return False
    return Sign.SPACE in (before, after) or bases[at - 1] in _FREE


def letters(text: str) -> float:
    """How long a text takes to say, in Latin letters."""
    return sum(sign_of(each).letters for each in text)


def said_within(text: str, count: float) -> int:
    """How many characters of a text take no longer to say than ``count`` Latin letters."""
    costs = accumulate(sign_of(each).letters for each in text)
    return next((at for at, cost in enumerate(costs) if cost > count), len(text))
