"""Answer calls in twenty lines. Run it as it is, or with ``--real`` and your settings."""

import trio
from _vendors import vendors

import llcphone
from llcphone.server import serve

agent = llcphone.Agent("You answer the telephone of a small bakery. Be brief and friendly.")
agent.offer_hang_up()


async def main() -> None:
    async with (
        vendors() as config,
        llcphone.open_phone(config, agent, on_record=print_record) as phone,
        llcphone.until_signal(phone),  # SIGTERM and Ctrl-C: live calls end first
    ):
        await serve(phone, config)


def print_record(record: llcphone.CallRecord) -> None:
    print(f"{record.reason.value} after {record.duration_s:.1f} s and {len(record.turns)} turns")


if __name__ == "__main__":
    trio.run(main)
