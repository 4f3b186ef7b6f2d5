"""What a run found, as Markdown for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.certify.compare import changes
from llcphone.certify.results import ANSWERED, UNANSWERED
from llcphone.config import toml_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.certify.question import Question
    from llcphone.certify.results import Report, Result
    from llcphone.config import Config


def markdown(report: Report, questions: Sequence[Question], config: Config, former: Sequence[Report]) -> str:
    """The report for people: each answer with the settings that it decides, then what changed."""
    by_id = {each.id: each for each in questions}
    counts = {
        status: sum(each.status == status for each in report.results) for status in (ANSWERED, UNANSWERED)
    }
    cut = "" if report.finished else " The run was cut short; `llcphone certify --continue` asks the rest."
    parts = [
        f"# llcphone certify, {report.date}",
        f"llcphone {report.version}, model {report.model}. Of {len(report.results)} questions, "
        f"{counts[ANSWERED]} were answered, {counts[UNANSWERED]} were asked without an answer.{cut}",
        "## Answers",
    ]
    parts += [_section(each, by_id[each.id], config) for each in report.results if each.id in by_id]
    parts.append("## Compared with earlier reports")
    parts += changes(report, former)
    return "\n\n".join(parts) + "\n"


def _section(result: Result, question: Question, config: Config) -> str:
    lines = [f"### {question.id}", "", question.asks, ""]
    if result.status == ANSWERED:
        lines.append(f"**{result.word}**: {question.answers[result.word]}. Seen: {result.seen.rstrip('.')}.")
        lines.append("")
        lines += [f"- {line}" for line in advice(result, question, config)]
    elif result.status == UNANSWERED:
        lines.append(f"**No answer**: {result.seen}.")
    else:
        lines.append("**Not asked.**")
    return "\n".join(lines).rstrip()


def advice(result: Result, question: Question, config: Config) -> list[str]:
    """The settings that the answer decides, each with what it is now where that differs."""
    if not question.settings:
        return ["It decides no setting."]
    if not result.settings:
        return ["No setting helps."]
    return [_setting(key, value, config) for key, value in result.settings.items()]


def _setting(key: str, value: Any, config: Config) -> str:
    now = config.value(key)
    wanted = f"unset `{key}`" if value is None else f"`{key} = {toml_value(value)}`"
    if now == value:
        return f"{wanted}, as it is"
    return f"{wanted} (now {'unset' if now is None else f'`{toml_value(now)}`'})"
