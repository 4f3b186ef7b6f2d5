"""The verdict on the call that came in: what it had to do, each with measured evidence. Pure.

Checks compare the facts of two sides wherever they can: what the server believes was heard with what the
caller heard, what a tool returned with what the model was told.
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

FRAME_MS = 20
CUT_TOLERANCE_MS = 40
"""Two frames: how far the ledger's belief may be from what is heard."""
_MARKS_MS = 300
"""What is believed to be heard rests on a mark that is no older."""

CLOSED_BY_SERVER = 31921
"""What Twilio logs when a server ends a stream, as an agent that hangs up does."""


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
        return [Check("every side reported", False, f"nothing from: {', '.join(missing)}")]
    record, model, phone = facts.record, facts.model, facts.phone
    checks = [
        _dialect(facts, model),
        _signatures(phone),
        _greeting(facts, record, phone),
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
    name, refused = "the model's message format found by asking", ", ".join(model.refusals)
    if model.dialect == "flat":
        ok = facts.dialect == "flat" and not refused
        return Check(name, ok, "the old one (flat) accepted" if ok else f"refused: {refused}")
    ok = facts.dialect == "ga" == model.dialect and model.refusals == ["beta_api_shape_disabled"]
    accepted = f"the current one ({model.dialect}) accepted" if model.dialect else "none accepted"
    return Check(name, ok, f"the old one (flat) refused ({refused or 'no'}), {accepted}")


def _signatures(phone: PhoneFacts) -> Check:
    signed = [(status, took_ms) for purpose, status, took_ms in phone.requests if purpose == "voice"]
    ok = phone.forged_statuses == [403] and [status for status, _ in signed] == [200]
    forged = ", ".join(map(str, phone.forged_statuses))
    real = ", ".join(f"HTTP {status} in {took_ms} ms" for status, took_ms in signed)
    name = "only requests that Twilio signed are believed"
    return Check(name, ok, f"forged: HTTP {forged}; signed: {real}")


def _greeting(facts: Facts, record: CallRecord, phone: PhoneFacts) -> Check:
    name = "greeting heard soon after the line was open"
    if not record.turns:  # what was heard then is the apology
        return Check(name, False, "the agent never spoke")
    if phone.started_ms is None or not phone.ear:
        return Check(name, False, "no stream" if phone.started_ms is None else "nothing was heard")
    after_ms = phone.ear[0][0] - phone.started_ms
    late_ms = facts.late_ms(phone.started_ms, phone.ear[0][0])
    evidence = f"after {after_ms:,.0f} ms, limit {GREETING_LIMIT_MS:,}{lateness(late_ms)}"
    return Check(name, 0 <= after_ms <= GREETING_LIMIT_MS + late_ms, evidence)


def _answers(facts: Facts, record: CallRecord) -> Check:
    answers = [answer for answer in waterfall(facts) if answer.title != "greeting"]
    heard = [answer.total_ms for answer in answers if answer.heard]
    wanted = sum(turn["asked"] == "caller" for turn in record.turns) if facts.own else len(story.STORY)
    ok = len(heard) == wanted > 0
    gap = f", {median(heard):,.0f} ms after the caller in the median" if heard else ""
    return Check("every turn of the caller was answered", ok, f"{len(heard)} of {wanted}{gap}")


def _tools(facts: Facts, model: ModelFacts) -> Check:
    bodies = [item.body for item in model.items]
    called = {each["call_id"]: each["name"] for each in bodies if each["type"] == "function_call"}
    told = {called.get(each["call_id"]): each["output"] for each in bodies if "output" in each}
    right = [
        name for name, result in story.TOOL_RESULTS.items() if story.same_result(told.get(name, ""), result)
    ]
    took = {entry.fields["call_id"]: entry.fields["took_ms"] for entry in facts.notes("tool done")}
    times = [
        f"{name} {took[call_id]} ms" for call_id, name in called.items() if call_id in took and name in right
    ]
    missing = [name for name in story.TOOL_RESULTS if name not in right]
    evidence = ", ".join([*times, *(f"{name} never did" for name in missing)])
    return Check("what the tools returned reached the model", not missing, evidence)


def _cut(facts: Facts, model: ModelFacts, phone: PhoneFacts) -> Check:
    name = "interruption: the model's history ends where the caller stopped hearing"
    cuts = [item for item in model.items if item.truncated_ms is not None]
    if not cuts or len(cuts) != len(phone.clears):
        return Check(name, False, f"{len(cuts)} truncated items, {len(phone.clears)} clears")
    moments = [facts.phone_ms(entry.at_ms) for entry in facts.notes("barge-in")]
    if len(moments) != len(cuts):
        return Check(name, False, f"{len(cuts)} truncated items, {len(moments)} decisions to cut")
    parts, ok = [], True
    for item, cut_ms, clear_ms in zip(cuts, moments, phone.clears, strict=True):
        # Heard until the moment of the decision, not until that of the clear: how long that was on its way
        # says how busy the machine was.
        heard_ms = phone.heard_between(_answer_began(phone, cut_ms), cut_ms)
        late_ms = facts.late_ms(cut_ms - _MARKS_MS, cut_ms)
        told_ms = item.truncated_ms or 0
        ok = ok and abs(told_ms - heard_ms) <= CUT_TOLERANCE_MS + late_ms
        ok = ok and clear_ms - cut_ms <= CUT_TOLERANCE_MS + facts.late_ms(cut_ms, clear_ms)
        parts.append(
            f"history ends at {told_ms:,} ms, heard {heard_ms:,.0f} of {item.generated_ms:,}, "
            f"cut off {max(0.0, clear_ms - cut_ms):,.0f} ms later{lateness(late_ms)}"
        )
    return Check(name, ok, "; ".join(parts))


def lateness(late_ms: float) -> str:
    """What a measured time owes to a busy machine, if it is worth a word."""
    return f" (the machine was {late_ms:,.0f} ms late)" if late_ms >= FRAME_MS / 2 else ""


def _answer_began(phone: PhoneFacts, clear_ms: float) -> float:
    """The end of what the caller had said before the interruption: then the cut answer began."""
    ends = [at + length for at, length in phone.said if at + length < clear_ms]
    return max(ends, default=0.0)


def _silence(phone: PhoneFacts) -> Check:
    name = "interruption: the agent is silent at once"
    if not phone.clears:
        return Check(name, False, "the telephone was never told to stop")
    late, heard_ms = 0, 0.0
    for clear_ms in phone.clears:
        over_ms = min((at + length for at, length in phone.said if at + length > clear_ms), default=clear_ms)
        late += sum(clear_ms < at_ms < over_ms for at_ms, _ in phone.media)
        heard_ms += phone.heard_between(clear_ms + 1, over_ms)
    return Check(name, not late and not heard_ms, f"{late} media messages, {heard_ms:.0f} ms heard")


def last_word(model: ModelFacts, phone: PhoneFacts) -> Check:
    """The caller heard the agent's last answer whole."""
    name = "the agent's last word was heard before it hung up"
    spoken = [item.generated_ms for item in model.items if item.role == "assistant" and item.generated_ms]
    if not spoken or not phone.said:
        return Check(name, False, "no last word")
    heard_ms = phone.heard_between(sum(phone.said[-1]), float("inf"))
    return Check(name, abs(heard_ms - spoken[-1]) <= FRAME_MS, f"{heard_ms:,.0f} of {spoken[-1]:,} ms")


def ending(facts: Facts, record: CallRecord, phone: PhoneFacts) -> Check:
    """The story came to its end, and Twilio has nothing to complain of."""
    wanted = EndReason.CALLER_HUNG_UP if facts.own else EndReason.AGENT_HUNG_UP
    errors = [text for code, text in phone.errors if code != CLOSED_BY_SERVER]
    ok = record.reason is wanted and not errors and not phone.gave_up
    evidence = [record.reason.value, *(f"Twilio: {text}" for text in errors)]
    if phone.gave_up:
        evidence.append(_gave_up(facts, phone))
    if record.failure:
        evidence.append(f"set-up: {record.failure}")
    return Check(f"ended because the {wanted.value}", ok, "; ".join(evidence))


def _gave_up(facts: Facts, phone: PhoneFacts) -> str:
    turns = facts.model.caller_turns if facts.model is not None else 0
    if facts.own and turns < len(phone.said) <= len(facts.own):
        return f"no speech was found in {facts.own[len(phone.said) - 1]}"
    return f"the caller waited in vain for {phone.gave_up}"


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
