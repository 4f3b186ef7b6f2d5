"""One call of the demo as the server sees it: its notes become facts, lines on the screen, a file.

Notes arrive inside the engine's step, so they are only written down there and drawn later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from llcphone.demo.facts import Entry, Facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llcphone.call.call import Call
    from llcphone.call.run import CallRun
    from llcphone.demo.view import CallView
    from llcphone.engine.note import Note


@attrs.define(eq=False)
class DemoCall:
    """A call, and what it reports."""

    facts: Facts
    elsewhere: list[tuple[float, str, str]] = attrs.field(factory=list)
    """What others than the call said: (moment, who, what); perhaps before the call was born."""
    _run: CallRun | None = None
    _born_ms: int = 0
    _unseen: list[Entry] = attrs.field(factory=list)
    """Notes not drawn yet."""

    def note(self, call: Call, note: Note) -> None:
        """Inside the engine's step: write it down, draw it later."""
        if self._run is None:
            self._run = call.run
            self._born_ms = call.run.status.born_ms
            self.facts.born_s = self._born_ms / 1000
        at_ms = round(trio.current_time() * 1000) - self._born_ms
        entry = Entry(at_ms, "server", note.kind, dict(note.fields), note.words)
        self.facts.timeline.append(entry)
        self._unseen.append(entry)

    def draw(self, view: CallView) -> None:
        """Bring the screen up to now."""
        view.run = self._run
        unseen, self._unseen = self._unseen, []
        for entry in sorted(unseen, key=lambda entry: (entry.at_ms, entry.kind == "floor")):
            view.show(entry)  # of one step, what moved the floor before the floor
        view.refresh(round(trio.current_time() * 1000))

    def write(self, timeline: Path, record: Path) -> None:
        """The timeline and the record; the telephone has written the WAV."""
        others = [Entry(round(self.facts.shared_ms(at_s)), who, what) for at_s, who, what in self.elsewhere]
        entries = sorted([*self.facts.timeline, *others], key=lambda entry: entry.at_ms)
        timeline.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
        if self.facts.record is not None:
            text = msgspec.json.format(msgspec.json.encode(self.facts.record.as_dict()), indent=2)
            record.write_bytes(text + b"\n")


async def draw(view: CallView, shown: Callable[[], DemoCall]) -> None:
    """Keep the screen up to now until cancelled."""
    try:
        while True:
            shown().draw(view)
            await trio.sleep(0.1)
    finally:
        shown().draw(view)
        view.finish()
