"""What may be logged of strangers: how often, and never in their own words.

The text of an exception, the path of a request and a traceback's last line can all carry
bytes that somebody sent us: a number, a token, a name. Where it arose cannot.
"""

from __future__ import annotations

import logging

import attrs
import trio

EVERY_S = 10.0


@attrs.define(eq=False)
class SeldomLog:
    """Says each phrase at once the first time, then at most every ``EVERY_S`` seconds, with a count.

    A wrong signature must be seen by whoever set the public URL wrong, and must not let anybody
    fill a disk.
    """

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
        self.logger.warning(phrase, extra={"count": count, **fields})


def where(error: BaseException) -> str:
    """The kind of an error, and the file and line where it arose."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {place}"


def without_texts(logger: logging.Logger) -> logging.Logger:
    """Make a logger that others write to (hypercorn, quart) tell faults by their place only."""
    if not any(isinstance(each, _OnlyPlaces) for each in logger.filters):
        logger.addFilter(_OnlyPlaces())
    return logger


class _OnlyPlaces(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            # Their message goes too: quart's names the path, and the path of a stream is its token.
            record.msg, record.args = "fault in the HTTP stack: %s", (where(record.exc_info[1]),)
            record.exc_info = record.exc_text = None
        return True
