"""The interpreter of a process that serves calls: its pauses come where no caller hears them.

The garbage collector's full round looks at every object that calls have: 40 ms with 200 live calls, in
which no frame of any call moves. Python begins one whenever a quarter more objects have grown old, as
the conversations of a busy server do all the time. So the objects of the program itself are set aside,
and full rounds come when the last live call has ended, or after enough calls that what they may have
left in cycles (about 40 KB each) is worth a pause.

A library must not do that to its host, so only the bundled server does.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llcphone.call.call import Call

_ENDED_CALLS = 25
"""A full round runs after this many ended calls, or after half the number of live ones, if that is more."""
_NEVER = 1_000_000
_SWITCH_S = 0.0005
"""A thread that runs Python (journal, store) gives way after this long, not after 5 ms."""


@contextmanager
def quiet_interpreter(live_calls: Callable[[], int]) -> Iterator[Callable[[Call], None]]:
    """Tune the interpreter; yields the function that receives each call's end (``phone.on_end``)."""
    thresholds, switch_s = gc.get_threshold(), sys.getswitchinterval()
    ended = 0

    def call_ended(call: Call) -> None:
        nonlocal ended
        ended += 1
        live = live_calls()
        if not live or ended >= max(_ENDED_CALLS, live // 2):
            gc.collect()
            ended = 0

    ours = not gc.get_freeze_count()  # what the host has set aside stays so
    if ours:
        gc.collect()  # over all that was imported: 50 ms that the first calls would hear
        gc.freeze()
    gc.set_threshold(*thresholds[:2], _NEVER)
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield call_ended
    finally:
        gc.set_threshold(*thresholds)
        if ours:
            gc.unfreeze()
        sys.setswitchinterval(switch_s)
