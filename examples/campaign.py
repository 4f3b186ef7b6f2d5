"""A campaign in a plain nursery: ring everybody in a CSV file, five at a time, and print what became of it.

Nothing schedules, retries or stores here: your program does, in its own way. Ctrl-C lets the live calls
end and dials no more; leaving the nursery by an error ends all calls, and no telephone rings on.
"""

import csv
from pathlib import Path

import trio
from _vendors import vendors

import llcphone
from llcphone.errors import DialRefused, NotAdmitted
from llcphone.server import serve

PEOPLE = Path(__file__).with_name("people.csv")
agent = llcphone.Agent("You call for the restaurant Casa Verde, to confirm a reservation. Be brief.")


async def ring(phone: llcphone.Phone, person: dict[str, str], lines: trio.Semaphore) -> None:
    async with lines:
        context = f"You are calling {person['name']}, who has booked {person['booked']}."
        try:
            record = await phone.place_call(person["number"], context=context)
        except DialRefused as refusal:  # by our own guard: Twilio never heard of it
            person["result"] = f"not dialled: {refusal.code}"
        except NotAdmitted as refusal:  # this program was asked to stop, or is full
            person["result"] = f"not dialled: {refusal.reason}"
        else:
            person["result"] = f"{record.reason.value}, {len(record.turns)} answers"


async def main() -> None:
    people = list(csv.DictReader(PEOPLE.read_text("utf-8").splitlines()))
    async with (
        vendors(rings=False) as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),
        trio.open_nursery() as nursery,
    ):
        await nursery.start(serve, phone, config)
        lines = trio.Semaphore(5)
        async with trio.open_nursery() as campaign:
            for person in people:
                campaign.start_soon(ring, phone, person, lines)
        for person in people:
            print(f"{person['name']:<14} {person['booked']:<42} {person['result']}")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
