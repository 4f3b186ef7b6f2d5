"""Outbound scenarios: the calls we place, each an agent of its own on the same base. Copy and edit it.

What one call is about (whom, when, why) is its context, which ``phone.place_call`` and the API take; what all
calls of a scenario have in common stands here, and is cached. A prompt stays within about 478 tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.modes.base import House, make_agent
from llcphone.modes.desk import add_messages, add_notes, add_transfers

if TYPE_CHECKING:
    from llcphone import Agent

PROMPT = """You place this call; they did not expect it. They say hello first. Then say who you are and why
you call, in one sentence, and listen. What the call is about stands at the end; never read it out.
A bad moment: offer to call again, and end. Not interested: thank them, and end. If they want no calls, say
that it is noted, use add_call_note with the outcome do_not_call, and end. Never press, never argue.
{scenario}
Before you hang up, use add_call_note once: what they said, and the outcome."""

SCENARIOS = {
    "confirmation": """Confirm the appointment. They may confirm it, want another time, or cancel: note
which. Promise no other time; a colleague will call. Half a minute. Sell nothing.""",
    "cold_call": """A first contact, no sale: one sentence about what the company does, and one question
whether that is of use to them. At most ninety seconds. Leave the company's name.""",
    "sales_call": """They know the company. Ask first what they need; then tell only what fits it. Close on
one next step: a call with a colleague, or a message to them (take_message).""",
    "crisis": """Something urgent has happened to them. Be calm and kind; it is no pitch. Ask whether they
are all right and what they need now. Offer a colleague at once (transfer_call). In danger, tell them to
ring the emergency number.""",
    "custom": """Your brief at the end says the goal and the limits of this call. Keep to it: no offers,
promises or transfers it does not name. When the goal is reached or out of reach, end.""",
}
NEEDS = {"confirmation": ("appointment_date", "appointment_time"), "custom": ("custom_instructions",)}
"""What an order of a call must tell."""


def make(house: House, scenario: str) -> Agent:
    """The agent of a scenario."""
    agent = make_agent(
        house,
        scenario,
        house.prompt("outbound", PROMPT).format(
            scenario=house.prompt("outbound", SCENARIOS[scenario], scenario)
        ),
        voice="cedar",
        cache_key="llc-outbound-v1",
        cue=house.sentence("outbound_cue"),
        settings={"silence": {"after_s": 15.0}},
    )
    agent.needs = NEEDS.get(scenario, ())
    add_notes(agent)
    if scenario != "confirmation":
        add_messages(agent, house)
        add_transfers(agent, house)
    return agent


def agents(house: House) -> dict[str, Agent]:
    """All of them, by scenario; first the one that speaks when none is named."""
    return {scenario: make(house, scenario) for scenario in ("custom", *SCENARIOS)}
