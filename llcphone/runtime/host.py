"""The program that a phone lives in: it runs on Trio, and drains when it receives a signal."""

from __future__ import annotations

import secrets
import signal
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import trio

from llcphone.runtime.log_lines import logger
from llcphone.validation.arguments import need_methods

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

log = logger("llcphone.phone")

PROCESS = secrets.token_hex(8)
"""The id of this process, a random word that opens nothing; ``/healthz`` sends it."""


class Drainable(Protocol):
    """A phone, as far as its end goes."""

    @property
    def draining(self) -> bool: ...
    @property
    def live_calls(self) -> int: ...
    async def drain(self, limit_s: float | None = None) -> None: ...


def need_trio(function: str) -> None:
    """Say what to do where no Trio task runs.

    Raises:
        RuntimeError: this is no Trio task: asyncio's, another thread's, or none at all.
    """
    if not trio.lowlevel.in_trio_task():
        raise RuntimeError(
            f"{function}: llcphone runs on Trio, and no Trio task runs here. Fix: start the program with "
            "trio.run(main); inside an asyncio program await llcphone.run_in_asyncio(main)"
        )


@asynccontextmanager
async def until_signal(phone: Drainable) -> AsyncIterator[None]:
    """A block that ends at SIGTERM or SIGINT (Ctrl-C), after the phone has drained.

    The first signal takes no new call and lets live ones end, within ``drain.limit_s``; the block
    runs on meanwhile, because callers still need its server, and is cancelled then. A second signal ends
    all calls at once. Use it in the main thread, inside of ``open_phone``.

    Args:
        phone: the phone to drain.

    Raises:
        RuntimeError: this is not the main thread, which alone can take signals.
    """
    need_trio("until_signal")
    need_methods(phone, ("drain",), "until_signal: phone", "the phone that open_phone yields")
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "until_signal: only the main thread can take signals. Fix: leave it out, and await phone.drain()"
        )
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as block:
            block.start_soon(_obey, signals, phone, block.cancel_scope, name="signals")
            yield
            if not phone.draining:
                block.cancel_scope.cancel(reason="the block has ended")


async def _obey(signals: AsyncIterator[int], phone: Drainable, block: trio.CancelScope) -> None:
    async def finish() -> None:
        await phone.drain()
        block.cancel(reason="drained")

    async with trio.open_nursery() as nursery:
        await anext(signals)
        log.info("draining", extra={"live_calls": phone.live_calls})
        nursery.start_soon(finish, name="drain")
        async for _ in signals:
            log.warning("second signal: ending all calls")
            await phone.drain(0)


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
