"""``llcphone config``: the settings in effect."""

from __future__ import annotations

import json

from llcphone import settings
from llcphone.cli.options import AsJson, ConfigPath


def config(
    word: str = "",
    /,
    *,
    config: ConfigPath = None,
    explain: bool = False,
    changed: bool = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings in effect; secrets stay hidden.

    Args:
        word: only settings with this in their name, such as "outbound" or "voice".
        explain: also where each value came from.
        changed: only what is not the default.
    """
    found = settings.explain(settings.load(config))
    rows = [row for row in found if word in row[0] and (not changed or row[2] != settings.DEFAULT_ORIGIN)]
    if as_json:
        names = ("key", "value", "from")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1))
        return
    for key, value, origin in rows:
        print(f"{key} = {value}" + (f"    # {origin}" if explain else ""))
    if not rows:
        print("every setting is at its default" if changed and not word else f"no such setting: {word}")
