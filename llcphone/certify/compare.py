"""What changed since the last report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.certify.results import Report


def changes(now: Report, before: Report | None) -> list[str]:
    """One line for each answer that differs, or is new or lost; one line if none does."""
    if before is None:
        return ["There is no earlier report."]
    old = {each.id: each for each in before.results if each.word}
    lines = []
    for each in now.results:
        was = old.get(each.id)
        if each.word and was is None:
            lines.append(f"- {each.id}: {each.word} (new)")
        elif each.word and was is not None and each.word != was.word:
            lines.append(f"- {each.id}: {each.word}, before {was.word}")
        elif not each.word and was is not None:
            lines.append(f"- {each.id}: {each.status}, before {was.word}")
    if before.model != now.model:
        lines.append(f"- the model: {now.model}, before {before.model}")
    same = sum(each.word != "" and each.id in old and old[each.id].word == each.word for each in now.results)
    return ["\n".join([*lines, f"- {same} answers are the same as on {before.date}"])]
