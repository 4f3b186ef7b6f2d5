"""Running somebody else's code: tools, hooks, agent files, observers, and jobs that serve all calls.

Such code may raise anything: an ``Exception``, ``SystemExit`` (a command-line function used as a tool), a
``BaseException`` of its own, ``asyncio.CancelledError``, or groups of these. In a Trio task each of them
would end the nursery above it, and so every call. Two things are not its failure and must pass:

* ``trio.Cancelled`` of a cancellation that is under way around the block. One that is not (kept by user
  code and raised again outside its scope) belongs to no scope that could catch it, and is contained too;
* ``KeyboardInterrupt``, which Trio raises in whatever code runs when a person presses Ctrl-C.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import trio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType


class contained:  # lower case, as contextlib.suppress
    """A ``with`` block out of which only cancellation and Ctrl-C get; a group is split.

    The block may wait. Afterwards ``error`` is what was raised in it, or None::

        with contained() as failure:
            await hook(call)
        if failure.error is not None:
            log.error("hook failed", extra={"errors": failure.kinds})
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.kinds: list[str] = []
        """The types of what was contained, for logs; a text may hold what the caller said."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if exc is None:
            return False
        leaves = list(_leaves(exc))
        passing = [leaf for leaf in leaves if _passes(leaf)]
        if len(passing) == len(leaves):
            return False
        self.error = exc
        self.kinds = _kinds(leaf for leaf in leaves if not _passes(leaf))
        if passing:
            raise BaseExceptionGroup("not contained", passing) from None
        return True


def kinds_of(exc: BaseException) -> list[str]:
    """The types of an exception, or of all in a group of groups."""
    return _kinds(_leaves(exc))


def _kinds(leaves: Iterable[BaseException]) -> list[str]:
    return sorted({type(leaf).__name__ for leaf in leaves})


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    waiting = [exc]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(reversed(one.exceptions))
        else:
            yield one


def _passes(exc: BaseException) -> bool:
    if isinstance(exc, trio.Cancelled):
        return trio.lowlevel.in_trio_run() and trio.current_effective_deadline() == -math.inf
    return isinstance(exc, KeyboardInterrupt)
