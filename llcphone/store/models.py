"""What goes into the store and comes out of it: plain values, no table and no thread in sight.

Times of people's appointments are aware datetimes. Whatever names a person hides in ``repr``, so that it
reaches no log by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import datetime

_hidden = attrs.field(repr=False)


def _hidden_text() -> Any:
    return attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Customer:
    """A person the business knows."""

    id: int
    name: str = _hidden
    phone: str = _hidden
    """E.164; one customer per number."""
    email: str = _hidden_text()
    remarks: str = _hidden_text()
    """What the agent should know about them."""


@attrs.frozen(kw_only=True)
class Appointment:
    """A time that is taken."""

    id: int
    customer_id: int | None
    starts_at: datetime.datetime
    ends_at: datetime.datetime
    what: str = _hidden_text()
    calendar: str = "main"
    cancelled: bool = False


@attrs.frozen
class Slot:
    """A time that is free."""

    starts_at: datetime.datetime
    ends_at: datetime.datetime


@attrs.frozen(kw_only=True)
class Message:
    """A message that one person left for another."""

    name: str = _hidden
    number: str = _hidden
    reason: str = _hidden
    urgency: str = "normal"
    for_whom: str = _hidden_text()
    call_id: str = ""
    key: str = ""
    """Idempotency key (``ToolContext.key``): the same message is kept once."""
    taken_at: float = 0.0
    """Unix time; 0: now."""


@attrs.frozen(kw_only=True)
class Note:
    """What an agent wrote down about a call or a customer."""

    text: str = _hidden
    call_id: str = ""
    customer_id: int | None = None
    outcome: str = ""
    key: str = ""
    written_at: float = 0.0


@attrs.frozen(kw_only=True)
class ToolCall:
    """One run of a tool in a call; what it was asked and answered is not kept."""

    name: str
    at_ms: int
    """Since the call's birth."""
    took_ms: int | None = None
    ok: bool | None = None
    """None: the call ended first."""


@attrs.frozen(kw_only=True)
class CallSummary:
    """A call that has ended, in one row."""

    id: str
    call_sid: str
    direction: str
    agent: str
    caller: str = _hidden
    dialled: str = _hidden
    context: str = _hidden_text()
    """What an outbound call was about."""
    reason: str
    """Why it ended, as ``EndReason`` says it; unanswered and machine outcomes too."""
    answered: bool
    """Its media stream started."""
    born_at: float
    ended_at: float
    duration_s: float
    turns: int
    barge_ins: int
    cost_usd: float | None = None
    failure: str = ""
    run_number: int = 0
    resumed_from: str = ""
    slowest_ms: int | None = None
    """The longest that the caller waited for an answer."""
    attention: str = ""
    """Why somebody should look at it."""


@attrs.frozen(kw_only=True)
class CallDetails:
    """All that is kept of a call."""

    summary: CallSummary
    runs: tuple[str, ...] = ()
    """The ids of all runs of this telephone call, the first one first."""
    record: dict[str, Any] = _hidden
    """The rest of its record."""
    turns: tuple[dict[str, Any], ...] = ()
    tools: tuple[ToolCall, ...] = ()
    lines: tuple[dict[str, Any], ...] = attrs.field(default=(), repr=False)
    """What was said and heard; empty if no transcript was kept, or no longer."""
    messages: tuple[Message, ...] = ()
    notes: tuple[Note, ...] = ()
