"""``llcphone config``: the settings in effect."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from cyclopts import Parameter

from llcphone import settings
from llcphone.cli.options import AsJson, ConfigPath
from llcphone.config import SETTINGS


def config(
    word: str = "",
    /,
    *,
    config: ConfigPath = None,
    explain: bool = False,
    changed: bool = False,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings in effect; secrets stay hidden.

    Args:
        word: only settings with this in their name, such as "outbound" or "voice".
        explain: also where each value came from.
        changed: only what is not the default.
        all_: also the advanced settings; without it, only those that are set or that WORD finds.
    """
    named = [row for row in settings.explain(settings.load(config)) if word in row[0]]
    rows = [row for row in named if _is_set(row) or (not changed and (all_ or word or not _is_advanced(row)))]
    if as_json:
        names = ("key", "value", "from")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1))
    for key, value, origin in () if as_json else rows:
        print(f"{key} = {value}" + (f"    # {origin}" if explain else ""))
    if not named:
        fix = "llcphone config shows all of them"
        print(f"llcphone: no setting has {word!r} in its name. Fix: {fix}", file=sys.stderr)
        sys.exit(1)
    if not rows and not as_json:
        print("every setting is at its default")


def _is_set(row: tuple[str, str, str]) -> bool:
    return row[2] != settings.DEFAULT_ORIGIN


def _is_advanced(row: tuple[str, str, str]) -> bool:
    return SETTINGS[row[0]].advanced
