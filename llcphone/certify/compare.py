"""What changed since the last report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.certify.results import Report


def changes(now: Report, former: Sequence[Report]) -> list[str]:
    """One line for each answer that differs from the last one to the same question, or is new or lost.

    Args:
        now: the report of this run.
        former: those of all runs before, the newest last; a run may have asked other questions.
    """
    if not former:
        return ["There is no earlier report."]
    old = {each.id: (each.word, report.date) for report in former for each in report.results if each.word}
    lines, same = [], 0
    for each in now.results:
        word, date = old.get(each.id, ("", ""))
        if each.word and not word:
            lines.append(f"- {each.id}: {each.word} (new)")
        elif each.word and each.word != word:
            lines.append(f"- {each.id}: {each.word}, but {word} on {date}")
        elif not each.word and word:
            lines.append(f"- {each.id}: {each.status}, but {word} on {date}")
        same += bool(each.word) and each.word == word
    if former[-1].model != now.model:
        lines.append(f"- the model: {now.model}, but {former[-1].model} on {former[-1].date}")
    return ["\n".join([*lines, f"- {same} answers are the same as before"])]
