"""What is kept of a call: one record, written once, whatever ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime import usage as tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llcphone.call.session_source import Warmth
    from llcphone.engine.call import CallEngine
    from llcphone.engine.events import EndReason


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
    generation: int = 0
    """How often the call was resumed before this run of it."""
    resumed_from: str = ""
    """The ``call_id`` of the run before; empty for a new call."""
    transferred_to: str = ""
    """Where the caller left for at its end: a destination, ``voicemail`` or ``keys``; empty: nowhere."""
    warm: str = ""
    """How the caller met it: ``pool``, ``hit``, ``joined``, ``cold`` or ``wasted`` (see ``call.warmth``)."""
    warm_saved_ms: int = 0
    """Set-up of the session that the person on the line did not wait for."""
    turns: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    """Each tool that ended: its name, how long it took (and should have taken), whether it did its work."""
    gaps: tuple[dict[str, Any], ...] = ()
    """Each end of a model session in mid-call, ``lost`` or ``planned``; see ``_gaps``."""
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
    cost_usd: float | None = None
    """Estimate for the model's tokens by the price list; None: the model has no price there."""
    unbilled_responses: int = 0
    """Responses whose tokens nobody told us (cut off by the end of the call): in no sum here."""
    alarms: tuple[dict[str, Any], ...] = ()
    """Slow turns and dead air: kind, when, for how long, because of what."""
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
    identity: Mapping[str, Any],
    reason: EndReason,
    born_at: float,
    duration_s: float,
    bad_messages: int,
    warmth: Warmth,
    transcript: bool,
    tools: Iterable[dict[str, Any]] = (),
) -> CallRecord:
    """The record of a call that has ended."""

    def since_birth(at_ms: int | None) -> int | None:
        return None if at_ms is None else at_ms - engine.born_ms

    talk = engine.talk
    lines = [
        {
            "speaker": line.speaker.value,
            "text": line.text if line.written else line.heard_text(),
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
        turns=tuple(turn.as_data(since_birth) for turn in talk.ledger.turns),
        tools=tuple(tools),
        gaps=_gaps(engine, since_birth),
        barge_ins=talk.barge_ins,
        late_deltas=talk.late_deltas,
        unasked_responses=talk.responses.unasked,
        failed_responses=talk.failed_responses,
        digits=engine.digits,
        unknown_events=engine.unknown_events,
        stray_echoes=talk.playout.stray_echoes,
        bad_messages=bad_messages,
        usage=attrs.asdict(talk.bill.usage),
        cached_share=round(tokens.cached_share(talk.bill.usage), 4),
        cost_usd=None if talk.bill.cost_usd is None else round(talk.bill.cost_usd, 6),
        unbilled_responses=talk.bill.unbilled,
        alarms=tuple(
            attrs.asdict(alarm) | {"at_ms": since_birth(alarm.at_ms)} for alarm in engine.alarms.raised
        ),
        transcript=tuple(line for line in lines if line["text"]) if transcript else (),
    )


def _gaps(engine: CallEngine, since_birth: Callable[[int | None], int | None]) -> tuple[dict[str, Any], ...]:
    """Each end of a model session in mid-call: when it was noticed or due, why, attempts, how it came out.

    ``restored_ms`` is when the next session took over, ``gap_ms`` how long there was none: a planned
    renewal has none, and ``ready_ms`` says when its successor stood by.
    """
    lost = [
        {
            "kind": "lost",
            "at_ms": since_birth(gap.at_ms),
            "cause": gap.cause,
            "owed": gap.owed,
            "attempts": gap.attempts,
            "outcome": gap.outcome,
            "restored_ms": since_birth(gap.restored_ms),
            "spoke_ms": since_birth(gap.spoke_ms),
            "gap_ms": None if gap.restored_ms is None else gap.restored_ms - gap.at_ms,
        }
        for gap in engine.recovery.gaps
    ]
    planned = [
        {
            "kind": "planned",
            "at_ms": since_birth(each.due_ms),
            "cause": each.why.value,
            "owed": "nothing",
            "attempts": each.tries,
            "outcome": each.outcome,
            "ready_ms": since_birth(each.ready_ms),
            "restored_ms": since_birth(each.switched_ms),
            "spoke_ms": None,
            "gap_ms": 0,
        }
        for each in engine.renewal.renewals
    ]
    return tuple(sorted([*lost, *planned], key=lambda gap: gap["at_ms"] or 0))
