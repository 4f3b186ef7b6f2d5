"""Requests and answers of the API as types: they check requests, and the OpenAPI document is made of them.

Telephone numbers are complete in these types; `CallView.masked` is sent unless the client asks
``?numbers=1``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from llcphone.telemetry.redaction import masked_number
from llcphone.validation.phone_numbers import E164

BODY_LIMIT = 65_536
"""Bytes of a request's body."""

Number = Annotated[
    str,
    Meta(
        pattern=f"^{E164}$",
        description="A telephone number as E.164: +, country code, number.",
        examples=["+14155552671"],
    ),
]
OwnNumber = Annotated[
    str,
    Meta(
        pattern=f"^({E164})?$",
        description='One of our own numbers, which the callee sees; "" is the first of them.',
    ),
]
Line = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=8_000)]


class NewCall(Struct, forbid_unknown_fields=True):
    """Whom to call, and what about."""

    to: Number
    context: Annotated[
        Text, Meta(description="What this call is about; the last part of the agent's prompt.")
    ] = ""
    caller_id: OwnNumber = ""
    agent: Annotated[str, Meta(max_length=100, description='Who speaks, by name; "" is the usual agent.')] = (
        ""
    )


class LegacyCall(Struct):
    """The body of ``POST /outbound-call`` of llc-phone 3; unknown fields are ignored, as there."""

    to: Number
    caller_name: Line = ""
    company_name: Line = ""
    appointment_date: Line = ""
    appointment_time: Line = ""
    purpose: Text = ""
    scenario: Annotated[str, Meta(max_length=100)] = ""
    prospect_context: Text = ""
    custom_instructions: Text = ""


class Said(Struct, forbid_unknown_fields=True):
    """The body of ``say`` and ``tell``."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"\S")]


class TransferTo(Struct, forbid_unknown_fields=True):
    """Where the caller is transferred to."""

    to: Annotated[str, Meta(max_length=100, description="The name of a destination of [transfers].")]
    summary: Annotated[
        str, Meta(max_length=1_000, description="What the call is about, for the colleague.")
    ] = ""


class Digits(Struct, forbid_unknown_fields=True):
    """Keys to press."""

    digits: Annotated[
        str,
        Meta(
            pattern="^[0-9*#wW]{1,32}$", description="w waits half a second, W a second.", examples=["12w#"]
        ),
    ]


class Verdict(Struct, forbid_unknown_fields=True):
    """Whether a tool may run that waits for somebody's approval."""

    approval: Annotated[str, Meta(max_length=200, description="Its id, as the call shows it.")]
    allow: bool
    why: Annotated[str, Meta(max_length=500, description="Why not; the model reads it.")] = ""


class Checked(Struct):
    """Whether a call would be placed now."""

    allowed: bool
    why: str = ""
    fix: str = ""


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
    dialled_after_ms: Annotated[
        int | None,
        Meta(description="This and the next two are unknown in a list of calls of earlier processes."),
    ]
    answered_after_ms: int | None
    talking_after_ms: int | None
    duration_s: Annotated[float | None, Meta(description="Birth to end; null while it lasts.")]
    answered_by: Annotated[str | None, Meta(description="Twilio's verdict of who answered.")]
    reason: Annotated[str | None, Meta(description="Why it ended.")]

    def masked(self) -> Self:
        """The same without the numbers of people."""
        return msgspec.structs.replace(self, to=masked_number(self.to), from_=masked_number(self.from_))


class Approval(Struct):
    """A tool that waits for somebody's approval."""

    id: str
    tool: str
    arguments: Annotated[dict[str, Any] | None, Meta(description="Null unless ?words=1.")]


class CallDetail(CallView):
    """A call with its record, once it has ended."""

    record: Annotated[
        dict[str, Any] | None,
        Meta(description="Null while the call lives, and of old ones after many long calls."),
    ] = None
    approvals: Annotated[list[Approval], Meta(description="Tools that wait for an approval.")] = []

    def wordless(self) -> Self:
        """The same without what was said."""
        asked = [msgspec.structs.replace(each, arguments=None) for each in self.approvals]
        record = None if self.record is None else {**self.record, "transcript": ()}
        return msgspec.structs.replace(self, record=record, approvals=asked)


class CallList(Struct):
    """A page of calls: live ones first, then those that ended, each the newest first."""

    calls: list[CallView]
    next: Annotated[
        str | None, Meta(description="The cursor of the next page; null: there are no more calls.")
    ] = None

    def masked(self) -> CallList:
        """The same without the numbers of people."""
        return CallList([view.masked() for view in self.calls], self.next)


class LegacyReply(Struct):
    """The answer of llc-phone 3."""

    success: bool
    call_sid: Annotated[str, Meta(description='"" when Twilio has not sent it within ten seconds.')]
    to: str
    scenario: str
    id: Annotated[str, Meta(description="For GET /calls/{id}.")]


class PublicUrl(Struct, rename="camel"):
    """Where Twilio reaches this server."""

    public_url: str


class Problem(Struct, omit_defaults=True):
    """Every error of the API: problem details (RFC 9457), with ``code`` and ``fix`` as members of our own."""

    type: Annotated[str, Meta(description="A URI for this kind of error; about:blank: see the status.")]
    title: Annotated[str, Meta(description="The kind of error, for people.")]
    status: int
    detail: Annotated[str, Meta(description="What is wrong with this request.")]
    code: Annotated[str, Meta(description="The kind of error, for programs; it does not change.")]
    fix: Annotated[str, Meta(description="What the client or the operator can do.")]
    success: Annotated[bool | None, Meta(description="False; POST /outbound-call only.")] = None
    error: Annotated[str | None, Meta(description="The detail again; POST /outbound-call only.")] = None


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
