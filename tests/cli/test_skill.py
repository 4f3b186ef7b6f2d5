"""The skill: the folder that is built keeps the format's rules and names nothing that is not there.

What it says of settings, commands and defaults is held to the code by `tests.test_docs`, as any page.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from docs_tools.make_docs import REQUIRED, SKILL_PAGE
from llcphone import ConfigError, settings
from llcphone.cli.skill import NAME, build_skill, self_contained
from tests.test_docs import VARIABLES, headings, read

if TYPE_CHECKING:
    from pathlib import Path

OF_THE_FORMAT = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
OF_THE_AGENTS = {"user-invocable"}
"""Keys that OpenClaw and Claude Code read beyond the Agent Skills format."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The skill, installed as the docs say it: nothing of the repository beside it."""
    folder = tmp_path_factory.mktemp("skills")
    command = [sys.executable, "-m", "llcphone", "skill", "build", str(folder)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert str(folder / NAME) in told
    return folder / NAME


def front_and_body(folder: Path) -> tuple[dict[str, Any], str]:
    text = (folder / "SKILL.md").read_text("utf-8")
    _, front, body = re.split(r"(?m)^---$", text, maxsplit=2)
    return yaml.safe_load(front), body


def test_it_keeps_the_rules_of_the_format(built) -> None:
    front, body = front_and_body(built)
    assert set(front) <= OF_THE_FORMAT | OF_THE_AGENTS
    assert front["name"] == built.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 1 <= len(front["description"]) <= 1024
    assert "Use when" in front["description"]
    assert len(front["compatibility"]) <= 500
    assert body.count("\n") < 500
    assert len(body) / 4 < 5_000, "estimated tokens"


def test_it_keeps_the_limits_of_the_registry(built) -> None:
    files = [path for path in built.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".md"}
    assert len(files) <= 256
    assert max(path.stat().st_size for path in files) <= 1 << 20
    assert sum(path.stat().st_size for path in files) <= 8 << 20
    assert front_and_body(built)[0]["license"] == "MIT-0"


def test_it_asks_for_the_variables_that_the_original_asked_for_and_declares_no_other(built) -> None:
    front, _ = front_and_body(built)
    openclaw = front["metadata"]["openclaw"]
    assert front["user-invocable"] is True
    assert openclaw["requires"]["env"] == REQUIRED
    assert openclaw["primaryEnv"] in REQUIRED
    declared = {each["name"]: each["required"] for each in openclaw["envVars"]}
    assert [name for name, required in declared.items() if required] == REQUIRED
    assert set(declared) <= set(settings.USUAL_NAMES)
    # One line: OpenClaw's second parser reads no other.
    assert json.loads(re.search(r"(?m)^metadata: (.+)$", (built / "SKILL.md").read_text())[1])


def test_every_reference_of_the_copy_resolves_in_the_copy(built) -> None:
    _, body = front_and_body(built)
    named = re.findall(r"\{baseDir\}/([\w./#-]+[\w])", body)
    assert {f"docs/{path.name}" for path in built.glob("docs/0*.md")} <= {
        name.partition("#")[0] for name in named
    }
    for name in named:
        file, _, heading = name.partition("#")
        assert (built / file).is_file(), name
        assert not heading or heading in headings(built / file), name
    for page in built.rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", read(page).prose):
            if not target.startswith("http"):
                file, _, heading = target.partition("#")
                path = page.parent / file if file else page
                assert path.is_file(), f"{page.name}: {target}"
                assert path.resolve().is_relative_to(built.resolve()), target
                assert not heading or heading in headings(path), f"{page.name}: {target}"


def test_nothing_in_it_dials_by_itself(built) -> None:
    """``--yes`` stands in the rule that asks for a person's yes, and in no line that could be copied."""
    _, body = front_and_body(built)
    page = read(built / "SKILL.md")
    assert not [line for _, text in page.blocks for line in text.splitlines() if "--yes" in line]
    assert "Nothing dials without a person's yes" in body
    assert "dry run" in body


def test_its_sections_are_those_an_operator_looks_for(built) -> None:
    titles = headings(built / "SKILL.md")
    wanted = "do-not-change safe-to-tune debugging-checklist restart restore key-files key-facts lessons"
    assert {*wanted.split(), "where-2026-changed-a-fact"} <= titles


def test_building_again_replaces_it_and_nothing_else(tmp_path) -> None:
    folder = build_skill(tmp_path)
    (folder / "docs" / "of-last-year.md").write_text("old")
    build_skill(tmp_path)
    assert not (folder / "docs" / "of-last-year.md").exists()
    (folder / "SKILL.md").write_text("---\nname: somebody-elses\n---\n")
    with pytest.raises(ConfigError, match="contains something other than this skill"):
        build_skill(tmp_path)


def test_links_out_of_the_docs_become_words() -> None:
    text = "[bench](../bench/README.md), [a](b.md#c), [d](#e), [f](https://g)\n```x\n[h](../i)\n```\n"
    made = "bench (`bench/README.md` in llcphone's repository), [a](b.md#c), [d](#e), [f](https://g)\n"
    assert self_contained(text, {"b.md"}) == made + "```x\n[h](../i)\n```\n"


def test_what_is_shown_for_openclaw_json_can_be_pasted() -> None:
    blocks = [json.loads(text) for info, text in read(SKILL_PAGE).blocks if info == "json"]
    entries = [block["skills"]["entries"][NAME] for block in blocks if "entries" in block["skills"]]
    (first, _) = entries
    assert list(first["env"])[:4] == REQUIRED
    assert set(first["env"]) <= VARIABLES
