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
}
"""What the agent says: a female voice; the last two are recovery fillers."""

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
