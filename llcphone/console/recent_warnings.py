"""The last warnings of this process, masked, for a page."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llcphone.server.quiet_log import where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.telemetry.redaction import Mask

KEPT = 200


class RecentWarnings(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self, mask: Mask) -> None:
        super().__init__(logging.WARNING)
        self.mask = mask
        self._lines: deque[dict[str, object]] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage() + (f" ({where(error)})" if error is not None else "")
        self._lines.append(
            {
                "at": round(record.created, 3),
                "level": record.levelname.lower(),
                "logger": record.name,
                "text": self.mask.text(text),
            }
        )

    def lines(self) -> list[dict[str, object]]:
        """The newest last."""
        return list(self._lines)


@contextmanager
def kept_warnings(mask: Mask) -> Iterator[RecentWarnings]:
    """Keep the warnings of llcphone until the block is left."""
    ours, handler = logging.getLogger("llcphone"), RecentWarnings(mask)
    ours.addHandler(handler)
    try:
        yield handler
    finally:
        ours.removeHandler(handler)
