"""What the parts of a simulated call pass to each other: where it goes next, and what all calls share."""

from __future__ import annotations

import uuid
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urljoin

import attrs
import trio

from llcphone.sim.twilio.record import CallFaults, EndedBy
from llcphone.sim.twilio.unknowns import Unknowns

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from llcphone.sim.twilio.handset import Handset
    from llcphone.sim.twilio.http import Route, Webhooks
    from llcphone.sim.twilio.record import CallLog
    from llcphone.sim.twilio.twiml import Verb


@attrs.frozen
class DialOutcome:
    """How a number that TwiML dials behaves."""

    status: str = "completed"
    """``completed``, ``busy``, ``no-answer``, ``failed`` or ``canceled``."""
    ring_s: float = 3.0
    talk_s: float = 10.0
    presses: str = ""
    """Pressed when the whisper asks for a key."""
    leaves: bool = False
    """Hangs up when the whisper is over."""
    unjoined: str = "completed"
    """``DialCallStatus`` when it answered and was not joined."""


@attrs.frozen
class Exchange:
    """What all calls of one simulated Twilio share."""

    account_sid: str
    auth_token: str
    route: Route
    webhooks: Webhooks
    fallback_url: str | None
    dial_outcome: Callable[[str], DialOutcome]
    play_s: float
    """How long any ``<Play>`` of a URL lasts; the file is not fetched."""
    own_numbers: set[str] = attrs.field(factory=set)
    """What calls may come from: the account's number, and verified ones."""
    unknowns: Unknowns = attrs.field(factory=Unknowns)
    rooms: dict[str, Room] = attrs.field(factory=dict, init=False)
    """Conferences that anybody is in, by name."""
    _epoch: tuple[datetime, float] = attrs.field(
        factory=lambda: (datetime.now(UTC), trio.current_time()), init=False
    )

    def wall_time(self, at: float) -> datetime:
        """Wall-clock time of a moment of Trio's clock: they go on together, also in virtual time."""
        began, began_at = self._epoch
        return began + timedelta(seconds=at - began_at)


@attrs.define(eq=False)
class Room:
    """A conference that has participants; ``conference`` runs it."""

    name: str
    sid: str = attrs.field(factory=lambda: make_sid("CF"))
    inside: dict[str, CallLog] = attrs.field(factory=dict)
    """The participants' calls, by SID, in the order of entering."""
    ears: dict[str, Callable[[str], None]] = attrs.field(factory=dict)
    """Of those who are somebody outside, by SID: given each frame of the others."""
    start: trio.Event = attrs.field(factory=trio.Event)
    """Participants hear each other."""
    over: trio.Event = attrs.field(factory=trio.Event)
    callback: str = ""
    wanted: frozenset[str] = frozenset()
    """Events that ``callback`` receives."""
    sequence: int = 0


@attrs.define
class StatusCallbacks:
    """Where the server receives the status of a call, and what of it; ``outbound`` sends it."""

    url: str = ""
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    muted: bool = False
    """The call is queued: if it is canceled now, nothing is sent."""
    sequence: int = 0
    held: list[dict[str, str]] = attrs.field(factory=list)
    unsent: deque[dict[str, str]] = attrs.field(factory=deque)
    sending: bool = False
    chance: random.Random | None = None


@attrs.frozen
class Fetch:
    """Ask this URL what to do next."""

    purpose: str
    url: str
    method: str = "POST"
    params: Mapping[str, str] = attrs.field(factory=dict)
    first: bool = False
    """The webhook that opens the call: faults and the fallback URL apply to it."""


@attrs.frozen
class Document:
    """TwiML and the URL it came from, against which its URLs are resolved."""

    text: str
    url: str


@attrs.frozen
class Callee:
    """How the party of an outbound call behaves."""

    outcome: str = "answers"
    """``answers``, ``busy``, ``no-answer`` or ``failed``."""
    ring_s: float = 2.0
    answered_by: str = "human"
    """What machine detection finds: ``human``, ``machine_start``, ``machine_end_beep``, ``unknown`` ..."""
    detection_s: float = 4.0
    says: bytes = b""
    """Said on picking up, as µ-law; what is said before the stream has started is lost."""
    hangs_up_after_s: float | None = None
    """How long after answering; None: the code that drives the call does it."""
    refused: int | None = None
    """Twilio refuses to call this number, with this code: 21211, 21214, 21215 ..."""
    faults: CallFaults = attrs.field(factory=CallFaults)
    handset: Handset | None = None
    """Rings there; whoever holds it decides ``outcome``, ``ring_s`` and ``answered_by``."""
    arrive: Callable[[Any], Any] | None = None
    """It is a number of the account: makes the call that arrives there."""

    def verdict(self, detection: str, timeout_s: float) -> tuple[float, str]:
        """What detection in this mode says, and how long after the answer.

        ``Enable`` reports a machine when it starts, ``DetectMessageEnd`` when its greeting is over.
        """
        found = self.answered_by
        if found.startswith("machine_"):
            if detection == "Enable":
                found = "machine_start"
            elif found == "machine_start":
                found = "machine_end_other"
        return (self.detection_s, found) if self.detection_s <= timeout_s else (timeout_s, "unknown")


@attrs.frozen(kw_only=True)
class RingOut:
    """Ring the party of an outbound call, then go on with the document."""

    callee: Callee
    then: Fetch | Document
    timeout_s: int = 60
    queued_s: float = 0.0
    """Longer in the queue, because calls are begun at a limited rate per second."""
    detection: str = ""
    """``MachineDetection`` of the REST request."""
    detection_url: str = ""
    """Where an asynchronous verdict goes; without one, the call waits for the verdict in silence."""
    detection_timeout_s: int = 30
    send_digits: str = ""


Step: TypeAlias = RingOut | Fetch | Document | EndedBy


def absolute(base: str, url: str) -> str:
    """A URL of a document, resolved; what is no URL stays as it is and fails where it is used."""
    try:
        return urljoin(base, url)
    except ValueError:
        return url


def action_of(verb: Verb, base: str, params: Mapping[str, str]) -> Fetch | None:
    """The ``action`` URL of a verb, if it has one."""
    if "action" not in verb.attributes:
        return None
    url = absolute(base, verb.get("action"))
    return Fetch(f"<{verb.name}> action", url, verb.get("method", "POST").upper(), params)


def make_sid(prefix: str) -> str:
    """A fresh id as Twilio makes them: two letters and 32 hex digits."""
    return prefix + uuid.uuid4().hex
