"""Notices a tool or hook that holds the event loop: nothing of any call moves meanwhile.

``time.sleep`` or a blocking library in an async function stops every call of the process, and each caller's
silence would be blamed on the model. So each step of such code is timed, from where it resumes to where it
waits again. A step that took too long is reported with the name of the code. Nothing else is timed, nor any
task that this code starts in a nursery of its own.
"""

from __future__ import annotations

import time
import types
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator

T = TypeVar("T")

LONG_MS = 250
"""A step that held the loop for this long is reported: a dozen frames of every call had to wait."""


@contextmanager
def timed_at_once(held: Callable[[int], None]) -> Iterator[None]:
    """The same for code that cannot wait, and so is one step."""
    began_s = time.perf_counter()  # not Trio's clock: a test's clock does not move meanwhile
    try:
        yield
    finally:
        _tell_if_long(began_s, held)


def _tell_if_long(began_s: float, held: Callable[[int], None]) -> None:
    took_ms = round((time.perf_counter() - began_s) * 1000)
    if took_ms >= LONG_MS:
        held(took_ms)


@types.coroutine
def timed(work: Coroutine[Any, Any, T], held: Callable[[int], None]) -> Generator[Any, Any, T]:
    """Await ``work``; ``held`` receives each step that took too long, in milliseconds."""
    resume = partial(work.send, None)
    while True:
        began_s = time.perf_counter()
        try:
            trap = resume()
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            _tell_if_long(began_s, held)
        try:
            resume = partial(work.send, (yield trap))
        except BaseException as exc:  # raised in the work, which decides
            resume = partial(work.throw, exc)
