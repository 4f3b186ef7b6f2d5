"""Nothing cites what a reader of this repository cannot open."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXTS = {".py", ".md", ".toml", ".tsv", ".sh", ".json", ".yaml", ".yml", ""}
FOLDERS = ["bench", "docs", "examples", "llcphone", "skill", "snapshots", "tests"]
VENDOR_FACTS = "docs/vendor-facts.md"
LOCKED = re.compile(
    r"""
    \bfacts/[\w-]+\.(?:md|json) | \bfacts[ ]§        # pages that are not in the repository
    | \bfixtures?(?:/openai|/twilio|[),][ ]?\w*[)]) | \(fixtures?\b
    | \bspec(?:'s)?[ ]§ | \bthe[ ]spec's\b
    | \b(?:trio-stack|reliability-ux|peers|style|layout|english|spec|SOURCES)\.md\b
    | (?<!docs/)\barchitecture\.md[ ](?:§|section)
    | \bjudges'                                       # measurements of somebody else
    | (?<!RFC[ ]\d{4}[ ])§\d                          # a section of what?
    | \.\./shared\b
    """,
    re.VERBOSE,
)


def texts() -> list[Path]:
    found = [path for path in ROOT.iterdir() if path.is_file() and path.name != "uv.lock"]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in found if path.suffix in TEXTS and "__pycache__" not in path.parts]


def locked_citations(text: str) -> list[str]:
    lines = text.splitlines()
    return [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if LOCKED.search(line)]


def test_nothing_cites_what_a_reader_cannot_open() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in texts()
        if path != Path(__file__)
        for line in locked_citations(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "as in facts/twilio.md",
        "the schedule of spec §5",
        "about 0.6 s (fixtures)",
        "see architecture.md section 3",
        "the judges' harness",
        "given up (§5.4)",
        "reliability-ux.md G",
    ],
)
def test_a_locked_citation_is_found(planted: str) -> None:
    assert locked_citations(planted)


@pytest.mark.parametrize("allowed", ["RFC 6455 §5.5", "docs/architecture.md draws the layers", VENDOR_FACTS])
def test_what_can_be_opened_may_be_cited(allowed: str) -> None:
    assert not locked_citations(allowed)


def test_a_heading_of_the_vendor_facts_that_is_cited_exists() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / VENDOR_FACTS).read_text(encoding="utf-8"), re.MULTILINE)
    cited = re.compile(rf"{VENDOR_FACTS}(?:, |\s+\()([A-Z][\w -]+(?:\s+[\w-]+)*?)(?=[,.):])")
    for path in texts():
        if path.suffix == ".py" and path != Path(__file__):
            plain = re.sub(r"\s+(?:#\s+)?", " ", path.read_text(encoding="utf-8"))
            for heading in cited.findall(plain):
                assert heading in headings, f"{path.relative_to(ROOT)} cites {VENDOR_FACTS}, {heading}"
