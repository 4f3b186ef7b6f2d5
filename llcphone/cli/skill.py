"""``llcphone skill``: the agent skill for OpenClaw, Claude Code and others that read the Agent Skills format.

The skill is one folder that needs nothing else: ``SKILL.md`` with the docs beside it. Agents read the pages
that it names at ``{baseDir}/docs``. Links out of the docs (to the README, to the bench) would lead nowhere
in such a folder: there the words stay, and say where in the repository the rest is.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts

import llcphone
from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "llc-phone"
_PACKAGE = Path(llcphone.__file__).parent
_LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")


app = cyclopts.App(name="skill", help="The skill for OpenClaw and Claude Code.", backend="trio")
tell: Callable[[str], None] = print


@app.command
def build(folder: Path, /) -> None:
    """Write the skill, with the docs it names, as FOLDER/llc-phone.

    Args:
        folder: where; for Claude Code ~/.claude/skills, for OpenClaw ~/.openclaw/skills.
    """
    path = build_skill(folder)
    pages = len(list((path / "docs").iterdir()))
    tell(f"{path}: SKILL.md and {pages} pages; start a new session of your agent to use it")


def source_of(name: str) -> Path:
    """The folder ``docs`` or ``skill``: package data, or the one of the checkout."""
    data = _PACKAGE / f"_{name}"
    return data if data.is_dir() else _PACKAGE.parent / name


def build_skill(target: Path) -> Path:
    """Write the skill as ``target/llc-phone``; the path of its folder.

    A folder of that name is replaced if it is this skill, as it may have pages that are no more.

    Raises:
        ConfigError: the folder holds something else.
    """
    folder, docs = target / NAME, source_of("docs")
    if folder.exists():
        if not (folder / "SKILL.md").is_file() or not is_ours(folder / "SKILL.md"):
            raise ConfigError(
                str(folder),
                "contains something other than this skill",
                "name another folder, or move it away",
            )
        shutil.rmtree(folder)
    (folder / "docs").mkdir(parents=True)
    shutil.copyfile(source_of("skill") / NAME / "SKILL.md", folder / "SKILL.md")
    pages = {path.name for path in docs.glob("*.md")}
    for name in sorted(pages):
        text = (docs / name).read_text("utf-8")
        (folder / "docs" / name).write_text(self_contained(text, pages), "utf-8")
    return folder


def is_ours(path: Path) -> bool:
    return re.search(rf"(?m)^name: {NAME}$", path.read_text("utf-8")) is not None


def self_contained(text: str, pages: set[str]) -> str:
    """A page whose links lead to other pages or to the web; code blocks stay as they are."""
    parts = re.split(r"(?ms)(^```.*?^```$)", text)
    return "".join(part if part.startswith("```") else _relinked(part, pages) for part in parts)


def _relinked(prose: str, pages: set[str]) -> str:
    def relink(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        file = target.partition("#")[0]
        if not file or file in pages or target.startswith(("https://", "http://")):
            return match[0]
        return f"{words} (`{file.removeprefix('../')}` in llcphone's repository)"

    return _LINK.sub(relink, prose)
