"""What a question finds."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Answer:
    """What was found."""

    word: str
    """A key of the question's ``answers``."""
    seen: str
    """What was measured or received, for a person; without personal details."""
    settings: Mapping[str, Any] = MappingProxyType({})
    """What the answer decides: setting and value; None leaves it unset."""
    facts: Mapping[str, Any] = field(factory=dict)
    """For programs: times in ms, counts, codes."""


class Unanswered(Exception):
    """A question found no answer.

    Attributes:
        code: why, in a word that may be shown.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
