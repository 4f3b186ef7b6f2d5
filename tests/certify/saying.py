"""What a report says of one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.certify.report import markdown
from llcphone.certify.results import Report, Result
from llcphone.config import SETTINGS, Config, toml_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.certify.question import Question


def check_report(result: Result, question: Question, config: Config, settings: Mapping[str, Any]) -> None:
    """The report names the answer, what it means, and exactly these settings with values that are taken."""
    assert dict(result.settings) == settings
    assert set(settings) <= set(question.settings)
    report = Report(date="2026-12-01T00:00:00Z", version="1", model="m", results=(result,), finished=True)
    text = markdown(report, [question], config, [])
    assert f"**{result.word}**: {question.answers[result.word]}." in text
    named = {line.partition("`")[2].partition("`")[0] for line in text.splitlines() if line.startswith("- ")}
    for key, value in settings.items():
        assert (f"unset `{key}`" if value is None else f"`{key} = {toml_value(value)}`") in text
        if value is not None:
            SETTINGS[key].check(value)
    assert {each.partition(" = ")[0] for each in named} - {""} == set(settings)
