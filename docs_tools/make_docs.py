"""Writes the documentation pages that are made from the code: ``python -m docs_tools.make_docs``.

``./dev docs`` runs this and builds the site. tests/test_docs.py fails while a page differs from its code.
"""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import llcphone
from docs_tools.wrap import wrapped
from llcphone.config import SECTIONS, SETTINGS, toml_value
from llcphone.settings import ORIGINAL_DESTINATIONS, ORIGINAL_NAMES, USUAL_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parent.parent / "docs"
CONFIGURATION = DOCS / "configuration.md"
ADVANCED = DOCS / "configuration-advanced.md"
SKILL_PAGE = DOCS / "09-openclaw-config.md"
REFERENCE = DOCS / "reference.md"
REQUIRED = ["OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"]
"""What the skill asks for, as that of llc-phone 3 did."""


def configuration_page() -> str:
    """docs/configuration.md: the settings that most deployments need, made of their declarations."""
    lines = [CONFIGURATION_HEAD, *_tables(advanced=False), "", "## Variables", "", VARIABLES_HEAD]
    lines += [f"| `{variable}` | `{key}` |" for variable, key in (USUAL_NAMES | ORIGINAL_NAMES).items()]
    destinations = ORIGINAL_DESTINATIONS.items()
    lines += [f"| `{variable}` | `transfers.destinations`, as `{name}` |" for variable, name in destinations]
    return "\n".join(lines) + "\n"


def advanced_page() -> str:
    """docs/configuration-advanced.md: all other settings."""
    return "\n".join([ADVANCED_HEAD, *_tables(advanced=True)]) + "\n"


def _tables(*, advanced: bool) -> Iterator[str]:
    """A table for each section that has settings of this tier."""
    for name, section in SECTIONS.items():
        settings = [each for each in SETTINGS.values() if each.section == name and each.advanced is advanced]
        if not settings:
            continue
        about = (inspect.getdoc(section) or "").partition(": ")[2]
        yield from ("", f"## [{name}]", "", about[0].upper() + about[1:], "")
        yield from ("| setting | default | allowed | meaning |", "|---|---|---|---|")
        texts = told_of(section)
        for setting in settings:
            kind = " *Secret.*" if setting.secret else " *Of one deployment.*" if setting.private else ""
            cells = [f"`{setting.key}`", f"`{toml_value(setting.default)}`", setting.wants()]
            yield f"| {' | '.join([*cells, texts[setting.name] + kind])} |".replace("<", "&lt;")


CONFIGURATION_HEAD = """# Configuration

For everybody who changes a setting.

This page lists the settings that most deployments need. The others are on
[advanced settings](configuration-advanced.md). `./dev docs` makes both pages from the code; a test compares.

- `llcphone config --explain` shows the settings in effect and where each value came from; `--all` adds the
  advanced ones.
- llcphone reads four sources. A later one wins: the default, `llcphone.toml` (or `--config`), the `.env`
  beside it, the environment.
- Each setting also has a variable, `LLCPHONE_<SECTION>__<KEY>`. An unknown variable with this prefix is an
  error.
- `""` unsets a setting that may be unset.
- In a variable, write a list with commas and without brackets
  (`LLCPHONE_OUTBOUND__ALLOW_PREFIXES=+1202,+44`), and a table as JSON.
- A *secret* is never shown, logged or put into a snapshot. A setting *of one deployment* is not put into
  snapshots."""

VARIABLES_HEAD = """These variables are read too. Within one source `LLCPHONE_…` wins, then the usual
names, then the names of llc-phone 3.

| variable | setting |
|---|---|"""

ADVANCED_HEAD = """# Advanced settings

For engineers who tune a deployment that [the usual settings](configuration.md) do not fit.

Few deployments change a setting of this page. `llcphone config --explain --all` shows their values."""


def told_of(section: type) -> dict[str, str]:
    """What stands under each setting of a section."""
    (parsed,) = ast.parse(dedent(inspect.getsource(section))).body
    assert isinstance(parsed, ast.ClassDef)
    told: dict[str, str] = {}
    for each, below in pairwise(parsed.body):
        match each, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                told[name] = " ".join(text.split())
    return told


def plain_default(key: str) -> str:
    """A default as a sentence has it, save for the commas in long numbers: 10 s, on, greet, not set."""
    match SETTINGS[key].default:
        case None | "" | ():
            return "not set"
        case bool(on):
            return "on" if on else "off"
        case int() | float() as number:
            unit = {"ms": " ms", "s": " s"}.get(key.rpartition("_")[2], "")
            return str(number).removesuffix(".0") + unit
        case other:
            return str(other)


def skill_page() -> str:
    """docs/09-openclaw-config.md with every name that is read, its setting and default."""
    names = [each for each in (USUAL_NAMES | ORIGINAL_NAMES).items() if each[0] not in REQUIRED]
    rows = [f"| `{variable}` | `{key}` | {plain_default(key)} |" for variable, key in names]
    destinations = ORIGINAL_DESTINATIONS.items()
    rows += [f"| `{each}` | `transfers.destinations`, as `{name}` | not set |" for each, name in destinations]
    above, below = r"(\| `TWILIO_PHONE_NUMBER` \|[^\n]*\n)", r"(?:\|[^\n]*\n)*"
    text = SKILL_PAGE.read_text("utf-8")
    return re.sub(above + below, lambda found: found[1] + "\n".join(rows) + "\n", text)


REFERENCE_HEAD = """# Reference

For engineers who write a program with llcphone: every public name.

The site that `./dev docs` builds has each name's documentation here, made from its docstring. Everything that
is not named here may change without notice.
"""


def reference_page() -> str:
    """docs/reference.md: the public names and where to import them from."""
    parts = [REFERENCE_HEAD]
    for place, names in PUBLIC.items():
        parts.append(f"## {place}\n")
        parts += [f"### {name}\n\n`from {place} import {name}`\n" for name in names]
    return "\n".join(parts)


PUBLIC: dict[str, list[str]] = {
    "llcphone": sorted(name for name in dir(llcphone) if name in llcphone._HOMES),
    "llcphone.server": ["serve", "serve_until_signal", "make_app"],
    "llcphone.testing": ["rehearse", "Rehearsal", "open_stage", "Stage", "rehearsal_config"],
    "llcphone.telemetry.metrics": ["open_metrics"],
    "llcphone.telemetry.tracing": ["trace_calls"],
    "llcphone.twilio.signature": ["valid_webhook", "valid_upgrade"],
}
"""The modules that users import from, and their names."""


MADE_PAGES: dict[Path, Callable[[], str]] = {
    CONFIGURATION: configuration_page,
    ADVANCED: advanced_page,
    SKILL_PAGE: skill_page,
    REFERENCE: reference_page,
}
"""Each page and what writes it."""


ROOT = DOCS.parent
WRAPPED = [
    ROOT / "README.md",
    ROOT / "bench" / "README.md",
    ROOT / "skill" / "llc-phone" / "SKILL.md",
    *sorted({*DOCS.glob("*.md")} - {*MADE_PAGES, DOCS / "changelog.md"}),
    SKILL_PAGE,
]
"""Pages that people write: their prose is wrapped at 100 columns."""


def main() -> None:
    for path, page in MADE_PAGES.items():
        path.write_text(page(), "utf-8")
    for path in WRAPPED:
        path.write_text(wrapped(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
