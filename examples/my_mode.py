"""Answer with a mode of your own, of the shipped parts; `make` alone could stand in a file of [routes]."""

import trio
from _vendors import vendors

import llcphone
from llcphone.modes import House, agreed, make_agent, offer
from llcphone.server import serve
from llcphone.sim.model import CallTool

PROMPT = "You answer for the night porter of a hotel. For wake-up calls use set_wake_up, and read back first."


def make(house: House) -> llcphone.Agent:
    agent = make_agent(house, "porter", PROMPT, voice="cedar", cache_key="porter-v1")

    @offer(agent, lean=True, target_s=1.0)  # slower than a second is a warning
    async def set_wake_up(room: int, time: str, call: llcphone.CallHandle) -> dict[str, object]:
        """Set a wake-up call; the first use saves nothing and says what to read back.

        Args:
            room: the room's number.
            time: as 06:30.
        """
        if not agreed(call, f"{room} {time}"):  # code, not the prompt: the guest has spoken since
            print(f"to be read back: room {room} at {time}")
            return {"saved": False, "read_back": f"room {room} at {time}"}
        print(f"room {room} is woken at {time}")
        return {"saved": True}

    return agent


async def main() -> None:
    wish = CallTool("set_wake_up", {"room": 12, "time": "06:30"})
    script: list[str | CallTool] = ["Good evening, the porter.", wish, "Room twelve at half past six?"]
    async with (
        vendors(script) as config,
        llcphone.open_phone(config, make(House(config))) as phone,
        llcphone.until_signal(phone),
    ):
        await serve(phone, config)


if __name__ == "__main__":
    trio.run(main)
