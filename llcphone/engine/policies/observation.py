"""A call as other folders may see it. Reads everything, changes nothing."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.audio import BYTES_PER_MS
from llcphone.engine.events import EndReason
from llcphone.engine.parts.model_session import Phase
from llcphone.engine.status import CallActivity, CallStatus, DialStatus, RaisedAlarm, SpokenLine
from llcphone.realtime import usage as tokens

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from llcphone.engine.parts.history import Line
    from llcphone.engine.policies.peers import Policies
    from llcphone.engine.state import CallState


def status_of(state: CallState, ended: EndReason | None) -> CallStatus:
    """The present state."""
    dialling, phase = state.dialling, state.session.phase
    return CallStatus(
        born_ms=state.born_ms,
        started_ms=state.started_ms,
        ready_ms=state.ready_ms,
        ended=ended,
        ending=ended is not None or state.hanging_up or phase is Phase.GIVEN_UP,
        model_ready=state.session.ready,
        cold=phase is Phase.COLD,
        floor=state.talk.floor,
        dial=None
        if dialling is None
        else DialStatus(dialling.state, dialling.dialled_ms, dialling.answered_ms, dialling.answered_by),
        dialect=state.session.leg_dialect,
        call_usd=state.talk.bill.call_usd,
    )


def activity_of(state: CallState, policies: Policies) -> CallActivity:
    """What an onlooker sees beside the status."""
    talk, raised = state.talk, policies.alarms.raised
    gap_ms, longest = talk.timings.last_wait()
    alarm = raised[-1] if raised else None
    running = map(talk.history.get, talk.batches.call_ids)
    return CallActivity(
        turns=len(talk.timings.turns),
        gap_ms=gap_ms,
        longest=longest,
        tools=tuple(line.tool.name for line in running if line is not None and line.tool is not None),
        alarm=None if alarm is None else RaisedAlarm(alarm.kind, alarm.at_ms, alarm.lasted_ms, alarm.because),
        dead_air=policies.alarms.dead_air(),
        barge_ins=talk.barge_ins,
        transferring=policies.instructions.leaves
        or (state.hanging_up and state.leaving_for is EndReason.TRANSFERRED),
        goodbye=policies.goodbye.begun,
        instructions=policies.instructions.waiting,
    )


def spoken_lines(
    state: CallState, now_ms: int, last: int | None = None, skip: int = 0
) -> tuple[SpokenLine, ...]:
    """The conversation as it is heard at this moment, or its last lines, without ``skip`` at the end."""
    lines = state.talk.history.lines(last, skip=skip)
    return tuple(_spoken(state, line, now_ms) for line in lines)


def turns_of(state: CallState, last: int, skip: int = 0) -> tuple[dict[str, Any], ...]:
    """The agent's last turns as plain data, as in the record, without ``skip`` at the end."""
    since_birth, turns = status_of(state, None).since_birth, state.talk.timings.turns
    end = max(0, len(turns) - skip)
    return tuple(turn.as_data(since_birth) for turn in turns[max(0, end - last) : end])


def _spoken(state: CallState, line: Line, now_ms: int) -> SpokenLine:
    playout = state.talk.playout
    audio = playout.item(line.item_id)
    heard = line.heard_text()
    if audio is not None and not audio.cut:
        generated_ms, heard_ms = audio.generated // BYTES_PER_MS, playout.heard_ms(line.item_id, now_ms)
        heard = attrs.evolve(line, generated_ms=generated_ms, heard_ms=heard_ms).heard_text()
    return SpokenLine(
        line.item_id,
        line.speaker,
        line.at_ms - state.born_ms,
        line.text,
        heard,
        sounds=audio is not None and not audio.cut,
        heard_whole=audio is not None and audio.done and audio.heard >= audio.generated,
        cut=line.heard_ms is not None and line.heard_ms < line.generated_ms,
    )


def report_of(state: CallState, policies: Policies) -> dict[str, Any]:
    """The figures for the call record, by its names. Times are milliseconds since the call's birth."""
    since_birth = status_of(state, None).since_birth
    talk, session = state.talk, state.session
    not_dialled = "" if state.dialling is None else state.dialling.failure
    lines = [
        {
            "speaker": line.speaker.value,
            "text": line.text if line.written else line.heard_text(),
            "unheard": line.unheard_text(),
            "at_ms": since_birth(line.at_ms),
            "heard_ms": line.heard_ms,
            "generated_ms": line.generated_ms,
        }
        for line in talk.history.lines()
    ]
    usage, cost_usd = talk.bill.usage, talk.bill.cost_usd
    return {
        "started_after_ms": since_birth(state.started_ms),
        "ready_after_ms": since_birth(state.ready_ms),
        "dialect": session.leg_dialect.value if session.leg_dialect else "",
        "attempts": session.attempts,
        "failure": not_dialled or session.last_failure,
        "frames": state.frames,
        "frames_held_back": state.gate.held_back,
        "floor": tuple([since_birth(at_ms), floor.value] for at_ms, floor in talk.floors),
        "turns": tuple(turn.as_data(since_birth) for turn in talk.timings.turns),
        "gaps": _gaps(policies, since_birth),
        "barge_ins": talk.barge_ins,
        "late_deltas": talk.late_deltas,
        "unasked_responses": talk.responses.unasked,
        "failed_responses": talk.failed_responses,
        "digits": state.digits,
        "unknown_events": state.unknown_events,
        "stray_echoes": talk.playout.stray_echoes,
        "usage": attrs.asdict(usage),
        "cached_share": round(tokens.cached_share(usage), 4),
        "cost_usd": None if cost_usd is None else round(cost_usd, 6),
        "unbilled_responses": talk.bill.unbilled,
        "seconds": talk.bill.seconds,
        "lead_ms": _leads(talk.leads),
        "alarms": tuple(
            attrs.asdict(each) | {"at_ms": since_birth(each.at_ms)} for each in policies.alarms.raised
        ),
        "transcript": tuple(line for line in lines if line["text"]),
    }


def _leads(leads: Counter[int]) -> dict[str, int]:
    """How late the voice began to be heard: median, 99th percentile and longest; empty: unknown."""
    if not (count := leads.total()):
        return {}
    steps = list(accumulate(leads[each] for each in sorted(leads)))
    at = {"p50": -(-count // 2), "p99": -(-99 * count // 100), "max": count}
    return {name: sorted(leads)[bisect_left(steps, number)] for name, number in at.items()}


def _gaps(policies: Policies, since_birth: Callable[[int | None], int | None]) -> tuple[dict[str, Any], ...]:
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
        for gap in policies.recovery.gaps
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
        for each in policies.renewal.renewals
    ]
    return tuple(sorted([*lost, *planned], key=lambda gap: gap["at_ms"] or 0))
