"""Answer calls in an asyncio program: Trio's guest mode runs both in one thread, neither blocks the other."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio
from _vendors import vendors

import llcphone
from llcphone.server import serve

agent = llcphone.Agent("You answer the telephone of a bakery.")


async def answer_calls() -> None:
    """Trio's part: here is everything of llcphone's."""
    async with (
        vendors() as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),  # in place of asyncio's own Ctrl-C
    ):
        await serve(phone, config)


async def on_trio(function: Callable[[], Awaitable[None]]) -> None:
    """Await a Trio function from asyncio; cancelling this (Ctrl-C does) cancels it, and waits for its end."""
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
    try:
        outcome = await asyncio.shield(done)
    except asyncio.CancelledError:
        if tokens:
            tokens[0].run_sync_soon(scope.cancel)
        else:
            scope.cancel()  # it has not begun
        (await done).unwrap()
        raise
    outcome.unwrap()


async def watch_the_oven() -> None:
    """Any asyncio code of yours."""
    while True:
        await asyncio.sleep(1)
        print("oven is fine, says asyncio")


async def main() -> None:
    oven = asyncio.create_task(watch_the_oven())
    await on_trio(answer_calls)
    oven.cancel()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # before calls are answered; then it drains
        asyncio.run(main())
