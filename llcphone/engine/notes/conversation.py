"""Notes of what is said, and of what it costs."""

from __future__ import annotations

import attrs

from llcphone.engine.notes.base import Note

# -- the conversation ---------------------------------------------------------------------------


@attrs.frozen
class FloorMoved(Note):
    """Somebody else may speak now."""

    kind = "floor"
    floor: str


@attrs.frozen
class CallerSaid(Note):
    """The caller's words, when the transcriber is done with them."""

    kind = "caller said"
    item: str
    words: str


@attrs.frozen
class AgentSaid(Note):
    """The agent's words; they run ahead of the voice."""

    kind = "agent said"
    item: str
    words: str


@attrs.frozen
class AgentSpeaks(Note):
    """The first audio of a turn was sent to the telephone."""

    kind = "agent speaks"
    answer_gap_ms: int | None
    """Since the caller's last speech."""


@attrs.frozen
class BargeIn(Note):
    """The caller has cut an item; ``words`` are those that were heard."""

    kind = "barge-in"
    item: str
    heard_ms: int
    generated_ms: int
    words: str
    stop_ms: int | None
    """From where turn detection dates the caller's speech until now."""

    @property
    def fields(self) -> dict[str, object]:
        """Without a time that is not known."""
        fields = super().fields
        if self.stop_ms is None:
            del fields["stop_ms"]
        return fields


@attrs.frozen
class BargeInDismissed(Note):
    """Speech over the agent's voice was too short to be believed."""

    kind = "barge-in dismissed"


@attrs.frozen
class TurnLeftOpen(Note):
    """Nothing ends the caller's turn: the floor is free."""

    kind = "turn left open"


@attrs.frozen
class TurnTooShort(Note):
    """A turn that was committed by hand has too little audio."""

    kind = "turn too short"
    ms: int


@attrs.frozen
class Silence(Note):
    """Silence: the caller is asked for the ``prompt``-th time; 0: they hear a good-bye."""

    kind = "silence"
    prompt: int


# -- responses and what they cost ---------------------------------------------------------------


@attrs.frozen
class ResponseDone(Note):
    """A response that somebody asked for has ended."""

    kind = "response done"
    asked: str
    status: str


@attrs.frozen
class ResponseFailed(Note):
    """A response has failed."""

    kind = "response failed"
    code: str


@attrs.frozen
class UnaskedResponse(Note):
    """A response that was not requested is cancelled."""

    kind = "unasked response"


@attrs.frozen
class NoSound(Note):
    """A response that was due has ended without a sound."""

    kind = "no sound"
    asked: str
    times: int


@attrs.frozen
class Tokens(Note):
    """A response has reported its tokens."""

    kind = "tokens"
    cost_usd: float | None
    call_usd: float | None
    of_turn: bool
    cached_share: float


@attrs.frozen
class BudgetSpent(Note):
    """The call has cost enough."""

    kind = "budget spent"
    call_usd: float
    budget_usd: float
