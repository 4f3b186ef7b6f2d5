"""llcphone inside an asyncio program: Trio as a guest of asyncio's loop, both in one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def run_in_asyncio(function: Callable[[], Awaitable[None]]) -> None:
    """Await a Trio function from an asyncio task; both loops share the thread, and neither blocks the other.

    Cancelling this task cancels the function. The task waits for the function's cleanup, also when it is
    cancelled again. It uses Trio's guest mode
    (https://trio.readthedocs.io/en/stable/reference-lowlevel.html, "Using guest mode to run Trio on top of
    other event loops", read 2026-11-30).

    Args:
        function: what runs on Trio, without arguments: the block of ``open_phone``, for example.

    Raises:
        RuntimeError: no asyncio loop runs here.
        BaseException: whatever the function raises.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    tokens: list[trio.lowlevel.TrioToken] = []
    scope = trio.CancelScope()

    async def cancellable() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        with scope:
            await function()

    trio.lowlevel.start_guest_run(
        cancellable,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=done.set_result,
        host_uses_signal_set_wakeup_fd=True,
    )
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError as exc:  # a second one does not cut the cleanup short
            cancelled = exc
            if tokens:
                tokens[0].run_sync_soon(scope.cancel)
            else:
                scope.cancel()  # it has not begun
    done.result().unwrap()
    if cancelled is not None:
        raise cancelled
