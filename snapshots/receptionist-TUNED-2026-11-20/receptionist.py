"""Receptionist: finds out who calls and why, puts them through, or takes a message. Copy and edit it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.modes import hours
from llcphone.modes.base import House, Json, make_agent, offer
from llcphone.modes.desk import TARGETS_S, add_messages, add_sms, add_transfers

if TYPE_CHECKING:
    from llcphone import Agent

PROMPT = """You are the receptionist.
1. Find out who is calling and what they need.
2. Before you put anybody through, use check_availability. You can reach: {destinations}.
3. If somebody is there, say that you put them through, and use transfer_call; warm_transfer if they ask to be
   introduced. If the caller comes back because nobody answered, offer to take a message.
4. If nobody is there, take a message: their name, what it is about, how urgent it is. You have their number
   unless it is withheld; ask only whether it is the right one. Repeat the message in one sentence, then use
   take_message.
Answer short questions about the company yourself, from what you know above. You may offer to text an
address or opening hours: ask first, then use send_sms."""

SILENCE_S = 12.0
"""Then the agent asks whether the caller is still there: never 20 s of silence, whatever happens."""


def make(house: House) -> Agent:
    """The agent."""
    agent = make_agent(
        house,
        "receptionist",
        house.prompt("receptionist", PROMPT).format(
            destinations=", ".join(house.destinations) or house.sentence("nobody")
        ),
        voice="marin",
        cache_key="llc-receptionist-v1",
        settings={
            "silence": {"after_s": SILENCE_S, "prompts": 2},
            "filler": {"tool_after_ms": 4_000, "every_ms": 8_000},
        },
    )

    @offer(agent, lean=True, target_s=TARGETS_S["check_availability"])
    async def check_availability(person_or_department: str) -> Json:
        """Whether somebody is there now, and if not, when.

        Args:
            person_or_department: whom the caller wants.
        """
        name = house.named(person_or_department)
        if not name:
            return {
                "available": False,
                "known": house.destinations,
                "says": "nobody of that name; offer another",
            }
        return {
            "available": hours.is_open(house.config, house.now(), name),
            "destination": name,
            "hours": house.hours_now(name),
        }

    add_transfers(agent, house)
    add_messages(agent, house)
    add_sms(agent)
    return agent
