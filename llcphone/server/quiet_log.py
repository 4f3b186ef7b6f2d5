"""What may be logged of errors that a client can cause: never its own bytes (`SeldomLog` limits how often).

The text of an exception, the path of a request and a traceback's last line can all carry
bytes that a client sent: a number, a token, a name. The file and line of the error cannot.
"""

from __future__ import annotations

import logging


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
    """Make a logger of hypercorn or quart log faults by their place only."""
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
