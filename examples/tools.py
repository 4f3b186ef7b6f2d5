"""Give the agent typed tools: the schema comes from the signature, the checks too."""

import enum
from datetime import date

import trio
from _vendors import vendors

import llcphone
from llcphone import CallHandle
from llcphone.server import serve
from llcphone.sim.model import CallTool

agent = llcphone.Agent("You take orders for a bakery. Confirm every order.")


class Bread(enum.Enum):
    RYE = "rye"
    WHEAT = "wheat"


@agent.tool(lean=True)  # offered in the first turn already
async def order_bread(bread: Bread, loaves: int, pick_up: date, call: CallHandle) -> dict[str, object]:
    """Order bread for a day.

    Args:
        bread: which bread.
        loaves: how many.
        pick_up: the day it will be fetched.
    """
    call.state["ordered"] = loaves
    print(f"ordered {loaves} {bread.value} for {pick_up:%A}")
    return {"confirmed": True, "price_eur": 4.5 * loaves}


@agent.tool(silent=True, timeout_s=5)  # offered after the first turn; no answer is spoken
async def note(text: str) -> None:
    """Write down something the baker should know."""


async def main() -> None:
    order = CallTool("order_bread", {"bread": "rye", "loaves": 2, "pick_up": "2026-12-05"})
    script: list[str | CallTool] = [
        "Hello, this is the bakery!",
        order,
        "Two loaves of rye, that is nine euros.",
    ]
    async with (
        vendors(script) as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),
    ):
        await serve(phone, config)


if __name__ == "__main__":
    trio.run(main)
