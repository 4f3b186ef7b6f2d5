"""The table of open questions and the questions that are asked are the same."""

from __future__ import annotations

from pathlib import Path

from llcphone.certify.plan import QUESTIONS
from llcphone.config import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def table() -> list[list[str]]:
    section = PAGE.read_text("utf-8").partition("## Open questions for a live account")[2]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return [each for each in cells if each[0] != "question"]


def test_every_open_question_is_asked_and_every_question_is_open() -> None:
    assert {row[0] for row in table()} == {each.asks for each in QUESTIONS}


def test_every_setting_that_an_answer_decides_exists() -> None:
    for each in QUESTIONS:
        assert set(each.settings) <= set(SETTINGS), each.id


def test_the_settings_of_the_table_are_those_that_answers_decide() -> None:
    for row in table():
        decided = {key for each in QUESTIONS if each.asks == row[0] for key in each.settings}
        named = {word.strip("`") for word in row[-1].replace(",", "").split() if word.startswith("`")}
        assert named <= decided or not decided, row[0]


def test_every_question_can_be_named_and_says_what_it_does() -> None:
    assert len({each.id for each in QUESTIONS}) == len(QUESTIONS)
    for each in QUESTIONS:
        assert each.how, each.id
        assert len(each.answers) >= 2, each.id
        assert each.limit_s >= each.bound.live_s, each.id
