"""What MkDocs needs to know of this repository: pages outside of docs/, and the members of the reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
OUTSIDE = {"README.md": "index.md", "bench/README.md": "benchmark.md"}
"""Pages of other folders, and what they are called on the site."""
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of other folders."""
    for path, name in OUTSIDE.items():
        text = (ROOT / path).read_text("utf-8")
        files.append(File.generated(config, name, content=with_site_links(text, (ROOT / path).parent)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Repair links that leave docs/, and put the documented members under each name of the reference."""
    if page.file.src_uri == "reference.md":
        return with_members(markdown)
    if page.file.src_uri in OUTSIDE.values():
        return markdown
    return with_site_links(markdown, ROOT / "docs")


def with_site_links(text: str, folder: Path) -> str:
    """A page of this folder, with its links as the site has them."""

    def link(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve().relative_to(ROOT).as_posix()
        return f"]({OUTSIDE.get(target, target.removeprefix('docs/'))}{found[2]})"

    return _LINK.sub(link, text)


def with_members(markdown: str) -> str:
    """The reference with the whole documentation of each name instead of its summary."""
    lines: list[str] = []
    place = name = ""
    for line in markdown.splitlines():
        if line.startswith("### "):
            name = line.removeprefix("### ")
            lines += [line, "", f"::: {place}.{name}"]
        elif line.startswith("## "):
            place, name = line.removeprefix("## "), ""
            lines.append(line)
        elif not name:
            lines.append(line)
    return "\n".join(lines)
