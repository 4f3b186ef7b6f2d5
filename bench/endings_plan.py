"""When a call is ended, in which way, and what its record may say then (see ``bench.endings``)."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone import EndReason
from llcphone.sim.twilio import CallFaults

if TYPE_CHECKING:
    from llcphone.sim.model import ModelSession

SALT = "endings"
"""Each model session carries its caller's salted hash, so that its owner is known."""
HANDSHAKE_S, ACK_S = 0.3, 0.3


class Moment(Enum):
    BORN = "before the stream joins"
    BEFORE_START = "before start"
    CONNECTING = "model connecting"
    BEFORE_UPDATED = "before session.updated"
    MID_ANSWER = "mid-answer"
    IN_TOOL = "in a tool"


class Ending(Enum):
    STOP = "stop"
    CLOSE = "close without stop"
    RESET = "reset"
    VANISH = "half-open"
    MODEL_CLOSE = "model closes"
    MODEL_RESET = "model reset"
    CANCEL = "cancellation"
    TOOL = "exception in a tool"
    HOOK = "exception in a hook"


M, E, R = Moment, Ending, EndReason
EXPECTED: dict[Ending, set[EndReason]] = {
    E.STOP: {R.CALLER_HUNG_UP, R.PHONE_LOST, R.NEVER_JOINED},
    E.CLOSE: {R.PHONE_LOST},
    E.RESET: {R.PHONE_LOST},
    E.VANISH: {R.STREAM_DEAD, R.START_TIMEOUT},
    E.MODEL_CLOSE: {R.MODEL_LOST, R.MODEL_UNREACHABLE},
    E.MODEL_RESET: {R.MODEL_LOST, R.MODEL_UNREACHABLE},
    E.CANCEL: {R.CANCELLED},
    E.TOOL: {R.CALLER_HUNG_UP},
    E.HOOK: {R.FAILED},
}
_PHONE = {E.STOP, E.CLOSE, E.RESET, E.VANISH}
_MODEL = {E.MODEL_CLOSE, E.MODEL_RESET}
CELLS = [
    (moment, ending)
    for moment, endings in {
        M.BORN: {E.STOP, E.CANCEL, *_MODEL},
        M.BEFORE_START: {E.CANCEL, *_PHONE, *_MODEL},
        M.CONNECTING: {E.CANCEL, E.HOOK, *_PHONE, *_MODEL},
        M.BEFORE_UPDATED: {E.CANCEL, E.HOOK, *_PHONE, *_MODEL},
        M.MID_ANSWER: set(Ending) - {E.TOOL},
        M.IN_TOOL: set(Ending),
    }.items()
    for ending in Ending
    if ending in endings
]
"""What can end what: a tool must run to raise, a hook starts with the stream."""


@attrs.define(eq=False)
class Plan:
    """One call: its moment, its ending, and what its tool and hook wait for."""

    number: int
    moment: Moment
    ending: Ending
    offset: float
    """Where in its moment, 0 to 1."""
    in_tool: trio.Event = attrs.field(factory=trio.Event)
    now: trio.Event = attrs.field(factory=trio.Event)
    """The tool or the hook raises."""

    @property
    def caller(self) -> str:
        return f"+1555{self.number:07}"

    def faults(self) -> CallFaults:
        return CallFaults(
            frame_ms=100,  # cheap silence
            no_start=self.moment is M.BEFORE_START,
            no_stop=self.ending is E.CLOSE,
            connect_delay_s=3.0 if self.moment is M.BORN else 0.0,
        )

    def owns(self, session: ModelSession) -> bool:
        digest = hashlib.sha256(f"{SALT}:{self.caller}".encode()).hexdigest()[:32]
        return session.headers.get("openai-safety-identifier") == digest
