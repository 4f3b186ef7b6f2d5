"""Answer calls in an asyncio program: both loops run in one thread, neither blocks the other."""

import asyncio
from contextlib import suppress

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


async def watch_the_oven() -> None:
    """Any asyncio code of yours."""
    while True:
        await asyncio.sleep(1)
        print("oven is fine, says asyncio")


async def main() -> None:
    oven = asyncio.create_task(watch_the_oven())
    await llcphone.run_in_asyncio(answer_calls)
    oven.cancel()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # before calls are answered; then it drains
        asyncio.run(main())
