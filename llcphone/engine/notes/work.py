"""Notes of tools, of the end of a call, and alarms."""

from __future__ import annotations

import attrs

from llcphone.engine.notes.base import Note

# -- tools --------------------------------------------------------------------------------------


@attrs.frozen
class ToolBegun(Note):
    """A tool runs."""

    kind = "tool"
    name: str
    call_id: str


@attrs.frozen
class ToolDone(Note):
    """A tool has answered."""

    kind = "tool done"
    call_id: str
    ok: bool
    took_ms: int


@attrs.frozen
class ToolLate(Note):
    """The model waits no longer for a tool."""

    kind = "tool late"
    name: str
    call_id: str


@attrs.frozen
class ToolSlow(Note):
    """A tool took longer than it should."""

    kind = "tool slow"
    name: str
    took_ms: int
    target_ms: int


@attrs.frozen
class ToolOutputRefused(Note):
    """The server has refused a tool's answer, which is given again in another form."""

    kind = "item refused"
    code: str
    param: str


@attrs.frozen
class ApprovalAsked(Note):
    """A tool waits for a person's word."""

    kind = "approval asked"
    name: str
    call_id: str


@attrs.frozen
class ResultTold(Note):
    """The model got a result that it had not asked for."""

    kind = "told"
    name: str


# -- the end, alarms and the loop ---------------------------------------------------------------


@attrs.frozen
class HangingUp(Note):
    """The call ends once the last word was heard."""

    kind = "hanging up"


@attrs.frozen
class TransferPutOff(Note):
    """The caller spoke before the transfer began: the model has to ask for it again."""

    kind = "transfer put off"


@attrs.frozen
class GoodbyeAsked(Note):
    """Our side must end the call."""

    kind = "farewell"


@attrs.frozen
class FillerPlayed(Note):
    """The caller hears stored words while the agent is owed."""

    kind = "filler"


@attrs.frozen
class ToolFillerPlayed(Note):
    """The caller hears stored words while tools work."""

    kind = "filler"
    why: str = "tool"


@attrs.frozen
class ApologyPlayed(Note):
    """The caller hears the stored apology."""

    kind = "apology"


@attrs.frozen
class SlowTurn(Note):
    """The caller has waited too long for an answer; ``because`` names the longest part."""

    kind = "slow turn"
    ms: int
    because: str
    turn: int


@attrs.frozen
class DeadAir(Note):
    """The caller waits in silence; ``because`` names what for."""

    kind = "dead air"
    ms: int
    because: str


@attrs.frozen
class LoopHeld(Note):
    """A tool or hook of this call has held the event loop."""

    kind = "loop held"
    by: str
    ms: int
