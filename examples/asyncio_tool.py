"""Call a library that needs asyncio from a tool: its loop runs in a thread."""

import asyncio
import threading
from collections.abc import Coroutine

import trio
from _vendors import vendors

import llcphone
from llcphone.server import serve
from llcphone.sim.model import CallTool

agent = llcphone.Agent("You take orders for a bakery.")
loop = asyncio.new_event_loop()


async def price_of(bread: str) -> str:
    """An example of any asyncio library: a database, a web API."""
    await asyncio.sleep(0.2)
    return f"{bread} costs four euros"


async def in_asyncio(work: Coroutine[None, None, str]) -> str:
    """Await something of asyncio's; a caller who hangs up, or a tool out of time, cancels it."""
    future, done = asyncio.run_coroutine_threadsafe(work, loop), trio.Event()
    token = trio.lowlevel.current_trio_token()
    future.add_done_callback(lambda _: token.run_sync_soon(done.set))
    try:
        await done.wait()
        return future.result()
    finally:
        future.cancel()


@agent.tool(lean=True)
async def price(bread: str) -> str:
    """What a bread costs."""
    answer = await in_asyncio(price_of(bread))
    print(f"asyncio says that {answer}")
    return answer


async def main() -> None:
    script: list[str | CallTool] = ["The bakery!", CallTool("price", {"bread": "rye"}), "Four euros."]
    threading.Thread(target=loop.run_forever, name="asyncio", daemon=True).start()
    async with (
        vendors(script) as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),
    ):
        await serve(phone, config)


if __name__ == "__main__":
    trio.run(main)
