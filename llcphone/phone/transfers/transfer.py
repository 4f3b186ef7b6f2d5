"""One transfer: a caller who has left their agent, or is about to."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import attrs

from llcphone.call import node_names
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.call.call import Call
    from llcphone.carrier.rest import Carrier
    from llcphone.config.company import CompanyConfig
    from llcphone.config.transfers import Destination
    from llcphone.engine.resumed import Resumed


CarrierFor = Callable[[str], "Carrier"]
"""The way to Twilio's REST API for a purpose; raises ConfigError when there is no account."""

RUNG = "llcphone.rung"
"""How often each destination was rung, in the call's ``state``: the call's next run keeps counting."""
BRIEFING = "llcphone.transfer"
"""What the briefing of a colleague must know, in the ``state`` of the call to them."""


class Way(Enum):
    """How a caller leaves."""

    DIAL = "cold"
    WARM = "warm"
    VOICEMAIL = "voicemail"
    KEYS = "keys"
    JOIN = "join"
    """A colleague who was briefed joins the caller."""


@attrs.define(eq=False)
class Transfer:
    """One transfer."""

    call: Call
    """The run that lets them go."""
    way: Way
    to: str
    """The destination's name; for other ways a word of ours."""
    summary: str = attrs.field(default="", repr=False)
    digits: str = attrs.field(default="", repr=False)
    room: str = ""
    """The conference of a warm transfer."""
    fallback: bool = False
    """There is no agent to come back to."""
    token: str = attrs.field(
        default=attrs.Factory(
            lambda self: node_names.token(self.call.node, secrets.token_urlsafe(18)), takes_self=True
        ),
        repr=False,
    )
    kept: Resumed | None = attrs.field(default=None, repr=False)
    """The conversation, as it was heard."""
    answer: str = attrs.field(default="", repr=False)
    """Our answer to Twilio's first request; it may ask again."""
    accepted: bool = False
    """The colleague pressed the key that was asked for."""
    joining: bool = False
    """The colleague is on the way to the room."""
    joined: bool = False
    """The colleague is in the room, or was."""
    returning: bool = False
    """They are being fetched out of the room: that they leave it is no hang-up."""
    back: Call | None = None
    """The run they came back to."""
    gone: bool = False
    """The caller has hung up."""
    awaited_until: float = 0.0
    """Until when Twilio is expected to ask what next, by Trio's clock; later it may ask, too."""
    refused: str = attrs.field(default="", repr=False)
    """What a colleague who does not accept the call wants the caller to hear."""
    briefing: Call | None = None
    """The call to the colleague."""


def caller_id(call: Call, to: Destination, ours: Sequence[str]) -> str:
    """What a colleague is shown; empty: Twilio's default, which is the caller's number.

    That one may be withheld, or no telephone's: then Twilio does not dial (13214), unless it gets one of
    our numbers. A SIP address may be rung from anywhere.
    """
    if to.caller_id or is_number(call.caller) or not is_number(to.number):
        return to.caller_id
    known = [call.dialled] if call.dialled in ours else [*ours, call.dialled]
    return next(filter(is_number, known), "")


def is_briefing(call: Call) -> bool:
    """Whether the other side is the colleague of a warm transfer."""
    return BRIEFING in call.state


WHY = {
    "busy": "transfer_busy",
    "no-answer": "transfer_no_answer",
    "declined": "transfer_declined",
    "machine": "transfer_machine",
}
"""The sentence that says why a transfer came to nothing; anything else is a failure."""


def news_of(company: CompanyConfig, name: str, why: str, refused: str = "") -> str:
    """What the model reads when the caller is back, in the company's language."""
    because = company.sentence(WHY.get(why, "transfer_not_placed"))
    news = company.sentence("transfer_failed").format(name=name, why=because)
    return f"{news} {company.sentence('transfer_refused').format(words=refused)}" if refused else news
