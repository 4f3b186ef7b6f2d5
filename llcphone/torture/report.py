"""The findings as a table for a person and as JSON for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from rich.table import Table
from rich.text import Text

from llcphone.torture.judge import Verdict, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.torture.judge import Finding
    from llcphone.torture.trials import Trial

STYLE = {
    Verdict.PASS: "green",
    Verdict.PARTIAL: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.NOT_APPLICABLE: "dim",
}


def table(name: str, findings: Sequence[Finding]) -> Table:
    """One row for each finding; a second line says what it means, unless it is a pass."""
    passed, counted = score(list(findings))
    drawn = Table(title=f"{name}: {passed} of {counted}", title_justify="left", show_lines=True)
    for heading in ("trial", "", "measured", "bar"):
        drawn.add_column(heading)
    for each in findings:
        trial = Text(each.name, "bold")
        trial.append(f"\n{each.title}", "dim")
        measured = Text(each.measured)
        if each.reading:
            measured.append(("\n" if each.measured else "") + each.reading, STYLE[each.verdict])
        drawn.add_row(trial, Text(each.verdict.value, STYLE[each.verdict]), measured, Text(each.bar, "dim"))
    return drawn


def listing(trials: Sequence[Trial]) -> Table:
    drawn = Table(show_header=True, box=None)
    for heading in ("trial", "what happens", "bar"):
        drawn.add_column(heading)
    for each in trials:
        drawn.add_row(Text(each.name, "bold"), each.title, Text(each.bar, "dim"))
    return drawn


def as_json(name: str, findings: Sequence[Finding]) -> dict[str, Any]:
    passed, counted = score(list(findings))
    rows = [attrs.asdict(each) | {"verdict": each.verdict.value} for each in findings]
    return {"bridge": name, "passed": passed, "applicable": counted, "findings": rows}
