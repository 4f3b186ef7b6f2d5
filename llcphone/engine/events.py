"""What can happen in a call.

Events of the two WebSockets come as they were decoded: those of the phone bare, those of the model inside
``ModelSaid`` with the number of the leg that sent them. All others are defined here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

from llcphone.twilio.media import PhoneEvent

if TYPE_CHECKING:
    from llcphone.realtime.dialects import Dialect
    from llcphone.realtime.events import ModelEvent


class EndReason(Enum):
    """Why a call ended: the first cause wins and is in the call record."""

    CALLER_HUNG_UP = "caller hung up"
    AGENT_HUNG_UP = "agent hung up"
    TRANSFERRED = "transferred"
    PHONE_LOST = "phone leg lost"
    STREAM_DEAD = "no frame from the phone"
    BAD_STREAM = "media stream of another call or format"
    NEVER_JOINED = "no media stream joined"
    START_TIMEOUT = "media stream never started"
    MODEL_UNREACHABLE = "model could not be reached"
    MODEL_REFUSED = "model refused the session"
    MODEL_LOST = "model leg lost"
    TIME_LIMIT = "time limit"
    IDLE = "nobody spoke"
    BUSY = "busy"
    NO_ANSWER = "no answer"
    CALL_FAILED = "the telephone call failed"
    CALL_CANCELED = "canceled before an answer"
    MACHINE = "a machine answered"
    DIAL_REFUSED = "Twilio refused to dial"
    NO_CALLBACK = "the carrier never said what became of the call"
    BUDGET = "budget spent"
    DRAINED = "drained"
    CANCELLED = "cancelled"
    FAILED = "failed"


@attrs.frozen
class Born:
    """The call exists: its webhook arrived or it was asked for."""


@attrs.frozen
class StreamJoined:
    """A media stream brought this call's token."""


@attrs.frozen
class PhoneLegLost:
    """The phone leg ended without ``stop``, or a send to it failed."""

    code: int = 1006


@attrs.frozen
class ModelConnected:
    """A model leg's WebSocket is open; nothing is configured yet."""

    leg_number: int
    dialect: Dialect
    """The dialect it was opened in."""
    unsupported: frozenset[str] = frozenset()
    """What its endpoint is known not to understand (``realtime.unsupported``)."""


@attrs.frozen
class ModelConnectFailed:
    """A model leg could not be opened."""

    leg_number: int
    code: str
    """A word for the record: ``refused``, ``timeout``, ``tls``, ``http_401`` ..."""
    fatal: bool = False
    """True when asking again cannot help (a bad key)."""
    retry_after_ms: int = 0


@attrs.frozen
class ModelLegLost:
    """An open model leg ended."""

    leg_number: int
    code: int = 1006
    busy: bool = False
    """The server closed it for want of capacity."""
    retry_after_ms: int = 0
    """The wait it named; 0: none."""


@attrs.frozen
class ModelSaid:
    """A decoded event of the model leg of this number."""

    leg_number: int
    event: ModelEvent


@attrs.frozen
class ModelExpires:
    """The server has named the end of a leg's session; it does so in Unix time, which is not the engine's."""

    leg_number: int
    in_ms: int


@attrs.frozen
class EndpointsDown:
    """These endpoints give no sessions, as the phone sees it from all calls; the others do."""

    numbers: tuple[int, ...]


@attrs.frozen
class ToolFinished:
    """A tool task has its answer: result, error or timeout, as JSON text."""

    call_id: str
    output: str
    ok: bool = True
    took_ms: int = 0


@attrs.frozen
class DialSent:
    """The order leaves for Twilio now; so far it waited for its turn."""


@attrs.frozen
class Dialled:
    """``calls.create`` has answered."""

    call_sid: str


@attrs.frozen
class DialFailed:
    """Twilio refused to dial; ``code`` is its own."""

    code: str


@attrs.frozen
class CarrierStatus:
    """A status callback: ``status`` in Twilio's words, ``sequence`` its ``SequenceNumber``."""

    status: str
    sequence: int
    call_sid: str = ""


@attrs.frozen
class MachineDetected:
    """The verdict of answering machine detection, in Twilio's words."""

    answered_by: str


@attrs.frozen
class HangUpAsked:
    """The agent wants to end the call once its last word was heard."""

    reason: EndReason = EndReason.AGENT_HUNG_UP
    """``TRANSFERRED``: the telephone call continues elsewhere."""
    insist: bool = False
    """If the caller speaks now, the call ends after the answer to that; else the agent decides anew."""


@attrs.frozen
class DigitsAsked:
    """Keys are to be pressed."""

    tones: tuple[bytes, ...]
    """How they sound, as base64 payloads."""


@attrs.frozen
class TurnCommitted:
    """Manual turns: the caller is done."""

    respond: bool = True
    """Whether the agent answers now."""


@attrs.frozen
class TurnCleared:
    """What the caller said since their last turn is no part of the next one."""


@attrs.frozen
class InterruptAsked:
    """The agent is to fall silent, as if the caller had barged in."""


@attrs.frozen
class ResponseAsked:
    """The agent is to speak."""


@attrs.frozen
class Instructed:
    """Somebody beside the call wants the model to know something, or the agent to say something."""

    text: str
    """What the model reads, as a system item."""
    speak: bool
    """Whether the agent speaks by it, in the next quiet moment."""
    leave: bool = False
    """The caller leaves once that was heard: the telephone call continues elsewhere."""


@attrs.frozen
class ResultTold:
    """A result that the model has not asked for: the model gets it, and no response is asked for."""

    name: str
    """The tool's that would have found it."""
    arguments: str
    output: str
    """JSON text, as of a tool."""


@attrs.frozen
class GoodbyeAsked:
    """Our side must end the call, and the caller is to hear a good-bye first."""

    reason: EndReason
    within_ms: int
    """After this time the asking side ends the call, whatever was said."""


@attrs.frozen
class EndAsked:
    """End now, for a reason that arose outside (drain limit, an API request, a bug)."""

    reason: EndReason


@attrs.frozen
class LoopHeld:
    """A tool or hook of this call or of another one held the event loop, so nothing moved until now."""

    by: str
    """``tool <name>``, ``hook <name>`` or ``brief of <agent>``."""
    ms: int


@attrs.frozen
class Tick:
    """A timer is an event: the deadline task woke because a deadline passed or something is due."""


CallEvent = (
    Born
    | StreamJoined
    | PhoneLegLost
    | ModelConnected
    | ModelConnectFailed
    | ModelLegLost
    | ModelExpires
    | EndpointsDown
    | ModelSaid
    | ToolFinished
    | DialSent
    | Dialled
    | DialFailed
    | CarrierStatus
    | MachineDetected
    | HangUpAsked
    | DigitsAsked
    | TurnCommitted
    | TurnCleared
    | InterruptAsked
    | ResponseAsked
    | Instructed
    | ResultTold
    | GoodbyeAsked
    | EndAsked
    | LoopHeld
    | Tick
)
Event = CallEvent | PhoneEvent
