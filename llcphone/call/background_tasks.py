"""Tasks that outlive their call: detached tools, dials, hang-ups. The phone's nursery owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

log = logger("llcphone.phone")


class BackgroundTasks:
    """Starts these tasks and counts them, so that a drain can wait for them."""

    def __init__(self, nursery: trio.Nursery, one_ended: Callable[[], None]) -> None:
        """``nursery`` owns the tasks; ``one_ended`` is called after each."""
        self._nursery = nursery
        self._one_ended = one_ended
        self.running = 0

    def start(self, function: Callable[..., Any], *args: Any, name: str) -> None:
        """Start a task that outlives its call. If it fails, the failure is logged and nothing ends."""
        self.running += 1

        async def run() -> None:
            try:
                with contained() as failure:  # it has no call that could end for it
                    await function(*args)
                if failure.error is not None:
                    log.error("detached task failed", extra={"task": name, "errors": failure.kinds})
            finally:
                self.running -= 1
                self._one_ended()

        self._nursery.start_soon(run, name=name)
