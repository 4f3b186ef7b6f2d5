"""The demo as a person sees it while a call lasts.

On a terminal the last lines are alive: the words of whoever speaks as far as the ear has heard them, what
happened meanwhile, and who speaks. What is over scrolls away above them as ordinary lines, in the order in
which it began; those are all there is when the output is no terminal. Notes arrive inside the engine's step,
so they are only collected there and drawn here ten times a second.
"""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
from rich.console import Group
from rich.live import Live
from rich.text import Text

from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from llcphone.call.run import CallRun
    from llcphone.demo.facts import Entry
    from llcphone.engine.status import SpokenLine

WIDTH = 80
_WORDS_MS = 3_000
"""How long after their turn the caller's words are waited for, before what came next is shown."""
NARROW = 60
"""Columns below which the columns of time and speaker shrink."""
_STYLES = {
    "caller": "cyan",
    "agent": "green",
    "tool": "yellow",
    "phone": "magenta",
    "barge-in": "bold red",
    "trouble": "bold red",
    "now": "dim",
    "": "dim",
}
_FLOORS = {
    Floor.NOBODY: "nobody is speaking",
    Floor.CALLER: "the caller is speaking",
    Floor.MODEL_THINKING: "the model is thinking",
    Floor.AGENT: "the agent is speaking",
}
_UPDATES = {
    "tools": "the model now gets the rest of its tools",
    "eagerness": "the model now waits longer before it takes its turn",
}
"""What a session update in a quiet moment means."""


def page_width(console: Console) -> int:
    """As wide as the terminal, but never wider than a page."""
    return min(WIDTH, console.width)


@attrs.define(eq=False)
class CallView:
    """The call while it lasts."""

    console: Console
    run: CallRun | None = None
    """The live call's, once it is born: whose words were heard is asked of it."""
    _shown: set[str] = attrs.field(factory=set)
    _tools: dict[str, str] = attrs.field(factory=dict)
    _rows: list[tuple[int, str, str]] = attrs.field(factory=list)
    """What happened while somebody speaks: shown below their words, so the times stay in order."""
    _last_ms: int = 0
    _caller_ms: int | None = None
    """Since when the caller speaks, until their words are known."""
    _caller_done_ms: int | None = None
    _live: Live | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Draw for as long as the block lasts; only a terminal has a live part."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            yield

    def open_with(self, *lines: str) -> None:
        """What this is, before anything else."""
        self.console.print("\n[bold]llcphone demo[/]")
        for line in lines:
            self.console.print(Text(textwrap.fill(line, page_width(self.console) - 1), "dim"))
        self.console.print()

    def next_call(self, title: str) -> None:
        """Whatever comes now is another call's."""
        self.finish()
        self.run = None
        self._last_ms, self._caller_ms, self._caller_done_ms = 0, None, None
        self._shown.clear()
        self._tools.clear()
        self.console.print(f"\n[dim]{title}[/]\n")

    def say(self, text: str, *, at_ms: int | None = None, who: str = "") -> None:
        """One permanent line; with a time, it is put where it belongs."""
        if at_ms is None:
            self.console.print(self._row(None, who, text))
        else:
            self._rows.append((at_ms, who, text))

    def show(self, entry: Entry) -> None:
        """A note of the call, as a line if it is worth one."""
        words, fields = entry.words, entry.fields
        match entry.kind:
            case "stream started":
                self.say("the audio connection is open", at_ms=entry.at_ms)
            case "session ready":
                outbound = self.run is not None and self.run.status.dial is not None
                since = "it was asked for" if outbound else "the call came in"
                self.say(f"the model is ready, {fields['took_ms']} ms after {since}", at_ms=entry.at_ms)
            case "dialling":
                self.say("dialling", at_ms=entry.at_ms, who="phone")
            case "carrier" if fields["status"] != "initiated":  # we have just said so ourselves
                words = "answered" if fields["status"] == "in-progress" else str(fields["status"])
                self.say(words, at_ms=entry.at_ms, who="phone")
            case "answered by":
                self.say(f"answered by: {fields['who']}", at_ms=entry.at_ms, who="phone")
            case "session update":
                what = str(fields["what"])
                self.say(_UPDATES.get(what, f"the model's settings change: {what}"), at_ms=entry.at_ms)
            case "caller said":
                since_ms = entry.at_ms if self._caller_ms is None else self._caller_ms
                self.say(words, at_ms=since_ms, who="caller")
                self._caller_ms = self._caller_done_ms = None
            case "tool":
                self._tools[str(fields["call_id"])] = str(fields["name"])
                self.say(f"{fields['name']} …", at_ms=entry.at_ms, who="tool")
            case "tool done":
                name, how = self._tools.get(str(fields["call_id"]), "?"), "done" if fields["ok"] else "failed"
                self.say(f"{name} {how} in {fields['took_ms']} ms", at_ms=entry.at_ms, who="tool")
            case "barge-in":
                self._cut(str(fields["item"]), words, entry.at_ms)
                heard = f"heard {fields['heard_ms']:,} ms of {fields['generated_ms']:,} ms generated so far"
                self.say(f"the caller interrupts: {heard}", at_ms=entry.at_ms, who="barge-in")
            case "floor":
                self._floor(Floor(fields["floor"]), entry.at_ms)
            case "model error" | "response failed" | "session refused" | "model connect failed":
                self.say(f"{entry.kind}: {fields.get('code', '')}", at_ms=entry.at_ms, who="trouble")

    def refresh(self, now_ms: int) -> None:
        """Finish what is over and redraw what is alive."""
        if self.run is None:
            return
        self._finish_lines()
        alive = self._alive()
        now = self.run.status
        since_ms, floor = now_ms - now.born_ms, now.floor
        if self._caller_done_ms is not None and since_ms > self._caller_done_ms + _WORDS_MS:
            self._caller_ms = self._caller_done_ms = None
        waiting = [line.at_ms for line in alive]
        waiting += [] if self._caller_ms is None else [self._caller_ms]
        self._print_rows(min(waiting, default=None))
        if self._live is None:
            return
        if now.ended is not None:
            self._live.update(Text(""), refresh=True)
            return
        rows = [self._row(line.at_ms, "agent", line.heard, alive=True) for line in alive]
        rows += [self._row(*row) for row in self._rows]
        style = {Floor.CALLER: "cyan", Floor.AGENT: "green"}.get(floor, "dim")
        status = self._row(since_ms, "now", "").append("● ", style).append(_FLOORS[floor], style)
        self._live.update(Group(*rows, Text(), status), refresh=True)

    def finish(self) -> None:
        """The call is over: whatever was heard of the last line is its end."""
        if self.run is not None:
            for line in self.run.lines():
                self._finish(line, line.heard)
        self._print_rows(None)

    def _floor(self, floor: Floor, at_ms: int) -> None:
        """Somebody else speaks now."""
        if floor is Floor.CALLER and self._caller_ms is None:
            self._caller_ms = at_ms
        elif floor is not Floor.CALLER and self._caller_ms is not None and self._caller_done_ms is None:
            self._caller_done_ms = at_ms
        if not self.console.is_terminal:
            self.say(_FLOORS[floor], at_ms=at_ms, who="now")

    # -- the agent's lines ------------------------------------------------------------------

    def _alive(self) -> list[SpokenLine]:
        """Lines of the agent that are being heard."""
        assert self.run is not None
        return [line for line in self.run.lines() if line.sounds and line.item_id not in self._shown]

    def _finish_lines(self) -> None:
        """Show the agent's lines of which the last word was heard."""
        for line in self._alive():
            if line.heard_whole:
                self._finish(line, line.text)

    def _finish(self, line: SpokenLine, words: str) -> None:
        if line.item_id not in self._shown and line.speaker is Speaker.AGENT and words:
            self._shown.add(line.item_id)
            self.say(words, at_ms=line.at_ms, who="agent")

    def _cut(self, item_id: str, words: str, at_ms: int) -> None:
        """What was heard of a line that the caller has cut short."""
        self._shown.add(item_id)
        lines = () if self.run is None else self.run.lines()
        at_ms = next((line.at_ms for line in lines if line.item_id == item_id), at_ms)
        self.say(f"{words} —", at_ms=at_ms, who="agent")

    # -- rows -------------------------------------------------------------------------------

    def _print_rows(self, until_ms: int | None) -> None:
        """Print what began before a moment (None: all of it), earliest first."""
        self._rows.sort(key=lambda row: (row[0] // 10, row[1] != "now"))
        due = [row for row in self._rows if until_ms is None or row[0] // 10 <= until_ms // 10]
        del self._rows[: len(due)]
        for at_ms, who, words in due:
            self._last_ms = max(self._last_ms, at_ms)
            self.console.print(self._row(self._last_ms, who, words))

    def _row(self, at_ms: int | None, who: str, words: str, *, alive: bool = False) -> Text:
        """A line with hanging indent: seconds since the call's birth, who, what."""
        when, width = "" if at_ms is None else f"{at_ms / 1000:.2f}", page_width(self.console)
        lead = 5 if width < NARROW else 7
        indent = lead + 11
        first, *more = textwrap.wrap(words, max(10, width - indent - 1)) or [""]
        row = Text.assemble((f"{when:>{lead}} ", "dim"), (f"{who:<10}", _STYLES[who]))
        quiet = "dim" if who in ("", "now") else ""
        row.append("\n".join([first, *(" " * indent + each for each in more)]), quiet)
        return row.append("▌", _STYLES[who]) if alive else row
