"""Answer calls inside a Trio program that has other work: all in one nursery, all cancelled together."""

import trio
from _vendors import vendors

import llcphone
from llcphone.server import serve

agent = llcphone.Agent("You answer the telephone of a bakery.")


async def watch_the_oven(phone: llcphone.Phone) -> None:
    while True:
        await trio.sleep(1)
        print(f"oven is fine, {phone.live_calls} on the phone")


async def main() -> None:
    async with (
        vendors() as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),  # also ends the oven's task, once the last call has ended
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch_the_oven, phone)
        nursery.start_soon(serve, phone, config)


if __name__ == "__main__":
    trio.run(main)
