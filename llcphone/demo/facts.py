"""What is known of a call of the demo: plain facts, each from one side's point of view.

Times of the telephone are its own milliseconds since it rang (of a call we place: since Twilio was asked);
``Facts.call_ms`` brings them to the clock of the call record, milliseconds since the call was born at the
server. Moments in seconds are Trio's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.demo.lateness import Stall, stalled_s

if TYPE_CHECKING:
    from llcphone.call.record import CallRecord
    from llcphone.sim.model import ModelSession, ModelSimulator
    from llcphone.sim.model.conversation import Item


@attrs.frozen(kw_only=True)
class ModelFacts:
    """What the simulated Realtime API saw of one session."""

    refusals: list[str]
    """Why handshakes were turned away."""
    live_sessions: int
    """Sockets still open when all calls were over."""
    dialect: str
    items: list[Item]
    instructions: str = ""
    primed_s: float | None = None
    """When the response that warms inference was done."""
    closed_s: float | None = None
    """When the session's socket ended; None while it is open."""

    @classmethod
    def of(cls, model: ModelSimulator, session: ModelSession) -> ModelFacts:
        """What there is to know when the calls are over."""
        primed = [each.done_s for each in session.responses if not each.in_conversation]
        return cls(
            refusals=model.refusals,
            live_sessions=model.live_sessions,
            dialect=session.dialect.value,
            items=[*session.conversation.items, *session.conversation.deleted],
            instructions=session.config.get("instructions", ""),
            primed_s=primed[0] if primed else None,
            closed_s=session.link.closed_s,
        )

    @property
    def caller_turns(self) -> int:
        """How often it took what came in for speech."""
        return sum(item.type == "message" and item.role == "user" for item in self.items)


@attrs.frozen(kw_only=True)
class PhoneFacts:
    """What the simulated Twilio saw, and what its caller heard. Times are ms since it rang."""

    born_s: float
    """When it rang."""
    forged_statuses: list[int]
    """HTTP answers to a webhook with a wrong signature."""
    requests: list[tuple[str, int, int]]
    started_ms: float | None
    gave_up: str
    """What the caller waited for in vain."""
    errors: list[tuple[int, str]]
    said: list[tuple[float, float]]
    """(start, length) of what the caller said."""
    ear: list[tuple[float, float]]
    """(start, length) of each stretch of agent audio that was really heard."""
    clears: list[float]
    media: list[tuple[float, float]]
    """(arrival, length) of every media message."""
    open_streams: int
    answered_ms: float | None = None
    """When a callee picked up."""

    def heard_between(self, from_ms: float, to_ms: float) -> float:
        """Agent audio that the caller heard in that time, in ms."""
        return sum(max(0.0, min(at + length, to_ms) - max(at, from_ms)) for at, length in self.ear)


@attrs.frozen
class Entry:
    """One line of the timeline."""

    at_ms: int
    """Since the call was born at the server."""
    party: str
    """``server``, ``phone`` or ``log``."""
    kind: str
    fields: dict[str, Any] = attrs.field(factory=dict)
    words: str = ""


@attrs.define(kw_only=True)
class Facts:
    """Everything that is known when the call is over; None where a side never reported."""

    own: list[str] = attrs.field(factory=list)
    """Names of the user's own recordings, if the caller spoke those: less is known of what should happen."""
    dialect: str = ""
    """What the phone found out by asking."""
    born_s: float = 0.0
    """The call's birth at the server."""
    record: CallRecord | None = None
    model: ModelFacts | None = None
    phone: PhoneFacts | None = None
    timeline: list[Entry] = attrs.field(factory=list)
    stalls: list[Stall] = attrs.field(factory=list)
    """When this process was woken late."""
    tasks_left: list[str] = attrs.field(factory=list)
    sockets_left: int = 0

    def shared_ms(self, at_s: float) -> float:
        """A moment on the clock of the call record."""
        return (at_s - self.born_s) * 1000

    def call_ms(self, phone_ms: float) -> float:
        """A moment of the telephone on the clock of the call record."""
        return phone_ms if self.phone is None else phone_ms + self.shared_ms(self.phone.born_s)

    def phone_ms(self, call_ms: float) -> float:
        """A moment of the call record's clock on the telephone's."""
        return call_ms - self.call_ms(0)

    def late_ms(self, from_ms: float, until_ms: float) -> float:
        """What of that time, on the telephone's clock, was the machine's: this process could not run."""
        if self.phone is None:
            return 0.0
        born_s = self.phone.born_s
        return 1000 * stalled_s(self.stalls, born_s + from_ms / 1000, born_s + until_ms / 1000)

    def notes(self, kind: str) -> list[Entry]:
        """Timeline entries of the server, by kind."""
        return [entry for entry in self.timeline if entry.party == "server" and entry.kind == kind]


@attrs.define(kw_only=True)
class OutboundFacts:
    """The calls that were placed."""

    guest: Facts = attrs.field(factory=Facts)
    """The name of the agent that answers."""
    busy: Facts = attrs.field(factory=Facts)
    """Whose line is busy."""
    orders: list[str] = attrs.field(factory=list)
    """The number of every order that REST took: the same twice is somebody dialled twice."""
