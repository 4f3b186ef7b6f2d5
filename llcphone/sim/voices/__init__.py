"""Recorded speech for simulated calls: a caller and an agent, raw 8 kHz µ-law.

The words of each recording stand in ``TEXTS``; ``make.sh`` speaks exactly these with
espeak-ng (see README.md), so the words and the sound cannot drift apart.
"""

from __future__ import annotations

from importlib.resources import files

CALLER = {
    "hello_opening_hours": "Hello! Could you tell me your opening hours please?",
    "book_table": "I would like to book a table for two at seven tonight, please.",
    "interrupt_wait": "Wait, wait, sorry, what about Sunday?",
    "yes_please": "Yes, please.",
    "goodbye": "Great, thank you very much. Good bye!",
    "buy_bicycles": "Hello. I would like to buy two bicycles. Could I speak to somebody in sales, please?",
    "brakes_fail": "Hello. The brakes of my new bicycle do not work. Who can help me?",
    "somebody_please": "Hello. Could you put me through to somebody who can help me, please?",
    "next_free_time": "Hello. I would like to have my bicycle serviced. When is the next free time?",
    "appointment_please": "Hello. I would like to make an appointment. When is the next free time?",
    "hello": "Hello?",
    "will_be_there": "Yes, I will be there. Thank you for calling.",
}
"""What the caller says: a male voice."""

AGENT = {
    "greeting": "Hello, this is Casa Verde. How can I help you?",
    "hours": "We are open from Tuesday to Saturday, from noon until ten in the evening.",
    "long_answer": (
        "From Tuesday to Thursday we open at noon and close at nine. On Friday and Saturday we "
        "stay open until eleven, with live music from eight. The kitchen closes one hour before. You can "
        "sit in the garden."
    ),
    "booking_ok": "Done. A table for two, tonight at seven. Is there anything else I can do for you?",
    "sunday": "On Sunday we are open from noon until four, for lunch only.",
    "farewell": "You are welcome. Good bye, and see you soon!",
    "apology": "I am sorry, we have a technical problem. Please call again in a few minutes. Good bye.",
    "one_moment": "One moment, please.",
    "shop_greeting": "Harbour Bicycles, this is Avery. How can I help you?",
    "to_sales": "Of course. One moment, I am putting you through to sales.",
    "to_support": "I am sorry to hear that. One moment, I am putting you through to support.",
    "put_through": "Of course. One moment, I am putting you through.",
    "nobody_there": "Nobody is there at the moment. May I take a message?",
    "message_taken": "I have noted that, and somebody will call you back.",
    "free_at_nine": "The next free time is tomorrow at nine in the morning. Shall I book it for you?",
    "booked_at_nine": "It is booked: tomorrow at nine in the morning.",
    "cannot_do_that": "I am sorry, I cannot do that. May I take a message?",
    "thanks": "Thank you for calling. Good bye.",
    "shop_reminder": (
        "Good day, this is Avery of Harbour Bicycles. Your bicycle service is tomorrow at nine in the "
        "morning. Can you still come?"
    ),
    "see_you_tomorrow": "Wonderful, I have noted that. See you tomorrow, good bye!",
}
"""What the agent says: a female voice; ``apology`` and ``one_moment`` are recovery fillers."""

TEXTS = CALLER | AGENT
"""The words of every recording, by its name."""


def names() -> list[str]:
    """The recordings there are, sorted."""
    return sorted(TEXTS)


def load(name: str) -> bytes:
    """One recording as raw 8 kHz µ-law.

    Raises:
        KeyError: there is no recording of that name.
    """
    if name not in TEXTS:
        raise KeyError(f"no recording {name!r}; there are {', '.join(names())}")
    return files(__name__).joinpath(f"{name}.ulaw").read_bytes()
