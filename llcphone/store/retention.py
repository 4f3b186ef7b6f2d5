"""Deletes old rows while a phone works: piece by piece, so that no other work has to wait."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from llcphone.runtime.log_lines import logger
from llcphone.store.database import NotDone
from llcphone.store.deletion import DAY_S, PIECE
from llcphone.store.engines import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from llcphone.store.database import Database
    from llcphone.store.deletion import Piece

log = logger("llcphone.store")

_LIMIT_S = 10.0
"""Longest piece. A caller's question has ``store.timeout_s``, but no caller waits for this."""
_BREATH_S = 0.05
"""Pause between two pieces, for other writers."""
_AGAIN_S = 5.0
_MOST_FAILURES = 5
"""In a row; then the rest is for tomorrow."""


async def keep_tidy(old: Callable[[], Generator[Piece, Any, object]], place: Database) -> None:
    """Forget what is too old, now and once a day."""
    while True:
        await tidy(old(), place)
        await trio.sleep(DAY_S)


async def tidy(pieces: Generator[Piece, Any, object], place: Database) -> bool:
    """Do all pieces, each with fewer rows if it takes too long. Whether all was done."""
    limiter, most, answer = trio.CapacityLimiter(1), PIECE, None
    while True:
        try:
            piece = pieces.send(answer)
        except StopIteration:
            return True
        failures = 0
        while True:
            try:
                answer = await place.attempt(partial(piece, most=most), limit_s=_LIMIT_S, limiter=limiter)
            except NotDone as exc:
                if exc.verdict is Verdict.SLOW and most > 1:
                    most //= 2
                    continue
                failures += 1
                if exc.verdict is Verdict.REFUSED or failures >= _MOST_FAILURES:
                    log.error("old records are not deleted; tried again in a day", extra={"error": exc.error})
                    return False
                await trio.sleep(_AGAIN_S)
            else:
                break
        await trio.sleep(_BREATH_S)
