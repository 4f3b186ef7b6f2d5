"""The verdict on the call that came in: what it had to do, each with measured evidence. Pure.

Checks compare two parties' facts wherever they can: what the server believes was heard with what the ear
heard, what a tool returned with what the model was told.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import attrs

from llcphone.demo import script as story
from llcphone.demo.waterfall import waterfall
from llcphone.engine.events import EndReason

if TYPE_CHECKING:
    from llcphone.call.record import CallRecord
    from llcphone.demo.facts import Facts, ModelFacts, PhoneFacts

GREETING_LIMIT_MS = 1000
"""A caller who hears nothing for longer after the click says "hello?"."""

CUT_TOLERANCE_MS = 20
"""One frame: how far the ledger's belief may be from the ear."""

CLOSED_BY_SERVER = 31921
"""What Twilio logs when a server ends a stream, as an agent that hangs up does (facts/twilio.md §1.1)."""


@attrs.frozen
class Check:
    """Something the call had to do."""

    name: str
    ok: bool
    evidence: str


def judge(facts: Facts) -> list[Check]:
    """All checks; the call did what it should only if each holds."""
    if facts.record is None or facts.model is None or facts.phone is None:
        missing = [name for name in ("record", "model", "phone") if getattr(facts, name) is None]
        return [Check("every party reported", False, f"nothing from: {', '.join(missing)}")]
    record, model, phone = facts.record, facts.model, facts.phone
    checks = [
        _dialect(facts, model),
        _signatures(phone),
        _greeting(record, phone),
        _answers(facts, record),
    ]
    if not facts.own:
        checks.append(_tools(facts, model))
    if not facts.own or phone.clears:
        checks += [_cut(facts, model, phone), _silence(phone)]
    if not facts.own:
        checks.append(last_word(model, phone))
    return [
        *checks,
        ending(facts, record, phone),
        faultless(facts, record),
        _nothing_left(facts, model, phone),
    ]


def _dialect(facts: Facts, model: ModelFacts) -> Check:
    refused = ", ".join(model.refusals)
    if model.dialect == "flat":
        ok = facts.dialect == "flat" and not refused
        return Check("dialect found by asking", ok, "flat was accepted" if ok else f"refused: {refused}")
    ok = facts.dialect == "ga" == model.dialect and model.refusals == ["beta_api_shape_disabled"]
    return Check(
        "dialect found by asking", ok, f"flat refused ({refused or 'no'}), {model.dialect or 'none'} accepted"
    )


def _signatures(phone: PhoneFacts) -> Check:
    signed = [(status, took_ms) for purpose, status, took_ms in phone.requests if purpose == "voice"]
    ok = phone.forged_statuses == [403] and [status for status, _ in signed] == [200]
    forged = ", ".join(map(str, phone.forged_statuses))
    real = ", ".join(f"HTTP {status} in {took_ms} ms" for status, took_ms in signed)
    return Check("only signed webhooks are believed", ok, f"forged: HTTP {forged}; signed: {real}")


def _greeting(record: CallRecord, phone: PhoneFacts) -> Check:
    name = "greeting heard soon after the stream began"
    if not record.turns:  # what was heard then is the apology
        return Check(name, False, "the agent never spoke")
    if phone.started_ms is None or not phone.ear:
        return Check(name, False, "no stream" if phone.started_ms is None else "nothing was heard")
    after_ms = phone.ear[0][0] - phone.started_ms
    return Check(
        name, 0 <= after_ms <= GREETING_LIMIT_MS, f"after {after_ms:,.0f} ms, limit {GREETING_LIMIT_MS:,}"
    )


def _answers(facts: Facts, record: CallRecord) -> Check:
    answers = [answer for answer in waterfall(facts) if answer.title != "greeting"]
    heard = [answer.total_ms for answer in answers if answer.heard]
    wanted = sum(turn["asked"] == "caller" for turn in record.turns) if facts.own else len(story.STORY)
    ok = len(heard) == wanted > 0
    gap = f", {median(heard):,.0f} ms after the caller in the median" if heard else ""
    return Check("every turn of the caller was answered", ok, f"{len(heard)} of {wanted}{gap}")


def _tools(facts: Facts, model: ModelFacts) -> Check:
    called = {item.call_id: item.name for item in model.items if item.type == "function_call"}
    told = {
        called.get(item.call_id): item.output for item in model.items if item.type == "function_call_output"
    }
    right = [
        name for name, result in story.TOOL_RESULTS.items() if story.same_result(told.get(name, ""), result)
    ]
    took = {entry.fields["call_id"]: entry.fields["took_ms"] for entry in facts.notes("tool done")}
    times = [
        f"{name} {took[call_id]} ms" for call_id, name in called.items() if call_id in took and name in right
    ]
    missing = [name for name in story.TOOL_RESULTS if name not in right]
    evidence = ", ".join([*times, *(f"{name} never did" for name in missing)])
    return Check("tool results reached the model", not missing, evidence)


def _cut(facts: Facts, model: ModelFacts, phone: PhoneFacts) -> Check:
    name = "model cut where the ear stopped"
    cuts = [item for item in model.items if item.truncated_ms is not None]
    if not cuts or len(cuts) != len(phone.clears):
        return Check(name, False, f"{len(cuts)} truncated items, {len(phone.clears)} clears")
    parts, ok = [], True
    for item, clear_ms in zip(cuts, phone.clears, strict=True):
        heard_ms = phone.heard_between(_answer_began(phone, clear_ms), clear_ms + CUT_TOLERANCE_MS)
        ok = ok and item.truncated_ms is not None and abs(item.truncated_ms - heard_ms) <= CUT_TOLERANCE_MS
        parts.append(f"truncated at {item.truncated_ms:,} ms, ear {heard_ms:,.0f} of {item.generated_ms:,}")
    return Check(name, ok, "; ".join(parts))


def _answer_began(phone: PhoneFacts, clear_ms: float) -> float:
    """The end of what the caller had said before the interruption: then the cut answer began."""
    ends = [at + length for at, length in phone.said if at + length < clear_ms]
    return max(ends, default=0.0)


def _silence(phone: PhoneFacts) -> Check:
    name = "no audio after the clear"
    if not phone.clears:
        return Check(name, False, "no clear came")
    late, heard_ms = 0, 0.0
    for clear_ms in phone.clears:
        over_ms = min((at + length for at, length in phone.said if at + length > clear_ms), default=clear_ms)
        late += sum(clear_ms < at_ms < over_ms for at_ms, _ in phone.media)
        heard_ms += phone.heard_between(clear_ms + 1, over_ms)
    return Check(name, not late and not heard_ms, f"{late} media messages, {heard_ms:.0f} ms heard")


def last_word(model: ModelFacts, phone: PhoneFacts) -> Check:
    """The agent's last answer reached the ear whole."""
    name = "last word heard before hanging up"
    spoken = [item.generated_ms for item in model.items if item.role == "assistant" and item.generated_ms]
    if not spoken or not phone.said:
        return Check(name, False, "no last word")
    heard_ms = phone.heard_between(sum(phone.said[-1]), float("inf"))
    return Check(
        name, abs(heard_ms - spoken[-1]) <= CUT_TOLERANCE_MS, f"{heard_ms:,.0f} of {spoken[-1]:,} ms"
    )


def ending(facts: Facts, record: CallRecord, phone: PhoneFacts) -> Check:
    """The story came to its end, and Twilio has nothing to complain of."""
    wanted = EndReason.CALLER_HUNG_UP if facts.own else EndReason.AGENT_HUNG_UP
    errors = [text for code, text in phone.errors if code != CLOSED_BY_SERVER]
    ok = record.reason is wanted and not errors and not phone.gave_up
    evidence = [record.reason.value, *(f"Twilio: {text}" for text in errors)]
    if phone.gave_up:
        evidence.append(f"the caller waited in vain for {phone.gave_up}")
    if record.failure:
        evidence.append(f"set-up: {record.failure}")
    return Check(f"ended because the {wanted.value}", ok, "; ".join(evidence))


def faultless(facts: Facts, record: CallRecord) -> Check:
    """Nothing was refused, failed or misunderstood."""
    errors = [entry.fields["code"] for entry in facts.notes("model error")]
    counts = {
        "unasked": record.unasked_responses,
        "failed": record.failed_responses,
        "unreadable": record.bad_messages,
        "refused by the model": len(errors),
    }
    evidence = ", ".join(f"{count} {what}" for what, count in counts.items())
    return Check("no fault in between", not any(counts.values()), " ".join([evidence, *errors]))


def _nothing_left(facts: Facts, model: ModelFacts, phone: PhoneFacts) -> Check:
    counts = {
        "tasks": len(facts.tasks_left),
        "sockets": facts.sockets_left,
        "model sessions": model.live_sessions,
        "streams": phone.open_streams,
    }
    evidence = ", ".join(f"{count} {what}" for what, count in counts.items())
    return Check("nothing left behind", not any(counts.values()), " ".join([evidence, *facts.tasks_left]))
