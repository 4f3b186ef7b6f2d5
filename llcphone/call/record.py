"""What is kept of a call: one record, written once, whatever ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime import usage as tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.call.warmth import Warmth
    from llcphone.engine.call import CallEngine
    from llcphone.engine.events import EndReason
    from llcphone.engine.recovery import Gap


@attrs.frozen
class CallRecord:
    """A finished call. Times are seconds or milliseconds as named; clock times are Unix seconds."""

    call_id: str
    call_sid: str
    direction: str
    agent: str
    reason: EndReason
    born_at: float
    """Unix time of birth."""
    duration_s: float
    """From birth to the end."""
    started_after_ms: int | None
    """Birth to media stream start; None when it never started."""
    ready_after_ms: int | None
    """Birth to a configured session; None when it never was."""
    dialect: str
    attempts: int
    """Model legs dialled or adopted."""
    failure: str
    """The last trouble of the set-up, by its code; empty when there was none."""
    frames: int
    """Caller frames received."""
    frames_held_back: int
    """Caller frames counted but not sent to the model (guard, not ready)."""
    warm: str = ""
    """How the caller met it: ``pool``, ``hit``, ``joined``, ``cold`` or ``wasted`` (see ``call.warmth``)."""
    warm_saved_ms: int = 0
    """Set-up of the session that the person on the line did not wait for."""
    turns: tuple[dict[str, Any], ...] = ()
    gaps: tuple[dict[str, Any], ...] = ()
    """Losses of the model's session: when, why, what the caller waited for, attempts, and how each ended."""
    barge_ins: int = 0
    late_deltas: int = 0
    unasked_responses: int = 0
    failed_responses: int = 0
    digits: int = 0
    unknown_events: int = 0
    stray_echoes: int = 0
    bad_messages: int = 0
    usage: dict[str, int] = attrs.field(factory=dict)
    cached_share: float = 0.0
    transcript: tuple[dict[str, Any], ...] = ()
    """What was said and heard; empty unless ``records.transcript`` is on."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = attrs.asdict(self)
        data["reason"] = self.reason.value
        return data


def make_record(
    engine: CallEngine,
    *,
    identity: dict[str, str],
    reason: EndReason,
    born_at: float,
    duration_s: float,
    bad_messages: int,
    warmth: Warmth,
    transcript: bool,
) -> CallRecord:
    """The record of a call that has ended."""

    def since_birth(at_ms: int | None) -> int | None:
        return None if at_ms is None else at_ms - engine.born_ms

    talk = engine.talk
    turns = []
    for turn in talk.ledger.turns:
        data = attrs.asdict(turn)
        for key in [key for key in data if key.endswith("_ms")]:
            data[key] = since_birth(data[key])
        data["answer_gap_ms"] = turn.answer_gap_ms
        turns.append(data)
    lines = [
        {
            "speaker": line.speaker.value,
            "text": line.heard_text(),
            "at_ms": since_birth(line.at_ms),
            "heard_ms": line.heard_ms,
            "generated_ms": line.generated_ms,
        }
        for line in talk.history.lines()
    ]
    return CallRecord(
        **identity,
        reason=reason,
        born_at=born_at,
        duration_s=round(duration_s, 3),
        started_after_ms=since_birth(engine.started_ms),
        ready_after_ms=since_birth(engine.ready_ms),
        warm=warmth.word(engine),
        warm_saved_ms=warmth.saved_ms(engine),
        dialect=engine.model.leg_dialect.value if engine.model.leg_dialect else "",
        attempts=engine.model.attempts,
        failure=engine.model.last_failure,
        frames=engine.frames,
        frames_held_back=engine.listening.held_back,
        turns=tuple(turns),
        gaps=tuple(_gap(gap, since_birth) for gap in engine.recovery.gaps),
        barge_ins=talk.barge_ins,
        late_deltas=talk.late_deltas,
        unasked_responses=talk.responses.unasked,
        failed_responses=talk.failed_responses,
        digits=engine.digits,
        unknown_events=engine.unknown_events,
        stray_echoes=talk.playout.stray_echoes,
        bad_messages=bad_messages,
        usage=attrs.asdict(talk.usage),
        cached_share=round(tokens.cached_share(talk.usage), 4),
        transcript=tuple(line for line in lines if line["text"]) if transcript else (),
    )


def _gap(gap: Gap, since_birth: Callable[[int | None], int | None]) -> dict[str, Any]:
    return {
        "at_ms": since_birth(gap.at_ms),
        "cause": gap.cause,
        "owed": gap.owed,
        "attempts": gap.attempts,
        "outcome": gap.outcome,
        "restored_ms": since_birth(gap.restored_ms),
        "spoke_ms": since_birth(gap.spoke_ms),
    }
