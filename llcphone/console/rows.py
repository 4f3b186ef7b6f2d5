"""One row for each live call, and what has changed in them.

A row is read from the call's engine when somebody wants to see it, so no second copy can differ from it.
Everything in it may be shown to whoever may look: numbers are masked, and what a tool was asked is left out,
unless the console shows such things to all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from llcphone.engine.status import Floor
from llcphone.telemetry.redaction import masked_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.call.approvals import ApprovalRequest
    from llcphone.call.call import Call
    from llcphone.config.console import ConsoleConfig
    from llcphone.engine.status import CallActivity, CallStatus

RECENT_MS = 60_000
"""How long an alarm wants attention."""
LONGEST_TEXT = 200
"""Characters shown of what a tool was asked."""

State = Literal["ringing", "talking", "restoring", "transferring", "ending"]
_FLOORS = {
    Floor.NOBODY: "nobody",
    Floor.CALLER: "caller",
    Floor.MODEL_THINKING: "thinking",
    Floor.AGENT: "agent",
}


class Waiting(Struct, gc=False):
    """A tool that waits for somebody's approval."""

    id: str
    text: str


class Row(Struct, gc=False):
    """A live call at one moment. The garbage collector need not look at it: nothing in it leads back."""

    id: str
    direction: Literal["inbound", "outbound"]
    from_: str = msgspec.field(name="from")
    to: str
    agent: str
    state: State
    floor: str
    since_s: float
    """In the table: when it began, by Trio's clock. As it is sent: how long ago."""
    turns: int
    """Turns of the agent so far."""
    gap_ms: int | None
    """The heard latency of the last turn that the caller waited for."""
    worst: str
    """The longest part of that wait."""
    tools: tuple[str, ...]
    """Those that run."""
    usd: float
    warm: bool
    """The session was ready before somebody was on the line."""
    approvals: tuple[Waiting, ...]
    attention: str
    """Why somebody should look, in words; empty: no reason."""
    silent_s: float | None
    """In the table: since when the caller has waited in silence, by Trio's clock. As it is sent: for how
    long. None: they do not, or not for long yet."""

    def moved(self, floor: str) -> Row:
        """The row with another party who may speak, a value of `Floor`."""
        return msgspec.structs.replace(self, floor=_FLOORS[Floor(floor)])

    def sent(self, now_s: float) -> Row:
        """The row as it is sent at this time."""
        silent_s = None if self.silent_s is None else round(now_s - self.silent_s, 1)
        return msgspec.structs.replace(self, since_s=round(now_s - self.since_s, 1), silent_s=silent_s)


def row_of(call: Call, config: ConsoleConfig, now_ms: int, *, before: Row | None = None) -> Row:
    """A call as it is now; ``before``: an older row of it, for what never changes."""
    status, activity = call.run.status, call.run.activity
    state = _state_of(status, activity)
    began_ms = status.born_ms if status.started_ms is None else status.started_ms
    return Row(
        id=call.call_id,
        direction="outbound" if call.direction == "outbound" else "inbound",
        from_=_number(call.caller, config) if before is None else before.from_,
        to=_number(call.dialled, config) if before is None else before.to,
        agent=call.run.agent.name,
        state=state,
        floor=_FLOORS[status.floor],
        since_s=began_ms / 1000,
        turns=activity.turns,
        gap_ms=activity.gap_ms,
        worst=activity.longest,
        tools=activity.tools,
        usd=round(status.call_usd, 4),
        warm=_is_warm(status),
        approvals=_approvals(waiting, words=config.words == "show")
        if (waiting := call.approvals.waiting)
        else (),
        attention=_attention(state, activity, now_ms),
        silent_s=None if activity.dead_air is None else activity.dead_air.from_ms / 1000,
    )


def _number(number: str, config: ConsoleConfig) -> str:
    return number if config.numbers == "show" else masked_number(number)


def _state_of(status: CallStatus, activity: CallActivity) -> State:
    if activity.transferring:
        return "transferring"
    if status.ending or activity.goodbye:
        return "ending"
    if status.started_ms is None:
        return "ringing"
    return "talking" if status.model_ready else "restoring"


def _is_warm(status: CallStatus) -> bool:
    ready_ms, started_ms = status.ready_ms, status.started_ms
    return ready_ms is not None and (started_ms is None or ready_ms <= started_ms)


def _approvals(waiting: Iterable[ApprovalRequest], *, words: bool) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(each.tool_call_id, f"{each.name} {_short(each.arguments)}" if words else each.name)
        for each in waiting
    )


def _short(arguments: dict[str, object]) -> str:
    text = msgspec.json.encode(arguments, enc_hook=str).decode()
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _attention(state: State, activity: CallActivity, now_ms: int) -> str:
    if state == "restoring":
        return "no model session"
    if activity.dead_air is not None:
        return f"dead air ({activity.dead_air.because})"
    alarm = activity.alarm
    if alarm is None or now_ms - alarm.at_ms > RECENT_MS:
        return ""
    return f"{alarm.kind} {alarm.lasted_ms / 1000:.1f} s ({alarm.because})"
