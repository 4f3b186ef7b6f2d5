"""What a run found, as JSON for programs and for the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
ANSWERED, UNANSWERED, NOT_ASKED = "answered", "unanswered", "not asked"


@frozen(kw_only=True)
class Result:
    """What became of one question."""

    id: str
    status: str = NOT_ASKED
    """``answered``; ``unanswered``: it was asked, ``seen`` says what was in the way; ``not asked``."""
    word: str = ""
    seen: str = ""
    settings: Mapping[str, Any] = field(factory=dict)
    facts: Mapping[str, Any] = field(factory=dict)
    at: str = ""
    """When it was answered, in UTC."""
    took_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"id": self.id, "status": self.status, "word": self.word, "seen": self.seen}
        told |= {"settings": dict(self.settings), "facts": dict(self.facts)}
        return told | {"at": self.at, "took_s": round(self.took_s, 1)}


@frozen(kw_only=True)
class Report:
    """One run."""

    date: str
    """When it began, in UTC."""
    version: str
    """Of llcphone."""
    model: str
    results: tuple[Result, ...]
    finished: bool = False
    """False: it was cut short; ``--continue`` asks what is left."""

    def with_result(self, result: Result) -> Report:
        """The same, with one more result."""
        results = [result if each.id == result.id else each for each in self.results]
        return evolve(self, results=tuple(results))

    @property
    def left(self) -> list[str]:
        """Questions that have no answer yet."""
        return [each.id for each in self.results if each.status != ANSWERED]

    def encode(self) -> bytes:
        """The report as JSON."""
        told: dict[str, Any] = {
            "format": FORMAT,
            "date": self.date,
            "version": self.version,
            "model": self.model,
        }
        told |= {"finished": self.finished, "results": [each.as_json() for each in self.results]}
        return msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"


def decode(content: bytes) -> Report | None:
    """A report of an earlier run; None: it cannot be read, or is of another format."""
    try:
        told = msgspec.json.decode(content)
        if told["format"] != FORMAT:
            return None
        results = tuple(Result(**each) for each in told["results"])
        return Report(
            date=str(told["date"]),
            version=str(told["version"]),
            model=str(told["model"]),
            finished=bool(told["finished"]),
            results=results,
        )
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
