"""What both outside parties of the demo share: the lines to and from the server's process, and the clock.

A party writes JSON lines to stdout: ``ready`` (its URL), ``event``s as they happen, what it was asked for, at
last ``report``. Words come in on its stdin, one a line. Stdin is its leash too: when the parent closes it, or
dies however, a party reports and ends, so no process is ever left behind.

Moments leave here as ``time.perf_counter()``, which all processes of a machine read from one clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def perf_s(trio_s: float) -> float:
    """A moment of Trio's clock on the clock that all processes share."""
    return time.perf_counter() + trio_s - trio.current_time()


def tell(kind: str, **fields: Any) -> None:
    """One line to the parent. It reads soon, so this hardly waits; a dead parent is not our trouble."""
    try:
        sys.stdout.write(json.dumps({"kind": kind, "at_s": time.perf_counter(), **fields}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


async def orders() -> AsyncIterator[str]:
    """The parent's words, until it lets go (``os.read`` in a thread is portable and holds no lock)."""
    text = b""
    while more := await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        *words, text = (text + more).split(b"\n")
        for word in words:
            yield word.decode()
