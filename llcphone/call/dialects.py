"""One endpoint's dialect question, answered once for the life of the process.

The first task that needs the answer asks by connecting; others wait meanwhile for that question
instead of asking again. Only a definite answer is remembered: an endpoint that could not be
reached has said nothing about its dialect.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.realtime.dialects import Dialect


class DialectMemory:
    """What is known of the endpoint's dialect."""

    def __init__(self, answer: Dialect | None = None) -> None:
        self.answer = answer
        self._asking: trio.Event | None = None

    def remember(self, dialect: Dialect) -> None:
        """The endpoint has answered; waiting tasks continue."""
        self.answer = dialect
        if self._asking is not None:
            self._asking.set()
            self._asking = None

    async def resolve(self) -> Dialect | None:
        """The answer, waiting for a question in flight; None when the caller should ask."""
        while self.answer is None and self._asking is not None:
            await self._asking.wait()
        return self.answer

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Mark a question as in flight; leaving without an answer lets the next one ask."""
        if self.answer is not None or self._asking is not None:
            yield
            return
        mine = self._asking = trio.Event()
        try:
            yield
        finally:
            mine.set()
            if self._asking is mine:
                self._asking = None
