"""What an onlooker of a call may want to know: the demo's live view, the log, metrics, the API's events.

Each kind of note is a class, so code that decides by a note names the class. ``kind`` and ``fields`` are the
same as text and plain values, for logs and events; they stay as they are when a class is renamed. What was
said is in ``words`` alone, which never goes to a log.
"""

from __future__ import annotations

from typing import ClassVar

import attrs


@attrs.frozen
class Note:
    """Something has happened in a call."""

    kind: ClassVar[str] = ""
    """Its name in logs and events."""

    @property
    def fields(self) -> dict[str, object]:
        """Ids, times, counts and codes; never what was said."""
        names = (each.name for each in attrs.fields(type(self)))
        return {name: getattr(self, name) for name in names if name != "words"}

    @property
    def words(self) -> str:
        """The words that it is about, if it is about words."""
        return ""
