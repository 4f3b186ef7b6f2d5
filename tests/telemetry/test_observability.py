"""The dashboard and the alert rules name figures, labels and reasons that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from llcphone.engine.events import EndReason
from llcphone.realtime.events import Usage
from llcphone.telemetry.collector import STATES
from llcphone.telemetry.metrics import TROUBLE, open_metrics
from tests.calls.stage import QUESTION, rehearsal
from tests.telemetry.test_metrics import Figures

FOLDER = Path(__file__).parent.parent.parent / "examples" / "observability"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
ALERTS = (FOLDER / "alerts.yml").read_text("utf-8")
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
DOCS = (FOLDER.parent.parent / "docs" / "reliability.md").read_text("utf-8")
EXPRESSIONS += re.findall(r"expr: (?:>-\n)?((?:.|\n)*?)\n        \w+:", ALERTS)

NAME = re.compile(r"\b(?:llcphone|process)_\w+")
SELECTED = re.compile(r'(\w+)(?:!=|=~|=)"([^"]*)"')
VALUES = {
    "reason": {*(reason.value for reason in EndReason), "draining"},
    "what": {each.kind for each in TROUBLE},
    "kind": set(Usage.__annotations__),
    "state": set(STATES),
    "job": {"llcphone"},
    "level": {"warning", "error"},
}


async def test_every_figure_named_exists_and_every_label_it_is_split_by(autojump_clock) -> None:
    async with rehearsal(script=["Good morning, this is the bakery.", "Yes."]) as stage:
        with open_metrics(stage.phone) as metrics:
            call = await stage.ring()
            await call.hears_out(0.5, 1_000)
            await call.speak(QUESTION)
            await call.hears(0.2)
            call.hang_up()
            await stage.record()
            await trio.sleep(1)
            families = Figures(metrics.page()).families
            labels_of = {
                name: {*metric._labelnames, "le"}
                for metric in metrics.registry._collector_to_names
                if hasattr(metric, "_labelnames")
                for name in metrics.registry._collector_to_names[metric]
            }
    names = {sample.name for family in families for sample in family.samples} | set(labels_of)
    names |= {family.name for family in families} | {family.name + "_total" for family in families}
    for expression in EXPRESSIONS:
        for name in NAME.findall(expression):
            assert name in names, expression
    for name in NAME.findall(DOCS):
        assert name in names, name
    for by, name in (
        (by, name)
        for expression in EXPRESSIONS
        for by, rest in re.findall(r"by \(([^)]*)\) (\(.*)", expression.replace("\n", " "))
        for name in NAME.findall(rest)[:1]
    ):
        known = labels_of.get(name) or {"state", "reason", "what"}  # of those that are read at a scrape
        assert set(re.split(r",\s*", by)) <= known | {"instance"}, f"{name} by {by}"


def test_there_are_expressions_to_check() -> None:
    assert len(EXPRESSIONS) > 40
    assert ALERTS.count("expr:") == len(re.findall(r"- alert:", ALERTS))
    assert sum(expression in ALERTS for expression in EXPRESSIONS) == ALERTS.count("expr:")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_value_selected_can_occur(expression: str) -> None:
    for label, wanted in SELECTED.findall(expression):
        if wanted.startswith("$"):
            continue
        for each in wanted.split("|"):
            assert any(re.fullmatch(each, value) for value in VALUES[label]), f"{label}={each}"


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_alert_says_how_urgent_it_is_and_what_it_means() -> None:
    for rule in ALERTS.split("- alert:")[1:]:
        assert re.search(r"labels: \{severity: (page|ticket)\}", rule)
        assert "summary:" in rule
