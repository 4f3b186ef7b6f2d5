"""AI IVR: understands what the caller needs, and puts them through. Copy and edit it.

Keys work too, at any moment, as ``[ivr]`` says. They need no model: when there is none to be had, the
caller hears a stored menu instead, and a key puts them through all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import llcphone
from llcphone.modes.base import House, make_agent
from llcphone.modes.desk import add_messages, add_transfers, put_through
from llcphone.modes.menu import keys_of, stored_menu

if TYPE_CHECKING:
    from llcphone import Agent, CallHandle

PROMPT = """You route callers. Understand what they need, and put them through. Do not solve it yourself.
You can reach: {destinations}.
When you know where they belong, say so in one sentence and use transfer_call. If it is not clear, ask one
question. Use warm_transfer if they ask to be introduced, or if the matter is delicate.
If nobody is there, take a message: name, reason, how urgent.
If they would rather press a key: {keys}."""

SILENCE_S = 15.0
"""Then the agent asks whether the caller is still there."""


def make(house: House) -> Agent:
    """The agent."""
    keys = keys_of(house)
    agent = make_agent(
        house,
        "ivr",
        house.prompt("ivr", PROMPT).format(
            destinations=", ".join(house.destinations) or house.sentence("nobody"),
            keys=", ".join(house.sentence("key", key=key, name=name) for key, name in keys.items())
            or house.sentence("no_keys"),
        ),
        voice="cedar",
        cache_key="llc-ivr-v1",
        settings={
            "silence": {"after_s": SILENCE_S},
            # Who rings a menu gets a menu soon: not the ten seconds that a conversation is worth.
            "opening": {"warm_deadline_ms": 5_000, "join_grace_ms": 1_500, "cold_deadline_ms": 2_500},
        },
    )
    agent.stand_in = stored_menu(house)
    add_transfers(agent, house, lean=True)
    add_messages(agent, house)

    @agent.on_digit
    async def press(call: CallHandle, digit: str) -> None:
        """A key is an order: no model is asked."""
        if (name := keys.get(digit)) is None:
            return
        arguments = {"destination": name, "reason": house.sentence("pressed", key=digit)}
        try:
            done = await put_through(house, call, name, summary=arguments["reason"])
        except llcphone.ConfigError:
            done = {"ok": False, "says": f"{name} cannot be reached from here"}
        if done["ok"]:
            call.interrupt()  # nobody has to hear the rest; after the wish, or a farewell might end the call
        else:  # the agent says why, if there is one
            call.tell("transfer_call", arguments, done)
            call.respond()

    return agent
