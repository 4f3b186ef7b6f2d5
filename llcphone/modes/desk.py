"""Tools that several modes have: putting through, taking messages, text messages.

Each adds itself to an agent. Targets are those of docs/04-inbound-modes.md: what is slower is warned about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llcphone.modes import hours
from llcphone.modes.base import Json, agreed, offer, person
from llcphone.store import Message, store_of
from llcphone.tools.call_handle import CallHandle, ToolContext  # noqa: TC001  (tools are read by their annotations)
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.modes.base import House

TARGETS_S = {
    "lookup_customer": 0.5,
    "get_appointments": 0.5,
    "check_availability": 1.0,
    "take_message": 1.0,
    "book_appointment": 2.0,
    "add_call_note": 2.0,
    "transfer_call": 3.0,
    "warm_transfer": 5.0,
    "escalate_to_human": 5.0,
}
"""How long a tool should take at most."""

VOICEMAIL = "voicemail"

NOT_KEPT = "nobody knows yet whether this will be kept: promise nothing"
"""What the model reads when the store has not said that something is written."""

Urgency = Literal["low", "normal", "urgent"]


async def put_through(house: House, call: CallHandle, to: str, *, summary: str, warm: bool = False) -> Json:
    """Send the caller to a destination, if there is such a one and somebody is there."""
    if to.strip().lower() == VOICEMAIL:
        outcome = call.voicemail()
        return {"ok": outcome.ok, "says": outcome.says}
    if not house.destinations:
        return {"ok": False, "says": "nobody can be rung from here; offer to take a message or a note"}
    name = house.named(to)
    if not name:
        known = ", ".join(house.destinations)
        return {"ok": False, "says": f"there is no {to!r}; these can be reached: {known}"}
    if not hours.is_open(house.config, house.now(), name):
        says = f"{name} is {house.hours_now(name)}; offer to take a message instead"
        return {"ok": False, "says": says}
    outcome = await call.transfer(name, summary=summary, warm=True if warm else None)
    return {"ok": outcome.ok, "says": outcome.says}


def add_transfers(agent: Agent, house: House, *, lean: bool = False) -> None:
    """``transfer_call`` and ``warm_transfer``."""

    @offer(agent, lean=lean, target_s=TARGETS_S["transfer_call"])
    async def transfer_call(destination: str, reason: str, call: CallHandle) -> Json:
        """Put the caller through. Say good-bye after it: the transfer begins once that was heard.

        Args:
            destination: one of those you know, or voicemail.
            reason: who is calling and what it is about, for the colleague.
        """
        return await put_through(house, call, destination, summary=reason)

    @offer(agent, target_s=TARGETS_S["warm_transfer"])
    async def warm_transfer(destination: str, introduction: str, call: CallHandle) -> Json:
        """Put the caller through after speaking to the colleague; the caller hears music meanwhile.

        Args:
            destination: one of those you know.
            introduction: what the colleague should be told first.
        """
        return await put_through(house, call, destination, summary=introduction, warm=True)


def add_messages(agent: Agent, house: House) -> None:
    """``take_message``."""

    @offer(agent, target_s=TARGETS_S["take_message"])
    async def take_message(
        name: str,
        reason: str,
        call: CallHandle,
        tool: ToolContext,
        urgency: Urgency = "normal",
        for_whom: str = "",
        number: str = "",
    ) -> Json:
        """Keep a message for a colleague.

        Args:
            name: who is calling.
            reason: what it is about, and what they want.
            urgency: how soon it matters.
            for_whom: the person or department.
            number: only if they want to be called back on another number than the one they call from.
        """
        callback = house.callback_number(call, number)
        if number and callback != number:
            reason = f"{reason} {house.sentence('spoken_number', number=number)}"
        message = Message(
            name=name,
            number=callback,
            reason=reason,
            urgency=urgency,
            for_whom=for_whom,
            call_id=call.call_id,
            key=tool.key,
        )
        if not await store_of(call).take_message(message):
            return {"saved": False, "says": f"{NOT_KEPT}; ask them to call again, or put them through"}
        says = "kept" if callback != "unknown" else "kept, but without a number: ask for one"
        return {"saved": True, "says": says}


def add_notes(agent: Agent) -> None:
    """``add_call_note``, which the caller hears nothing of."""

    @offer(agent, silent=True, detached=True, target_s=TARGETS_S["add_call_note"])
    async def add_call_note(text: str, outcome: str, call: CallHandle, tool: ToolContext) -> str:
        """Keep a note about this call; the caller hears nothing of it.

        Args:
            text: what was wanted and done.
            outcome: in one word: booked, moved, answered, escalated, nothing.
        """
        store, who = store_of(call), call.state.get("customer")
        return "kept" if await store.add_note(call.call_id, who, text, outcome, key=tool.key) else NOT_KEPT


def add_sms(agent: Agent) -> None:
    """``send_sms``."""

    @offer(agent)
    async def send_sms(text: str, call: CallHandle) -> Json:
        """Text the caller. Ask them first: the first use of this sends nothing, the next one after their
        yes does.

        Args:
            text: the whole message.
        """
        if not is_number(person(call)):
            return {"sent": False, "why": "their number is withheld"}
        if not call.state.get("may_text") and not agreed(call, "text"):
            return {
                "sent": False,
                "why": "not asked yet: may I text you? Only if they say yes, use this again",
            }
        call.state["may_text"] = True
        outcome = await call.send_sms("caller", text)
        return {"sent": outcome.ok, "says": outcome.says}
