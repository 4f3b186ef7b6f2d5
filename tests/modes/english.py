"""Recognises English among the languages that ship, by words that none of the others has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ONLY_ENGLISH = """
the you your they their them this that with please what who how is are has have of and to not yes say ask
call calls caller greet greeting press key speak sorry nobody good morning afternoon evening open closed
until hello thank bye number
"""


def english_in(texts: Iterable[str]) -> dict[str, set[str]]:
    """The texts with English words, and those."""
    english = set(ONLY_ENGLISH.split())
    found = {text: set(re.findall(r"[^\W\d]+(?:_\w+)*", text.lower())) & english for text in texts}
    return {text: words for text, words in found.items() if words}
