"""A log line for what a stranger can make happen, at most once in ten seconds per phrase.

A wrong signature must be seen by whoever set the public URL wrong, and must not let anybody
fill a disk. The line carries how many there were since the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    import logging

EVERY_S = 10.0


@attrs.define(eq=False)
class SeldomLog:
    """Says each phrase at once the first time, then at most every ``EVERY_S`` seconds."""

    logger: logging.Logger
    _said_at: dict[str, float] = attrs.field(factory=dict, init=False)
    _unsaid: dict[str, int] = attrs.field(factory=dict, init=False)

    def warning(self, phrase: str, **fields: object) -> None:
        """Log a static phrase; ``fields`` carry no data of a caller and no payload."""
        count = self._unsaid.pop(phrase, 0) + 1
        now = trio.current_time()
        if now - self._said_at.get(phrase, -EVERY_S) < EVERY_S:
            self._unsaid[phrase] = count
            return
        self._said_at[phrase] = now
        details = "".join(f" {name}={value}" for name, value in fields.items())
        self.logger.warning("%s (%d times)%s", phrase, count, details, extra={"count": count, **fields})


def where(error: BaseException) -> str:
    """File and line where an error arose: its text may carry a stranger's bytes, its place cannot."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {place}"
