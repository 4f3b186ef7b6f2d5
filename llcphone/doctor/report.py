"""The doctor's findings, and how they are shown."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llcphone.errors import ConfigError


class Status(Enum):
    PASS = "pass"
    WARN = "warn"
    """Calls work; something is not as it should be."""
    UNKNOWN = "unknown"
    """It could not be checked, so it is unknown."""
    FAIL = "fail"


@frozen
class Finding:
    """One line of the report."""

    check: str
    """What was looked at; a stable name for programs."""
    status: Status
    evidence: str
    """What was seen."""
    fix: str = ""
    """What to do about it, with the command or the setting."""
    offer: str = ""
    """The safe fix that ``--fix`` offers; a name in ``fix.FIXES``."""
    facts: dict[str, Any] = field(factory=dict)
    """For programs: times and codes."""

    def as_json(self) -> dict[str, Any]:
        fix = {"fix": self.fix} if self.fix else {}
        facts = {"facts": self.facts} if self.facts else {}
        return {"check": self.check, "status": self.status.value, "evidence": self.evidence, **fix, **facts}

    def concealed(self, conceal: Callable[[str], str]) -> Finding:
        """The same, fit to be shown to anybody."""
        return evolve(self, evidence=conceal(self.evidence), fix=conceal(self.fix))


def good(check: str, evidence: str, **facts: Any) -> Finding:
    """All is well."""
    return Finding(check, Status.PASS, evidence, facts=facts)


def warn(check: str, evidence: str, fix: str = "", *, offer: str = "", **facts: Any) -> Finding:
    """Calls work all the same."""
    return Finding(check, Status.WARN, evidence, fix, offer, facts)


def fail(check: str, evidence: str, fix: str, *, offer: str = "", **facts: Any) -> Finding:
    """Calls fail for this."""
    return Finding(check, Status.FAIL, evidence, fix, offer, facts)


def refused(check: str, error: ConfigError) -> Finding:
    """Calls fail for this setting; its error says how to fix it."""
    return fail(check, f"{error.key}: {error.why}", error.fix)


def unknown(check: str, evidence: str, fix: str) -> Finding:
    """It could not be looked at."""
    return Finding(check, Status.UNKNOWN, evidence, fix)


def exit_code(findings: Iterable[Finding]) -> int:
    """0: calls work; 1: something is broken, or could not be looked at."""
    return 1 if any(each.status in (Status.FAIL, Status.UNKNOWN) for each in findings) else 0


def lines(findings: Iterable[Finding]) -> list[str]:
    """For people: one line a finding, the fix below it."""
    told = []
    for each in findings:
        told.append(f"  {each.status.value.upper():<7} {each.check:<20} {each.evidence}")
        if each.fix and each.status is not Status.PASS:
            told.append(f"          {'':<20} fix: {each.fix}")
    return told


def verdict(findings: Iterable[Finding]) -> str:
    counts = dict.fromkeys(Status, 0)
    first = ""
    for each in findings:
        counts[each.status] += 1
        if each.status is Status.FAIL and not first:
            first = f"; begin with: {each.check}"
    failed, warned, unseen = counts[Status.FAIL], counts[Status.WARN], counts[Status.UNKNOWN]
    not_examined = f"{unseen} not examined, " if unseen else ""
    return f"{failed} failed, {not_examined}{warned} to look at, {counts[Status.PASS]} good{first}"
