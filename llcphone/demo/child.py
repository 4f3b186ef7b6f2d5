"""The child protocol: how a simulator of the demo talks with the server's process, which started it.

A simulator writes JSON lines to stdout: ``ready`` (its URL), ``event``s as they happen, what it was asked
for, at last ``report``. Orders arrive on its stdin, one word a line. When the parent closes that stdin, or
dies in any way, the simulator reports and ends, so no process is ever left behind.

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
    """Send one line to the parent, which reads soon. Without a parent this process ends."""
    try:
        sys.stdout.write(json.dumps({"kind": kind, "at_s": time.perf_counter(), **fields}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


async def orders() -> AsyncIterator[str]:
    """The parent's orders, until it closes the pipe.

    ``os.read`` in a thread is portable and holds no lock.
    """
    text = b""
    while more := await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        *words, text = (text + more).split(b"\n")
        for word in words:
            yield word.decode()
