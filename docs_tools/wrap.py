"""Wraps the prose of a hand-written page at 100 columns; tables, headings and code stay as they are."""

from __future__ import annotations

import re
import textwrap

WIDTH = 100
_ITEM = re.compile(r"(\s*)(?:[-*]|\d+\.)\s+")
_WHOLE = re.compile(r"`[^`]*`(?: \([^)]{1,20}\))?|\[[^\]]*\]\([^)]*\)")
"""What no line break may part: code with a default behind it, a link."""


def wrapped(page: str) -> str:
    """The page with each paragraph and list item filled anew."""
    head, mark, body = _front_matter(page)
    lines: list[str] = []
    block: list[str] = []
    fenced = indented = False

    def close_block() -> None:
        if block:
            lines.extend(_fill(block))
            block.clear()

    for line in body.split("\n"):
        opens_indented = not block and (not lines or not lines[-1])
        if line.startswith("```"):
            close_block()
            fenced = not fenced
            lines.append(line)
        elif fenced:
            lines.append(line)
        elif line.startswith("    ") and (indented or opens_indented):
            indented = True
            lines.append(line)
        elif not line.strip() or line.startswith(("#", "|", "<", "---")):
            close_block()
            indented = indented and not line.strip()
            lines.append(line)
        else:
            indented = False
            if _ITEM.match(line):
                close_block()
            block.append(line)
    close_block()
    return head + mark + "\n".join(lines)


def _front_matter(page: str) -> tuple[str, str, str]:
    if page.startswith("---\n"):
        return page.partition("\n---\n")
    return "", "", page


def _fill(block: list[str]) -> list[str]:
    found = _ITEM.match(block[0]) or re.match(r"\s*", block[0])
    lead = found[0] if found else ""
    text = " ".join(line.strip() for line in [block[0][len(lead) :], *block[1:]])
    text = _WHOLE.sub(lambda part: part[0].replace(" ", "\0"), text)
    filled = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in filled]
