"""How settings are laid out: two tiers, one unit in a section, and each default in one place."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llcphone
from llcphone.cli import entry
from llcphone.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PACKAGE = Path(llcphone.__file__).parent
MOST_SHOWN = 100


def test_a_reader_meets_at_most_a_hundred_settings_at_first() -> None:
    assert sum(not setting.advanced for setting in SETTINGS.values()) <= MOST_SHOWN


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    assert entry.run(["config", *words]) == 0
    return dict(line.split(" = ", 1) for line in capsys.readouterr().out.splitlines())


def test_the_command_shows_the_advanced_ones_on_request_and_where_one_is_set(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = [key for key, setting in SETTINGS.items() if not setting.advanced]
    assert list(shown(capsys, "--explain")) == usual
    assert list(shown(capsys, "--explain", "--all")) == list(SETTINGS)
    assert "tools.limit_s" in shown(capsys, "limit")
    (tmp_path / "llcphone.toml").write_text("[tools]\nlimit_s = 60\n")
    assert set(shown(capsys)) - set(usual) == {"tools.limit_s"}


def test_a_section_has_one_unit_of_time() -> None:
    units: dict[str, set[str]] = defaultdict(set)
    for setting in SETTINGS.values():
        unit = setting.name.rpartition("_")[2]
        units[setting.section] |= {unit} & {"ms", "s"}
    assert {section for section, found in units.items() if len(found) > 1} == set()


# -- one default, in one place -----------------------------------------------------------------
#
# The rule: where a class is made with a value that an expression reads from a setting, its parameter has no
# default but None (not given). A second default would be one to keep equal, or a lie.


def settings_read(expression: ast.expr) -> Iterator[str]:
    """``section.name`` of each setting that an expression reads, as in ``config.tools.limit_s``."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Attribute):
            base = getattr(node.value, "attr", None) or getattr(node.value, "id", "")
            if f"{base}.{node.attr}" in SETTINGS:
                yield f"{base}.{node.attr}"


def doubled(source: str, names: dict[str, Any]) -> Iterator[str]:
    """Parameters with a default that are given a setting, where a file makes objects."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        called = names.get(node.func.id)
        ours = isinstance(called, type) and called.__module__.startswith("llcphone")
        if not ours or issubclass(called, Exception) or "__init__" not in vars(called):
            continue
        parameters = inspect.signature(called).parameters
        given = [
            *zip(parameters, node.args, strict=False),
            *((each.arg, each.value) for each in node.keywords),
        ]
        for name, value in given:
            parameter = parameters.get(name or "")
            if parameter is not None and parameter.default not in (parameter.empty, None):
                yield from (f"{called.__name__}.{name} <- {key}" for key in settings_read(value))


PUBLIC = "Agent."
"""A program makes an Agent without settings; what it leaves out has another meaning there than in [agent]."""

FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ("sim", "torture")
)


def test_no_default_of_a_setting_is_written_a_second_time() -> None:
    found = []
    for path in FILES:
        if path.name == "__main__.py":
            continue
        name = ".".join(("llcphone", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        found += doubled(path.read_text("utf-8"), vars(importlib.import_module(name)))
    assert [each for each in found if not each.startswith(PUBLIC)] == []


def test_the_guard_sees_a_planted_second_default() -> None:
    class Plan:
        __module__ = "llcphone.planted"

        def __init__(self, limit_ms: int = 120_000, name: str = "") -> None: ...

    source = "Plan(limit_ms=round(tools.limit_s * 1000), name=agent)\nPlan(config.tools.limit_s)"
    assert list(doubled(source, {"Plan": Plan})) == ["Plan.limit_ms <- tools.limit_s"] * 2


# -- errors: "key: problem. Fix: action" --------------------------------------------------------


def test_the_form_of_an_error_is_made_in_one_place() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "ConfigError":
                continue
            texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            if any(isinstance(text, str) and "Fix: " in text for text in texts):
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert wrong == []
