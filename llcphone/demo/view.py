"""The demo as a person sees it: the calls live, then where its time went, then the verdict.

On a terminal the last two lines are alive: the words of whoever speaks as far as the ear has heard them, and
who has the floor. What is over scrolls away above them as ordinary lines; those are all there is when the
output is no terminal. Notes arrive inside the engine's step, so they are only collected there and drawn here
ten times a second.
"""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
from rich.console import Group
from rich.live import Live
from rich.text import Text

from llcphone.audio import BYTES_PER_MS
from llcphone.demo.waterfall import Share, own_share_ms
from llcphone.engine.floor import Floor
from llcphone.engine.history import Line, Speaker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from llcphone.demo.facts import Entry
    from llcphone.demo.report import Check
    from llcphone.demo.waterfall import Answer
    from llcphone.engine.call import CallEngine

WIDTH = 80
INDENT = 18
_STYLES = {
    "caller": "cyan",
    "agent": "green",
    "tool": "yellow",
    "line": "magenta",
    "barge-in": "bold red",
    "trouble": "bold red",
    "floor": "dim",
    "": "dim",
}
_SHARES = {
    Share.DETECTION: ("░", "cyan"),
    Share.MODEL: ("▒", "magenta"),
    Share.TOOL: ("▓", "yellow"),
    Share.LINE: ("·", "dim"),
    Share.OURS: ("█", "green"),
}
_FLOORS = {
    Floor.NOBODY: "nobody",
    Floor.CALLER: "the caller",
    Floor.MODEL_THINKING: "the model, thinking",
    Floor.AGENT: "the agent",
}


@attrs.define(eq=False)
class CallView:
    """The call while it lasts."""

    console: Console
    engine: CallEngine | None = None
    """The live call's, once it is born: whose words were heard is asked of it."""
    _shown: set[str] = attrs.field(factory=set)
    _tools: dict[str, str] = attrs.field(factory=dict)
    _live: Live | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Draw for as long as the block lasts; only a terminal has a live part."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            yield

    def open_with(self, title: str) -> None:
        """The first line."""
        self.console.print(f"\n[bold]llcphone demo[/]   [dim]{title}[/]\n")

    def next_call(self, title: str) -> None:
        """Whatever comes now is another call's."""
        self.finish()
        self.engine = None
        self._shown.clear()
        self._tools.clear()
        self.console.print(f"\n[dim]{title}[/]\n")

    def say(self, text: str, *, at_ms: int | None = None, who: str = "") -> None:
        """One permanent line."""
        self.console.print(_row(at_ms, who, text))

    def show(self, entry: Entry) -> None:
        """A note of the call, as a line if it is worth one."""
        words, fields = entry.words, entry.fields
        if entry.kind != "barge-in":
            self._finish_lines(entry.at_ms)
        match entry.kind:
            case "stream started":
                self.say("media stream started", at_ms=entry.at_ms)
            case "session ready":
                outbound = self.engine is not None and self.engine.outbound is not None
                since = "it was asked for" if outbound else "the webhook"
                self.say(f"model session ready, {fields['took_ms']} ms after {since}", at_ms=entry.at_ms)
            case "dialling":
                self.say("dialling", at_ms=entry.at_ms, who="line")
            case "carrier" if fields["status"] != "initiated":  # we have just said so ourselves
                words = "answered" if fields["status"] == "in-progress" else str(fields["status"])
                self.say(words, at_ms=entry.at_ms, who="line")
            case "answered by":
                self.say(f"machine detection says: {fields['who']}", at_ms=entry.at_ms, who="line")
            case "session update":
                self.say(f"session update in a quiet moment: {fields['what']}", at_ms=entry.at_ms)
            case "caller said":
                self.say(words, at_ms=entry.at_ms, who="caller")
            case "tool":
                self._tools[str(fields["call_id"])] = str(fields["name"])
                self.say(f"{fields['name']} …", at_ms=entry.at_ms, who="tool")
            case "tool done":
                name, how = self._tools.get(str(fields["call_id"]), "?"), "done" if fields["ok"] else "failed"
                self.say(f"{name} {how} in {fields['took_ms']} ms", at_ms=entry.at_ms, who="tool")
            case "barge-in":
                self._shown.add(str(fields["item"]))
                self.say(f"{words} —", at_ms=entry.at_ms, who="agent")
                heard = f"heard {fields['heard_ms']:,} ms of {fields['generated_ms']:,} ms generated so far"
                self.say(heard, at_ms=entry.at_ms, who="barge-in")
            case "floor" if not self.console.is_terminal:
                self.say(_FLOORS[Floor(fields["floor"])], at_ms=entry.at_ms, who="floor")
            case "model error" | "response failed" | "session refused" | "model connect failed":
                self.say(f"{entry.kind}: {fields.get('code', '')}", at_ms=entry.at_ms, who="trouble")

    def refresh(self, now_ms: int) -> None:
        """Finish what is over and redraw what is alive."""
        if self.engine is None:
            return
        talk, since_ms = self.engine.talk, now_ms - self.engine.born_ms
        self._finish_lines(since_ms)
        if self._live is None:
            return
        if self.engine.ended is not None:
            self._live.update(Text(""), refresh=True)
            return
        alive = [
            _row(line.at_ms - self.engine.born_ms, "agent", self._heard_words(line, now_ms), alive=True)
            for line in talk.history.lines()
            if line.item_id not in self._shown and talk.playout.item(line.item_id) is not None
        ]
        style = {Floor.CALLER: "cyan", Floor.AGENT: "green"}.get(talk.floor, "dim")
        floor = _row(since_ms, "floor", "").append("● ", style).append(_FLOORS[talk.floor], style)
        self._live.update(Group(*alive, Text(), floor), refresh=True)

    def finish(self) -> None:
        """The call is over: whatever was heard of the last line is its end."""
        if self.engine is not None:
            for line in self.engine.talk.history.lines():
                self._finish(line, line.heard_text(), None)

    def _finish_lines(self, at_ms: int) -> None:
        """Show the agent's lines of which the last word was heard."""
        if self.engine is None:
            return
        for line in self.engine.talk.history.lines():
            audio = self.engine.talk.playout.item(line.item_id)
            if audio is not None and audio.done and audio.heard >= audio.generated:
                self._finish(line, line.text, at_ms)

    def _finish(self, line: Line, words: str, at_ms: int | None) -> None:
        if line.item_id not in self._shown and line.speaker is Speaker.AGENT and words:
            self._shown.add(line.item_id)
            self.say(words, at_ms=at_ms, who="agent")

    def _heard_words(self, line: Line, now_ms: int) -> str:
        """What of a line has reached the ear by now."""
        assert self.engine is not None
        playout = self.engine.talk.playout
        audio = playout.item(line.item_id)
        if audio is None:
            return ""
        generated_ms, heard_ms = audio.generated // BYTES_PER_MS, playout.heard_ms(line.item_id, now_ms)
        return attrs.evolve(line, generated_ms=generated_ms, heard_ms=heard_ms).heard_text()


def _row(at_ms: int | None, who: str, words: str, *, alive: bool = False) -> Text:
    """A line with hanging indent: seconds since the call's birth, who, what."""
    when = "" if at_ms is None else f"{at_ms / 1000:.2f}"
    first, *more = textwrap.wrap(words, WIDTH - INDENT) or [""]
    row = Text.assemble((f"{when:>7} ", "dim"), (f"{who:<9} ", _STYLES[who]))
    quiet = "dim" if who in ("", "floor") else ""
    row.append("\n".join([first, *(" " * INDENT + each for each in more)]), quiet)
    return row.append("▌", _STYLES[who]) if alive else row


# -- afterwards -------------------------------------------------------------------------------------------


def show_waterfall(console: Console, answers: list[Answer]) -> None:
    """A bar for each answer, and its steps in ms."""
    if not answers:
        return
    console.print("\n[bold]From the caller's last sound to the agent's first[/]")
    legend = Text("  ")
    for share, (glyph, style) in _SHARES.items():
        if share is not Share.LINE:
            legend.append(f"{glyph}{glyph} {share.value}   ", style)
    console.print(legend)
    longest = max(answer.total_ms for answer in answers) or 1
    for number, answer in enumerate(answers, 1):
        unheard = "" if answer.heard else "  (not heard)"
        console.print(f"\n  {number}  {answer.title}{unheard}")
        console.print(_bar(answer, longest).append(f" {answer.total_ms:,} ms", "bold"))
        steps = " · ".join(f"{stretch.name} {stretch.ms:,}" for stretch in answer.stretches)
        console.print(Text(textwrap.indent(textwrap.fill(steps, WIDTH - 6), "     "), "dim"))
    if own := own_share_ms(answers):
        worst = f"at most {max(own)} ms" if max(own) else "under 1 ms"
        console.print(f"\n  llcphone's own part, from the model's first audio to the ear: [green]{worst}[/].")


def _bar(answer: Answer, longest_ms: int) -> Text:
    bar = Text("     ")
    at_ms = drawn = 0
    for stretch in answer.stretches:  # ends are rounded, not widths, so that rounding never adds up
        at_ms += stretch.ms
        end = round(at_ms / longest_ms * (WIDTH - 16))
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
        console.print(mark.append(check.name, "default" if check.ok else "bold red"))
        console.print(Text(textwrap.indent(textwrap.fill(check.evidence, WIDTH - 5), "    "), "dim"))


def show_verdict(console: Console, checks: list[Check]) -> None:
    """All checks in one line."""
    good = sum(check.ok for check in checks)
    if good == len(checks):
        console.print(f"\n  [bold green]It went as it should: {good} of {good} checks hold.[/]")
    else:
        console.print(f"\n  [bold red]{len(checks) - good} of {len(checks)} checks do not hold.[/]")


def show_files(console: Console, files: dict[Path, str]) -> None:
    """Where everything was written."""
    console.print()
    for path, what in files.items():
        console.print(Text.assemble("  ", str(path), (f"  {what}", "dim")), soft_wrap=True)
