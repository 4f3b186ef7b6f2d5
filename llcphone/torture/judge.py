"""What a trial found: figures, what was broken, and the verdict that follows from it."""

from __future__ import annotations

from enum import Enum

import attrs

Figure = float | int | str | None


class Verdict(Enum):
    PASS = "pass"
    PARTIAL = "partial"
    """What matters most held, something else did not."""
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"
    """This bridge cannot be asked for it; not counted."""


@attrs.define
class Judge:
    """Collects what one trial sees."""

    measured: str = ""
    """The figures in one short line."""
    figures: dict[str, Figure] = attrs.field(factory=dict)
    broken: list[str] = attrs.field(factory=list)
    lacking: list[str] = attrs.field(factory=list)
    absent: str = ""

    def must(self, holds: bool, otherwise: str) -> None:
        """Without this the trial has failed."""
        if not holds:
            self.broken.append(otherwise)

    def should(self, holds: bool, otherwise: str) -> None:
        """Without this the trial is passed in part."""
        if not holds:
            self.lacking.append(otherwise)

    def not_applicable(self, why: str) -> None:
        """This bridge cannot be asked for it."""
        self.absent = why

    @property
    def verdict(self) -> Verdict:
        """By what was said so far."""
        if self.broken:
            return Verdict.FAIL
        if self.absent:
            return Verdict.NOT_APPLICABLE
        return Verdict.PARTIAL if self.lacking else Verdict.PASS

    @property
    def reading(self) -> str:
        """What it means, in one line; empty for a pass."""
        return "; ".join([*self.broken, *self.lacking]) or self.absent


@attrs.frozen(kw_only=True)
class Finding:
    """One line of the table."""

    name: str
    title: str
    verdict: Verdict
    measured: str
    bar: str
    reading: str
    figures: dict[str, Figure]
    took_s: float


def score(findings: list[Finding]) -> tuple[int, int]:
    """Trials passed, and trials that could be."""
    counted = [each for each in findings if each.verdict is not Verdict.NOT_APPLICABLE]
    return sum(each.verdict is Verdict.PASS for each in counted), len(counted)
