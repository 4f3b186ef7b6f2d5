"""The figures as tables, with ratios to the naive bridge of the same run, and against the marks."""

from __future__ import annotations

import json
import platform
import time
from typing import TYPE_CHECKING

import attrs
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measure import Figures

NAIVE = "naive-trio"
NOISY = 0.1
_LATENCIES = ("forward_p50_ms", "forward_p99_ms", "back_p50_ms", "back_p99_ms")
_HEADS = {
    "bridge": "bridge",
    "calls": "calls",
    "forward_p50_ms": "out p50",
    "forward_p99_ms": "out p99",
    "back_p50_ms": "back p50",
    "back_p99_ms": "back p99",
    "lost": "lost",
    "failed": "failed",
    "cpu_s_per_call_min": "CPU-s/call-min",
    "frame_us": "µs/frame",
    "kb_per_call": "KB/call",
    "first_audio_ms": "from start",
    "answered_audio_ms": "from dial",
    "foreign": "foreign",
    "generator": "generator",
}
_TABLES = {
    "lat": ("Few calls, 20 ms deltas in real time: added latency, one way, ms", _LATENCIES),
    "load": (
        "Many calls, bursty answers, everybody speaking: added latency in ms, and cost",
        (*_LATENCIES, "lost", "failed", "cpu_s_per_call_min", "frame_us", "kb_per_call", "generator"),
    ),
    "first": (
        "First audio of a greeting, ms; Twilio dials the stream at once",
        ("first_audio_ms", "answered_audio_ms"),
    ),
    "rung": (
        "The same, dialled 1.5 s after the webhook: was the greeting ready?",
        ("first_audio_ms", "answered_audio_ms"),
    ),
}
_WITH_RATIO = {"forward_p99_ms", "back_p99_ms", "cpu_s_per_call_min", "answered_audio_ms"}


class Report:
    """Collects figures, prints each as it comes, and all of them in the end."""

    def __init__(self) -> None:
        self.rows: list[Figures] = []
        console = Console()
        self._console = console if console.is_terminal else Console(width=150)

    def add(self, row: Figures) -> None:
        """One more row; a line is shown at once, for a run takes minutes."""
        self.rows.append(row)
        _, columns = _TABLES[row.test]
        cells = (f"{_HEADS[name]} {self._cell(row, name)}" for name in (*columns, "foreign"))
        self._console.print(f"{row.bridge}, {row.test}, {row.calls} calls: " + ", ".join(cells), style="dim")

    def show(self) -> None:
        for test, (title, columns) in _TABLES.items():
            rows = sorted((row for row in self.rows if row.test == test), key=lambda row: row.calls)
            if rows:
                self._table(title, ("bridge", "calls", *columns, "foreign"), rows)
        self._console.print("×: ratio to the naive bridge at the same number of calls in this run")
        self._console.print("yellow: others used over a tenth of the bridge's CPU; trust no latency there")
        self._show_marks()

    def write(self, path: Path) -> None:
        about = {"at": time.strftime("%F %T"), "python": platform.python_version()}
        about["machine"] = platform.platform()
        path.write_text(json.dumps({**about, "rows": [attrs.asdict(row) for row in self.rows]}, indent=1))

    def find(self, bridge: str, test: str, calls: int | None = None) -> Figures | None:
        """The row of a bridge's test; of the largest load if ``calls`` is None."""
        rows = [row for row in self.rows if row.bridge == bridge and row.test == test]
        rows = [row for row in rows if calls is None or row.calls == calls]
        return max(rows, key=lambda row: row.calls, default=None)

    def _table(self, title: str, columns: Sequence[str], rows: list[Figures]) -> None:
        table = Table(*(_HEADS[name] for name in columns), title=title)
        calls = rows[0].calls
        for row in rows:
            if row.calls != calls:
                table.add_section()
                calls = row.calls
            cells = [self._cell(row, name) for name in columns]
            table.add_row(*cells, style="yellow" if row.foreign > NOISY else None)
        self._console.print(table)

    def _cell(self, row: Figures, name: str) -> str:
        value = getattr(row, name)
        if value is None:
            return "-"
        if not isinstance(value, float):
            return str(value)
        text = f"{value:.3f}" if name == "cpu_s_per_call_min" else f"{value:.2f}"
        naive = self.find(NAIVE, row.test, row.calls)
        if name in _WITH_RATIO and naive is not None and naive is not row and getattr(naive, name):
            text += f" ×{value / getattr(naive, name):.2f}"
        return text

    def _show_marks(self) -> None:
        table = Table("mark of the product", "seen", "", title="llcphone, fast both legs, against its marks")
        for mark, seen, limit, row in self._marks():
            noisy = " (noisy)" if row.foreign > NOISY else ""
            table.add_row(
                f"{mark} ≤ {limit:g}", f"{seen:.2f}", ("kept" if seen <= limit else "missed") + noisy
            )
        self._console.print(table)

    def _marks(self) -> list[tuple[str, float, float, Figures]]:
        found: list[tuple[str, float, float, Figures]] = []
        load = self.find("llcphone", "load")
        if load is not None:
            at = f"at {load.calls} calls"
            if load.calls >= 200:  # fewer calls share fewer wake-ups, so each costs more
                found.append((f"CPU-seconds per call-minute {at}", load.cpu_s_per_call_min, 0.12, load))
            for way, seen in (("out", load.forward_p99_ms), ("back", load.back_p99_ms)):
                if load.calls <= 200 and seen is not None:
                    found.append((f"p99 {way} {at}, ms", seen, 5.0, load))
            if load.kb_per_call is not None:
                found.append(("KB per call", load.kb_per_call, 150.0, load))
            tls = self.find("llcphone-tls", "load", load.calls)
            if tls is not None:
                found.append(
                    ("TLS on the model leg, µs more per frame", tls.frame_us - load.frame_us, 20.0, tls)
                )
        rung = self.find("llcphone", "rung")
        if rung is not None and rung.first_audio_ms is not None:
            found.append(("first audio of a ready greeting, ms", rung.first_audio_ms, 5.0, rung))
        return found
