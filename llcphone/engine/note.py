"""What an onlooker of a call may want to know: the demo's live view, the log, metrics, the API's events.

Each kind of note is a class, so code that decides by a note names the class. ``kind`` and ``fields`` are the
same as text and plain values, for logs and events; they stay as they are when a class is renamed. What was
said is in ``words`` alone, which never goes to a log.
"""

from __future__ import annotations

from typing import ClassVar, dataclass_transform

import attrs


@dataclass_transform(frozen_default=True)
class Note:
    """Something has happened in a call; each subclass is a frozen class of its annotated fields."""

    kind: ClassVar[str] = ""
    """Its name in logs and events."""
    words = ""
    """The words that it is about, if it is about words."""
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        attrs.frozen(cls, slots=False)

    @property
    def fields(self) -> dict[str, object]:
        """Ids, times, counts and codes; never what was said."""
        return {name: getattr(self, name) for name in self.__match_args__ if name != "words"}
