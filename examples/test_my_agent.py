"""Test an agent without an account: a whole call in virtual time. Run it with pytest or as it is."""

import trio
from trio.testing import MockClock

import llcphone
from llcphone.sim import voices
from llcphone.sim.model import CallTool
from llcphone.testing import rehearse

agent = llcphone.Agent("You tell the opening hours of a bakery.")


@agent.tool(lean=True)
async def opening_hours(day: str) -> str:
    """When the bakery is open."""
    return "seven to noon" if day == "sunday" else "six to six"


async def a_caller_learns_the_opening_hours() -> None:
    asks = CallTool("opening_hours", {"day": "sunday"})
    async with rehearse(agent, script=["Good morning!", asks, "Seven to noon."]) as stage:
        call = await stage.ring()
        await call.hears(0.3)
        await call.silence_for(500)
        await call.speak(voices.load("book_table"))
        await call.hears(0.3)
        await call.silence_for(500)
        call.hang_up()
        record = await stage.record()
    assert record.turns[1]["tools"] == ["opening_hours"]
    assert record.reason is llcphone.EndReason.CALLER_HUNG_UP


def test_a_caller_learns_the_opening_hours() -> None:
    trio.run(a_caller_learns_the_opening_hours, clock=MockClock(autojump_threshold=0))


if __name__ == "__main__":
    test_a_caller_learns_the_opening_hours()
    print("passed, in virtual time")
