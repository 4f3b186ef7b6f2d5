"""Running code that is not ours: tools, hooks, agent files, observers, and jobs that serve all calls.

Such code may raise anything: an ``Exception``, ``SystemExit`` (a command-line function used as a tool), a
``BaseException`` of its own, ``asyncio.CancelledError``, or groups of these. In a Trio task each of them
would end the nursery above it, and so every call. Two things are not its failure and must pass:

* ``trio.Cancelled`` of a cancellation that is under way around the block. One that is not (kept by user
  code and raised again outside its scope) belongs to no scope that could catch it, and is contained too;
* ``KeyboardInterrupt``, which Trio raises in whatever code runs when a person presses Ctrl-C.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import trio

from llcphone.runtime.log_lines import SeldomLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from types import TracebackType

    from llcphone.runtime.log_lines import Log

AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Pauses before a task that serves all calls begins again, after failures in a row; the last one stays."""
_STEADY_S = 300.0
"""A task that ran for this long has failed anew, not again."""


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


class Faults:
    """What was contained in that which serves all calls: counted, logged at once, then at most now and then.

    Each takes ``what`` failed as a static phrase; ``fields`` go to the log, without data of a caller.
    """

    def __init__(self, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        """How often each has failed."""
        self._log = SeldomLog(log)

    def count(self, what: str, kinds: list[str], **fields: object) -> None:
        """Something has failed, with exceptions of these types."""
        self.counts[what] += 1
        self._log.error(what, errors=kinds, **fields)

    @contextmanager
    def contained(self, what: str, **fields: object) -> Iterator[None]:
        """A block as ``contained``, whose failure is counted."""
        with contained() as failure:
            yield
        if failure.error is not None:
            self.count(what, failure.kinds, **fields)

    def tell_all(
        self, what: str, listeners: Iterable[Callable[..., object]], *news: object, **fields: object
    ) -> None:
        """Call each listener with the news; one that fails keeps them from no other."""
        for listener in tuple(listeners):
            with contained() as failure:
                listener(*news)
            if failure.error is not None:
                who = getattr(listener, "__qualname__", type(listener).__name__)
                self.count(what, failure.kinds, listener=who, **fields)

    async def keep(self, what: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run a task until it returns; one that fails begins again, after pauses that grow."""
        in_a_row = 0
        while True:
            began_s = trio.current_time()
            with contained() as failure:
                await run()
            if failure.error is None:
                return
            in_a_row = 0 if trio.current_time() - began_s > _STEADY_S else in_a_row
            self.count(what, failure.kinds)
            await trio.sleep(AGAIN_S[min(in_a_row, len(AGAIN_S) - 1)])
            in_a_row += 1


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
