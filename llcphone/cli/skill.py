"""``llcphone skill``: the skill for OpenClaw, Claude Code and others that read the Agent Skills format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts

from llcphone.cli.skill_folder import build_skill

if TYPE_CHECKING:
    from collections.abc import Callable

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
