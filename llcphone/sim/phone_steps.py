"""What the parts of a simulated call pass to each other: where it goes next, and what all calls share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin

import attrs

from llcphone.sim.phone_record import CallFaults, EndedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.sim.phone_http import Route, Webhooks
    from llcphone.sim.phone_twiml import Verb


@attrs.frozen
class DialOutcome:
    """How a number that TwiML dials behaves."""

    status: str = "completed"
    """``completed``, ``busy``, ``no-answer``, ``failed`` or ``canceled``."""
    ring_s: float = 3.0
    talk_s: float = 10.0


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
    faults: CallFaults = attrs.field(factory=CallFaults)


@attrs.frozen(kw_only=True)
class RingOut:
    """Ring the party of an outbound call, then go on with the document."""

    callee: Callee
    then: Fetch | Document
    timeout_s: int = 60
    detection: str = ""
    """``MachineDetection`` of the REST request."""
    detection_url: str = ""
    """Where an asynchronous verdict goes; without one, the call waits for the verdict in silence."""
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
