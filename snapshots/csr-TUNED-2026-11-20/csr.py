"""Customer service with a database: books and moves appointments, notes, escalates. Copy and edit it.

Who calls is looked up while the agent greets, and told to it silently (``identity``). What is theirs is
told and changed only when they have proved who they are, and every change is read back before it is saved:
both are code.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import llcphone
from llcphone import CallHandle, ToolContext
from llcphone.modes.base import House, Json, agreed, make_agent, offer, person
from llcphone.modes.desk import TARGETS_S, add_notes, add_sms, put_through
from llcphone.modes.diary import Diary
from llcphone.modes.identity import add_lookup, known, told
from llcphone.store import store_of
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from llcphone import Agent

PROMPT = """You serve customers. A look-up of who calls may reach you while you greet: use it, do not
mention it. With no look-up, use lookup_customer. If it asks for proof, do as it says; until then tell
nothing of the records. Appointments: check_availability for free times, then book_appointment. Its first
use saves nothing: it gives you what to read back. Read it back, ask if that is right, and use it again
with the same values only after their yes. To move an appointment, give its id as instead_of.
Before the call ends, use add_call_note once: what was wanted, what was done.
If you cannot help, or they want a person: escalate_to_human, with a summary."""

DURATION_MIN = 30


def make(house: House) -> Agent:
    """The agent."""
    settings: dict[str, Json] = {"silence": {"after_s": 15.0}, "filler": {"tool_after_ms": 4_000}}
    prompt = house.prompt("csr", PROMPT)
    agent = make_agent(house, "csr", prompt, voice="cedar", cache_key="llc-csr-v1", settings=settings)
    add_lookup(agent, house)
    diary = Diary(house)

    @offer(agent, target_s=TARGETS_S["get_appointments"])
    async def get_appointments(call: CallHandle) -> Json:
        """The caller's appointments to come, with their ids."""
        if (customer_id := call.state.get("customer")) is None:
            return {"error": "not known yet who calls: lookup_customer"}
        return {
            "appointments": [told(house, each) for each in await store_of(call).appointments(customer_id)]
        }

    @offer(agent, target_s=TARGETS_S["check_availability"])
    async def check_availability(day: datetime.date, call: CallHandle) -> Json:
        """Free times of a day.

        Args:
            day: which day.
        """
        slots = await diary.free(call, day, DURATION_MIN)
        return {"free": [f"{slot.starts_at:%H:%M}" for slot in slots][:12]}

    @offer(agent, target_s=TARGETS_S["book_appointment"])
    async def book_appointment(
        day: datetime.date,
        time: datetime.time,
        what: str,
        call: CallHandle,
        tool: ToolContext,
        instead_of: int | None = None,
        name: str = "",
    ) -> Json:
        """Book or move an appointment. The first use saves nothing and says what to read back.

        Args:
            day: which day.
            time: when it begins, in local time.
            what: what it is for.
            instead_of: id of the appointment to be moved.
            name: the caller's, if they are a new customer.
        """
        diary.check(day)
        store, customer_id = await diary.store(call), call.state.get("customer")
        starts_at = datetime.datetime.combine(day, time.replace(tzinfo=None))
        if customer_id is None and (why := await _no_stranger(house, call, name)):
            return {"saved": False, "why": why}
        theirs = [] if customer_id is None else await store.appointments(customer_id)
        if instead_of is not None and instead_of not in [each.id for each in theirs]:
            return {"saved": False, "why": "they have no such appointment: get_appointments"}
        if not agreed(call, f"{starts_at} {instead_of} {name} {' '.join(what.casefold().split())}"):
            read_back = "read_back_moved" if instead_of else "read_back"
            return {
                "saved": False,
                "read_back": house.sentence(read_back, when=house.say(starts_at), what=what),
                "do": "ask if that is right; after their yes, again",
            }
        if customer_id is None:
            customer_id = call.state["customer"] = (await store.add_customer(name, person(call))).id
        if instead_of is not None:
            done = await store.reschedule(instead_of, starts_at)
        else:
            done = await store.book(customer_id, starts_at, DURATION_MIN, what=what, key=tool.key)
        return {"saved": True, **told(house, done)}

    @offer(agent, target_s=TARGETS_S["escalate_to_human"])
    async def escalate_to_human(reason: str, summary: str, call: CallHandle, tool: ToolContext) -> Json:
        """Hand the caller over to a person, who is told the summary first.

        Args:
            reason: why.
            summary: who calls, what they want, what was done.
        """
        done = await put_through(house, call, house.human, summary=summary, warm=True)
        outcome, who = "escalated" if done["ok"] else "nobody there", call.state.get("customer")
        try:
            note = f"{reason}: {summary}"
            kept = await store_of(call).add_note(call.call_id, who, note, outcome, key=tool.key)
        except llcphone.LLCPhoneError:
            kept = False  # a person matters more
        return done if kept else done | {"note": "not kept"}

    add_notes(agent)
    add_sms(agent)
    return agent


async def _no_stranger(house: House, call: CallHandle, name: str) -> str:
    """Why somebody whom nobody knows cannot book; empty: they can, under this name."""
    if not is_number(person(call)):
        return "their number is withheld: take what they want as a note"
    if (await known(house, call))["found"]:
        return "this number is a customer's: lookup_customer, and proof, come first"
    return "" if name else "not known who calls: ask their name"
