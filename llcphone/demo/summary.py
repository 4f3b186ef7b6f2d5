"""What the demo shows when its calls are over: where the time went, the verdict, the files."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from llcphone.demo.view import page_width
from llcphone.demo.waterfall import Share, own_share_ms

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from llcphone.demo.verdict import Check
    from llcphone.demo.waterfall import Answer

_SHARES = {
    Share.DETECTION: ("░", "cyan"),
    Share.MODEL: ("▒", "magenta"),
    Share.TOOL: ("▓", "yellow"),
    Share.LINE: ("·", "dim"),
    Share.OURS: ("█", "green"),
}


def show_waterfall(console: Console, answers: list[Answer]) -> None:
    """A bar for each answer, and its steps in ms."""
    if not answers:
        return
    console.print("\n[bold]From the caller's last sound to the agent's first[/]")
    legend = Text("  ")
    for share, (glyph, style) in _SHARES.items():
        if share is not Share.LINE:
            name = share.value.replace(" ", "\N{NO-BREAK SPACE}")
            legend.append(f"{glyph}{glyph}\N{NO-BREAK SPACE}{name}   ", style)
    console.print(legend)
    longest = max(answer.total_ms for answer in answers) or 1
    for number, answer in enumerate(answers, 1):
        unheard = "" if answer.heard else "  (not heard)"
        console.print(f"\n  {number}  {answer.title}{unheard}")
        bar = _bar(answer, longest, page_width(console) - 16)
        console.print(bar.append(f" {answer.total_ms:,} ms", "bold"))
        steps = " · ".join(f"{stretch.name}\N{NO-BREAK SPACE}{stretch.ms:,}" for stretch in answer.stretches)
        console.print(_indented(console, steps, 5))
    if own := own_share_ms(answers):
        worst = f"at most {max(own)} ms" if max(own) else "under 1 ms"
        console.print(f"\n  llcphone's own part, from the model's first audio to the ear: [green]{worst}[/].")


def _indented(console: Console, text: str, by: int) -> Text:
    return Text(textwrap.indent(textwrap.fill(text, page_width(console) - by - 1), " " * by), "dim")


def _bar(answer: Answer, longest_ms: int, width: int) -> Text:
    bar = Text("     ")
    at_ms = drawn = 0
    for stretch in answer.stretches:  # ends are rounded, not widths, so that rounding never adds up
        at_ms += stretch.ms
        end = round(at_ms / longest_ms * width)
        if stretch.share is Share.OURS and stretch.ms and end == drawn:
            end += 1  # what we add is never drawn as nothing
        glyph, style = _SHARES[stretch.share]
        bar.append(glyph * (end - drawn), style)
        drawn = max(drawn, end)
    return bar


def show_checks(console: Console, title: str, checks: list[Check]) -> None:
    """What a call had to do, and whether it did."""
    console.print(f"\n[bold]{title}[/]\n")
    for check in checks:
        mark = Text("  ✓ ", "bold green") if check.ok else Text("  ✗ ", "bold red")
        name = textwrap.fill(check.name, page_width(console) - 5).replace("\n", "\n    ")
        console.print(mark.append(name, "default" if check.ok else "bold red"))
        console.print(_indented(console, check.evidence, 4))


def show_verdict(console: Console, checks: list[Check]) -> None:
    """All checks in one line."""
    good = sum(check.ok for check in checks)
    if good == len(checks):
        console.print(f"\n  [bold green]All {good} checks passed.[/]")
    else:
        console.print(f"\n  [bold red]{len(checks) - good} of {len(checks)} checks failed.[/]")


def show_files(console: Console, files: dict[Path, str]) -> None:
    """Where everything was written."""
    console.print()
    for path, what in files.items():
        console.print(Text.assemble("  ", str(path), (f"  {what}", "dim")), soft_wrap=True)
