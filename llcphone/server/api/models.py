"""What goes over the API's wire, as types: they check requests, and the OpenAPI document is made of them.

Numbers of people are whole in here; `CallView.masked` is what leaves without ``?numbers=1``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

BODY_LIMIT = 65_536
"""Bytes of a request's body."""

Number = Annotated[
    str,
    Meta(
        pattern=r"^\+[1-9][0-9]{5,14}$",
        description="A telephone number as E.164: +, country code, number.",
        examples=["+14155552671"],
    ),
]
OwnNumber = Annotated[
    str,
    Meta(
        pattern=r"^(\+[1-9][0-9]{5,14})?$",
        description='One of our own numbers, which the callee sees; "" is the first of them.',
    ),
]
Line = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=8_000)]


class NewCall(Struct, forbid_unknown_fields=True):
    """Whom to ring, and what about."""

    to: Number
    context: Annotated[
        Text, Meta(description="What this call is about; it stands last in the agent's prompt.")
    ] = ""
    caller_id: OwnNumber = ""
    agent: Annotated[str, Meta(max_length=100, description='Who speaks, by name; "" is the usual agent.')] = (
        ""
    )


class LegacyCall(Struct):
    """The body of the original's ``POST /outbound-call``; what it does not know is ignored, as there."""

    to: Number
    caller_name: Line = ""
    company_name: Line = ""
    appointment_date: Line = ""
    appointment_time: Line = ""
    purpose: Text = ""
    scenario: Annotated[str, Meta(max_length=100)] = ""
    prospect_context: Text = ""
    custom_instructions: Text = ""


State = Literal["warming", "dialling", "ringing", "answered", "talking", "ended"]


class CallView(Struct):
    """A call: live, or ended and still remembered."""

    id: str
    state: Annotated[
        State,
        Meta(
            description="warming: the model is made ready; dialling: Twilio was asked; talking: audio flows."
        ),
    ]
    direction: Literal["inbound", "outbound"]
    agent: str
    to: Annotated[str, Meta(description="Masked to its last two digits unless ?numbers=1.")]
    from_: str = msgspec.field(name="from")
    call_sid: Annotated[str | None, Meta(description="Twilio's id, once it is known.")]
    created_at: Annotated[float, Meta(description="Unix time.")]
    dialled_after_ms: int | None
    answered_after_ms: int | None
    talking_after_ms: int | None
    duration_s: Annotated[float | None, Meta(description="Birth to end; null while it lasts.")]
    answered_by: Annotated[str | None, Meta(description="Twilio's verdict of who answered.")]
    reason: Annotated[str | None, Meta(description="Why it ended.")]

    def masked(self) -> Self:
        """The same without the numbers of people."""
        return msgspec.structs.replace(self, to=masked_number(self.to), from_=masked_number(self.from_))


class CallDetail(CallView):
    """A call with its record, once it has ended."""

    record: Annotated[
        dict[str, Any] | None,
        Meta(description="Null while the call lives, and of old ones after many long calls."),
    ] = None


class CallList(Struct):
    """The calls, newest first."""

    calls: list[CallView]


class LegacyReply(Struct):
    """What the original answered."""

    success: bool
    call_sid: Annotated[str, Meta(description='"" when Twilio has not told it within ten seconds.')]
    to: str
    scenario: str
    id: Annotated[str, Meta(description="For GET /calls/{id}.")]


class PublicUrl(Struct, rename="camel"):
    """Where Twilio reaches this server."""

    public_url: str


class ErrorBody(Struct):
    """What went wrong, and how to fix it."""

    code: str
    message: str
    fix: str


class ErrorReply(Struct):
    """Every error of the API."""

    error: ErrorBody


class CallEvent(Struct, omit_defaults=True):
    """Something that happened in a call; ``kind`` and ``fields`` are those of the engine's ``Note``."""

    call: str
    at: float
    kind: str
    fields: dict[str, Any] = {}
    words: str = ""

    def wordless(self) -> CallEvent:
        """The same without what was said."""
        return msgspec.structs.replace(self, words="")


def masked_number(number: str) -> str:
    """A number but for its last two digits: ``…71``; nothing of what is no number, such as an address."""
    return f"…{number[-2:]}" if re.fullmatch(r"\+?[0-9]{4,}", number) else "…" if number else ""
