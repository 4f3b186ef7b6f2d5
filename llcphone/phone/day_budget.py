"""What all calls of this process have cost today, and whether the day's budget is spent.

Cost is added after every response, not at the end of a call, because a call may last for hours. With
``money.state_file`` the sum survives a restart. One task writes it in a thread, at most once a second, into a
new file that then replaces the old one. So a crash loses at most one second's cost, and a slow or full disk
delays no call. Each process needs a file of its own. Processes that share a database (``[shared]``) have one
sum there, and no file.
"""

from __future__ import annotations

import datetime
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from llcphone.engine.notes import Tokens
from llcphone.errors import ConfigError
from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.call import Call
    from llcphone.config.money import MoneyConfig
    from llcphone.engine.note import Note
    from llcphone.shared.shared import Shared

log = logger("llcphone.day_budget")

_EVERY_S = 1.0
_LAST_WRITE_S = 2.0


class DayBudget:
    """The day's cost; days are UTC."""

    def __init__(
        self, money: MoneyConfig, wall_clock: Callable[[], float], shared: Shared | None = None
    ) -> None:
        """Take up where the file or the shared sum ends.

        Raises:
            ConfigError: ``money.state_file`` is there and cannot be read.
        """
        self._budget_usd = money.day_budget_usd
        self._shared = shared
        self._path = Path(money.state_file) if money.state_file and shared is None else None
        self._clock = wall_clock
        self._day, self._usd = self._read()
        self._of_call: dict[str, float] = {}
        self._told_day = ""
        self._write_fails = False
        self._changed = False
        self._next_at = NOW
        self._writer = BackgroundWriter(
            self._write,
            lambda: self._next_at if self._changed else NEVER,
            Faults(log),
            failed="the day's cost is not written",
            pauses_s=(_EVERY_S,),
            flush_s=_LAST_WRITE_S,
        )

    @property
    def today_usd(self) -> float:
        """Cost of all responses that ended today, an estimate."""
        if self._shared is not None:
            return self._shared.beat.spent_usd(self._today())
        return self._usd if self._day == self._today() else 0.0

    @property
    def over(self) -> bool:
        """The day's budget is spent."""
        return 0 < self._budget_usd <= self.today_usd

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls: a response has reported its tokens."""
        if isinstance(note, Tokens) and note.cost_usd is not None:
            self._of_call[call.call_id] = self._of_call.get(call.call_id, 0.0) + note.cost_usd
            self._add(note.cost_usd)

    def ended(self, call: Call) -> None:
        """A call has its record; cost that no note had reported is added now."""
        noted_usd = self._of_call.pop(call.call_id, 0.0)
        if call.record is not None and (missing_usd := (call.record.cost_usd or 0.0) - noted_usd) > 1e-6:
            self._add(missing_usd)

    async def run(self) -> None:
        """Write the file when the sum has changed; once more, bounded, when cancelled."""
        if self._path is not None:
            async with self._writer.opened("day budget"):
                await trio.sleep_forever()

    def _add(self, cost_usd: float) -> None:
        if self._shared is not None:
            self._shared.beat.spend(self._today(), cost_usd)
        else:
            self._usd = self.today_usd + cost_usd
            self._changed = True
            self._writer.news()
        self._day = self._today()
        if self.over and self._told_day != self._day:
            self._told_day = self._day
            log.warning("the day's budget is spent: no new calls until midnight UTC")

    def _today(self) -> str:
        return datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).date().isoformat()

    def _read(self) -> tuple[str, float]:
        if self._path is None:
            return "", 0.0
        try:
            data = json.loads(self._path.read_text("utf-8"))
            return str(data["day"]), float(data["usd"])
        except FileNotFoundError:
            return "", 0.0
        except (OSError, ValueError, KeyError, TypeError):
            why = "cannot be read, so what today's calls have cost is not known"
            raise ConfigError("money.state_file", why, "repair the file, or delete it") from None

    async def _write(self) -> bool:
        assert self._path is not None
        self._changed, self._next_at = False, trio.current_time() + _EVERY_S
        text = json.dumps({"day": self._day or self._today(), "usd": round(self._usd, 6)})
        try:
            # Abandoned at worst in its last write: the name then holds the old file or the new one, whole.
            await trio.to_thread.run_sync(_replace, self._path, text, abandon_on_cancel=True)
            self._write_fails = False
        except OSError as exc:
            if not self._write_fails:  # once, not every second
                log.error("the day's cost is not written", extra={"error": type(exc).__name__})
            self._write_fails = self._changed = True
        return not self._write_fails


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_text(text + "\n", "utf-8")
        os.replace(new, path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
