"""Identifies the caller, and checks the proof: the look-up that customer service begins with.

A number alone proves nothing: anybody can send any caller ID. So no record is revealed, and
``call.state["customer"]`` stays empty, until the caller's carrier vouches for the number (attestation A)
or the caller reads back a code that was texted to it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from llcphone.modes.base import House, Json, agreed, offer, person
from llcphone.modes.desk import TARGETS_S
from llcphone.store import StoreUnavailable, store_of
from llcphone.tools.call_handle import CallHandle  # noqa: TC001  (tools are read by their annotations)
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.store import Appointment

TRIES = 3
"""How often a code may be read back."""

_MAY_TEXT = "a code by text"


async def known(house: House, call: CallHandle) -> Json:
    """What may be revealed about the caller; keeps the customer's id once that is proved."""
    if not is_number(person(call)):
        return {"found": False, "why": "their number is withheld: take what they want as a note"}
    store = store_of(call)
    customer = await store.find_customer(person(call))
    if customer is None:
        return {"found": False, "why": "a new customer: ask their name; book_appointment takes it"}
    if not (house.vouched(call) or call.state.get("proved")):
        return {"found": True, "proved": False, "do": "ask whether you may text a code to this number"}
    call.state["customer"] = customer.id
    appointments = [told(house, each) for each in await store.appointments(customer.id)]
    found = {"found": True, "proved": True, "name": customer.name, "appointments": appointments}
    return found | ({"remarks": customer.remarks} if customer.remarks else {})


def told(house: House, appointment: Appointment) -> Json:
    """An appointment as the model reads it."""
    return {"id": appointment.id, "when": house.say(appointment.starts_at), "what": appointment.what}


def add_lookup(agent: Agent, house: House) -> None:
    """``lookup_customer``, and the same look-up by itself while the agent greets."""

    @agent.on_start
    async def look_up_silently(call: CallHandle) -> None:
        try:
            found = await known(house, call)
        except StoreUnavailable:
            return  # the tool will say so, if the agent asks
        if found.get("proved") is False:
            agreed(call, _MAY_TEXT)
        call.tell("lookup_customer", {}, found)

    @offer(agent, lean=True, target_s=TARGETS_S["lookup_customer"])
    async def lookup_customer(call: CallHandle, may_text: bool = False, code: str = "") -> Json:
        """Who calls, by the number they call from.

        Args:
            may_text: they agreed to be texted a code, as this has asked for.
            code: the code they read back.
        """
        state = call.state
        if code and "code" in state and state.get("tries", 0) < TRIES:
            state["tries"] = state.get("tries", 0) + 1
            digits = "".join(digit for digit in code if digit in "0123456789")
            state["proved"] = secrets.compare_digest(digits, state["code"])
        found = await known(house, call)
        if found.get("proved") is not False:
            return found
        if state.get("tries", 0) >= TRIES:
            return found | {"do": "that was the last try: tell nothing, and escalate_to_human"}
        if "code" in state:
            return found | {
                "do": "no right code yet: ask them to read it to you" if code else "ask for the code"
            }
        if agreed(call, _MAY_TEXT) and may_text:
            return found | await _text_code(house, call)
        return found


async def _text_code(house: House, call: CallHandle) -> Json:
    code = f"{secrets.randbelow(1_000_000):06}"
    text = house.sentence("text_code", company=house.config.company.name, code=code)
    outcome = await call.send_sms("caller", text)
    if not outcome.ok:
        return {"do": "no code could be texted: tell nothing, and escalate_to_human"}
    call.state["code"] = code
    return {"do": "a code was texted: ask them to read it to you, then use this with it"}
