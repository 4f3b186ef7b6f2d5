"""What other rooms may know of a live call. These values are read from the engine once and then stay as
they are.

``CallEngine.status`` gives the present state, ``activity`` what else an onlooker sees, ``lines`` and
``turns`` the conversation as the caller hears it, and ``report`` the figures for the call record. Nothing
else of an engine is read outside this folder.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llcphone.engine.events import EndReason
    from llcphone.engine.resumed import Speaker
    from llcphone.realtime.dialects import Dialect

LONG_TURN = "long turn"
"""Why a session was replaced in a turn that did not end: a deaf model, or a noise without a pause."""


class Floor(Enum):
    """The party that may speak now."""

    NOBODY = "nobody"
    CALLER = "caller"
    MODEL_THINKING = "model thinking"
    AGENT = "agent"


class DialState(Enum):
    """How far the telephone of an outbound call has come."""

    IDLE = "idle"
    DIALLING = "dialling"
    """``calls.create`` was asked for."""
    RINGING = "ringing"
    """Twilio has the call: queued, initiated or ringing."""
    ANSWERED = "answered"
    OVER = "over"


@attrs.frozen
class DialStatus:
    """The telephone of an outbound call. Times are of the call's clock."""

    state: DialState
    dialled_ms: int | None
    answered_ms: int | None
    answered_by: str
    """The verdict of machine detection, in Twilio's words; empty: none."""


@attrs.frozen
class CallStatus:
    """A call at one moment. Times are of the call's clock, in milliseconds; None: not yet."""

    born_ms: int
    started_ms: int | None
    """The media stream started: somebody is on the line."""
    ready_ms: int | None
    """The first model session was configured."""
    ended: EndReason | None
    ending: bool
    """It has ended, ends when the last word was heard, or has given the model up."""
    model_ready: bool
    """There is a configured session now."""
    cold: bool
    """The set-up began anew with somebody on the line."""
    floor: Floor
    dial: DialStatus | None
    """None: they rang us."""
    dialect: Dialect | None
    """Of the present model leg."""
    call_usd: float
    """What the telephone call has cost in all its runs, as far as is known."""

    def since_birth(self, at_ms: int | None) -> int | None:
        """A time of the clock as a time of the call."""
        return None if at_ms is None else at_ms - self.born_ms


@attrs.frozen
class RaisedAlarm:
    """A slow turn, or dead air."""

    kind: str
    at_ms: int
    """Of the call's clock."""
    lasted_ms: int
    because: str


@attrs.frozen
class OngoingSilence:
    """A caller waits in silence."""

    from_ms: int
    """Since when, of the call's clock."""
    because: str
    """What they wait for, as in the alarm."""


@attrs.frozen
class CallActivity:
    """What somebody who watches a live call sees of it, beside its status."""

    turns: int
    """Turns of the agent so far."""
    gap_ms: int | None
    """The heard latency of the last turn that the caller waited for."""
    longest: str
    """The longest part of that wait."""
    tools: tuple[str, ...]
    """Names of the tools that run."""
    alarm: RaisedAlarm | None
    """The last one."""
    dead_air: OngoingSilence | None
    """The present one, once its alarm was raised."""
    barge_ins: int
    transferring: bool
    """The caller leaves for a destination once the last word was heard."""
    goodbye: bool
    """Our side ends it as soon as that is polite."""
    instructions: int
    """Those that the model has not got yet."""


@attrs.frozen
class SpokenLine:
    """One item of the conversation at one moment."""

    item_id: str
    speaker: Speaker
    at_ms: int
    """Since the call's birth."""
    text: str
    heard: str
    """The words that the caller has heard."""
    sounds: bool
    """It has become sound and was not cut."""
    heard_whole: bool
    """All of it was played."""
    cut: bool
    """It was interrupted: what follows ``heard`` will never be heard."""
